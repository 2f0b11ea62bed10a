"""Find, follow and score every face of every sampled frame."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face
from detector.faces.detections import DetectionBuffer, Detections
from detector.faces.flaws import TOO_UNSURE
from detector.faces.quality import assess_face, photo_flaw
from detector.faces.scene_changes import CutDetector
from detector.faces.search.search import FaceSearch, FoundFaces
from detector.faces.tracks import Covers, Stillness, Tracker, group_tracks
from detector.media.bars import BarSearch
from detector.media.frame import Frame, Image
from detector.media.reader import MediaReader
from detector.schema.analysis import Bars, MediaKind, Parameters
from detector.scoring.coarse_to_fine import (
    CoarseToFine,
    CropQueue,
    InterpolationRule,
    NumberedCrop,
    interpolate_missing,
)
from detector.scoring.moments import MomentKeeper
from detector.scoring.scorer import Scorer

BATCH = 32  # crops scored at once


@dataclass(frozen=True)
class FirstPassResult:
    """The result of a first pass: detections in order of time, persons, cuts and counts.

    Later stages fill in fields of the rows in place (:class:`~detector.faces.detections.Detections`): the
    second look's fused logits and answers, then smoothed probabilities.
    """

    detections: Detections
    person_tracks: list[list[int]]  # track numbers of each person
    times: Sequence[float]  # times of all sampled frames, in seconds from the first
    cuts: Sequence[float]  # times of cuts
    discarded: int  # number of faces discarded as no faces
    from_damaged: int = 0  # number of frames not sampled because they depend on damaged or missing pictures
    motionless: frozenset[int] | None = None  # tracks that show a single still picture; None if not measured
    bars: Bars | None = None


class FirstPass:
    """Takes sampled frames in order, each with :meth:`is_cut`, then :meth:`post_process`.

    Without a ``reader``, frames are those of a live video, and none is held back. ``on_frame`` is called with
    each frame, in order, and its faces by track. ``keeper`` stores moments spread over each track. ``others``
    score the same faces, each in its own framing. ``on_first_face`` is called in the scoring thread when the
    first usable face was found.
    """

    def __init__(
        self,
        reader: MediaReader | None,
        parameters: Parameters,
        scorer: Scorer,
        on_frame: Callable[[Frame, dict[int, Face]], None] | None = None,
        keeper: MomentKeeper | None = None,
        others: Sequence[Scorer] = (),
        on_first_face: Callable[[], None] | None = None,
    ) -> None:
        self._reader = reader
        self._video = reader is None or reader.kind is MediaKind.VIDEO
        self._search = FaceSearch(parameters, hold=reader is not None, still=not self._video)
        self._tracker = Tracker(parameters.bridge_gap)
        # Endless sources have no final result.
        self._stillness = Stillness() if self._video and reader is not None else None
        self._bars = BarSearch() if self._stillness is not None else None
        self._covers = Covers() if reader is not None else None
        self._cut_detector = CutDetector(parameters.sample_rate)
        self._scorer = scorer
        self._parameters = parameters
        self._on_frame = on_frame
        self._keeper = keeper
        self._on_first_face = on_first_face
        self._gathered = DetectionBuffer()
        self._queues = [CropQueue(scorer, self._coarse(reader)), *map(CropQueue, others)]
        self._usable = 0  # faces since the last call of take
        self._followed = 0  # sampled frames
        # A batch is scored while faces are searched in later frames.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._batches: list[list[NumberedCrop]] = []  # scores in progress, one for each queue
        self._being_scored: Future[list[list[NDArray[np.float32]]]] | None = None
        self._times = array("d")
        self._cuts: list[float] = []

    def _coarse(self, reader: MediaReader | None) -> CoarseToFine | None:
        """Return the rule for skipping faces; None for live video, photos and some networks."""
        if reader is None or reader.kind is MediaKind.IMAGE:
            return None
        sparing = InterpolationRule.of(self._scorer, self._parameters)
        return None if sparing is None else CoarseToFine(sparing)

    def with_cuts(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, bool]]:
        """Yield the sampled frames, each with whether it starts a new scene; runs in a separate thread."""
        for frame in frames:
            yield frame, self.is_cut(frame)

    def is_cut(self, frame: Frame) -> bool:
        """Check whether the next frame starts a new scene."""
        return self._cut_detector.process_frame(frame.image, frame.shape) if self._video else False

    def process_frame(self, frame: Frame, is_cut: bool) -> None:
        """Find, track and queue the faces of one sampled frame; some are settled with a later frame."""
        if is_cut:
            self._cuts.append(float(frame.time))
        self._times.append(float(frame.time))
        if self._bars is not None:
            self._bars.process_frame(float(frame.time), frame.image, is_cut)
        self._follow(self._search.process_frame(frame, is_cut))

    def _follow(self, settled: Iterable[FoundFaces]) -> None:
        for frame, is_cut, faces in settled:
            numbers = self._tracker.process_frame(float(frame.time), frame.image, faces, is_cut)
            by_track = dict(zip(numbers, faces, strict=True))
            for track, face in by_track.items():
                self._take_face(frame, track, face)
                if self._stillness is not None:
                    self._stillness.add(track, float(frame.time), frame.image, face.box)
            if self._on_frame is not None:
                self._on_frame(frame, by_track)
            if len(self._queues[0]) >= BATCH:
                self._score()
            self._followed += 1

    def _take_face(self, frame: Frame, track: int, face: Face) -> None:
        shows = assess_face(frame.image, face, self._scorer.quality_size, self._parameters)
        if shows.crop is not None and not self._video:
            flaw = photo_flaw(frame.image, face.box, self._parameters)
            shows = shows if flaw is None else shows._replace(flaw=flaw, crop=None)
        if shows.crop is not None:
            if self._on_first_face is not None:
                self._executor.submit(self._on_first_face)
                self._on_first_face = None
            for queue in self._queues:
                crop = queue.scorer.crop_of(frame.image, face, shows.crop)
                queue.offer(NumberedCrop(self._usable, crop), track, float(frame.time), self._followed)
            self._usable += 1
            if self._keeper is not None:
                self._keeper.offer(frame, track, face)
            if self._covers is not None:
                covered = self._covers.is_covered(track, self._followed, shows.crop)
                shows = shows._replace(covered=covered)
        self._gathered.add(frame.pts, float(frame.time), frame.index, track, face, shows)

    def post_process(self) -> list[FirstPassResult]:
        """Score what still waits, leave out non-faces and faces in bars, and group the tracks.

        There is one result for each scorer.

        A toy or a pattern can pass for a face, but never with confidence. A track wide enough to judge in
        which the detector was never confident is discarded; small faces are kept, because the detector is
        seldom confident about these.
        """
        self._follow(self._search.flush())
        pending, features = self._taken()
        tracks, flaws = pending.rows["track"], pending.rows["flaw"]
        is_face = np.isin(tracks, tracks[flaws != TOO_UNSURE])
        discarded = len(pending) - int(is_face.sum())
        bars = None
        if self._bars is not None:
            in_bars = self._bars.contain(pending.rows["time"], pending.rows["box"])
            bars = self._bars.summary(np.array(self._times), int((is_face & in_bars).sum()))
            is_face &= ~in_bars
        # The index of each kept detection's features, meaningless for unusable ones.
        feature_of = np.cumsum(pending.rows["usable"])[is_face] - 1
        faces = pending.only(is_face)
        track_numbers = set(faces.rows["track"].tolist())
        person_tracks = group_tracks(
            [track for track in self._tracker.tracks if track.number in track_numbers]
        )
        copies = [Detections(faces.rows.copy()) for _ in self._queues[1:]]
        from_damaged = self._reader.tally.not_sampled if self._reader is not None else 0
        motionless = self._stillness.motionless() if self._stillness is not None else None
        results = []
        for queue, own, detections in zip(self._queues, features, (faces, *copies), strict=True):
            _fill_in_logits(detections, queue, own, feature_of)
            results.append(
                FirstPassResult(
                    detections,
                    person_tracks,
                    self._times,
                    self._cuts,
                    discarded,
                    from_damaged,
                    motionless,
                    bars,
                )
            )
        return results

    def take(self) -> tuple[Detections, set[int]]:
        """Return the detections since the last call, each judged alone, and the tracks that may continue.

        For endless sources, where :meth:`post_process` is never called; nothing else is kept. Not for
        sequence networks, which judge frames by their neighbours.
        """
        detections, (features,) = self._taken()
        detections.rows["logit"][detections.rows["usable"]] = self._scorer.track_logits(features)
        del self._times[:], self._cuts[:]
        return detections, self._tracker.forget_ended()

    def _taken(self) -> tuple[Detections, list[NDArray[np.float32]]]:
        """Return all detections not yet taken, and each model's features (n, d) of the usable ones."""
        for queue in self._queues:
            queue.flush()
        while any(map(len, self._queues)) or self._being_scored is not None:
            self._score()
        count, self._usable = self._usable, 0
        detections = self._gathered.take()
        if self._tracker.splits:
            self._tracker.fill_in_splits(detections.rows["track"], detections.rows["time"])
            if self._keeper is not None:
                self._keeper.split(self._tracker.splits)
            self._tracker.splits.clear()
        return detections, [queue.take_features(count) for queue in self._queues]

    def _score(self) -> None:
        """Start scoring the waiting crops once the previous batch has its features."""
        if self._being_scored is not None:
            for queue, batch, features in zip(
                self._queues, self._batches, self._being_scored.result(), strict=True
            ):
                queue.put_features(batch, features)
            self._being_scored = None
        if any(map(len, self._queues)):
            self._batches = [queue.take_batch() for queue in self._queues]
            crops = [
                (queue.scorer, [numbered.crop for numbered in batch])
                for queue, batch in zip(self._queues, self._batches, strict=True)
            ]
            self._being_scored = self._executor.submit(_features, crops)


def _features(batches: Sequence[tuple[Scorer, list[Image]]]) -> list[list[NDArray[np.float32]]]:
    return [scorer.features(crops) for scorer, crops in batches]


def _fill_in_logits(
    detections: Detections, queue: CropQueue, features: NDArray[np.float32], feature_of: NDArray[np.intp]
) -> None:
    """Fill in the logits of usable detections, track by track.

    ``feature_of`` (n,) is the index of each detection's features among ``features`` (m, d).
    """
    rows = detections.rows
    for track in detections.by_track().values():
        usable = track[rows["usable"][track]]
        logits = queue.scorer.track_logits(features[feature_of[usable]])
        if queue.is_coarse:
            rows["interpolated"][usable] = interpolate_missing(logits)
        rows["logit"][usable] = logits
