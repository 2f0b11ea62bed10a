"""The first pass over an exhibit: every face of every sampled frame, followed and scored."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face
from detector.faces.detections import DetectionBuffer, Detections
from detector.faces.finding.search import FaceSearch, FoundFaces
from detector.faces.persons import group_tracks
from detector.faces.photo_range import flaw_of_photo
from detector.faces.quality import LOW_CONFIDENCE, assess_face
from detector.faces.tracks import Tracker
from detector.media.frame import Frame, Image
from detector.media.pictures import cuts
from detector.media.reader import MediaReader
from detector.schema.analysis import MediaKind, Parameters
from detector.scoring.coarse_to_fine import CoarseToFine, Numbered, Sparing, fill_between
from detector.scoring.moments import MomentKeeper
from detector.scoring.scorer import Scorer

BATCH = 32  # crops scored at once


class FirstPassResult(Protocol):
    """What a first pass leaves: detections in order of time, and what it saw on the way."""

    detections: Detections
    persons: list[list[int]]  # numbers of their tracks
    cuts: list[float]
    discarded: int

    @property
    def times(self) -> Sequence[float]:
        """Of all sampled frames, in seconds from the first."""


class _Queue:
    """Crops that wait for one model, and what it has made of those before.

    Where it is calm about a track it is not given every face of it (``coarse``).
    """

    def __init__(self, scorer: Scorer, coarse: CoarseToFine | None = None) -> None:
        self.scorer = scorer
        self.coarse = coarse
        self.waiting: list[Numbered] = []
        self._scored: list[tuple[list[int], NDArray[np.float32]]] = []  # numbers and features, by batch

    def offer(self, face: Numbered, track: int, time: float) -> None:
        """Take the next usable face; they are numbered in order, from 0 after each :meth:`take`."""
        self.waiting += [face] if self.coarse is None else self.coarse.offer(face, track, time)

    def scored(self, batch: Sequence[Numbered], features: Sequence[NDArray[np.float32]]) -> None:
        """Take the ``features``, (d,) each, of a ``batch``."""
        if not batch:
            return
        numbers, stacked = [face.number for face in batch], np.stack(features)
        self._scored.append((numbers, stacked))
        if self.coarse is not None:
            self.waiting += self.coarse.scored(numbers, stacked[:, 0])

    def flush(self) -> None:
        """No other face will come: none waits for a later one any more."""
        if self.coarse is not None:
            self.waiting += self.coarse.flush()

    def take(self, count: int) -> NDArray[np.float32]:
        """The features (count, d) made since the last time; no numbers of faces that were not scored."""
        width = self._scored[0][1].shape[1] if self._scored else 1
        taken = np.full((count, width), np.nan, np.float32)
        for numbers, features in self._scored:
            taken[numbers] = features
        self._scored = []
        return taken


@dataclass
class SeenByAnother:
    """The same first pass with another model's logits."""

    detections: Detections
    persons: list[list[int]]
    times: Sequence[float]
    cuts: list[float]
    discarded: int


class FirstPass:
    """Give it the sampled frames in order, each with :meth:`is_cut`, then :meth:`post_process`.

    ``detections`` holds the result. Without a ``reader``, frames are those of a live video, and none is
    held back. ``on_frame`` is called with each frame, in order, and with its faces by track. Faces at moments
    spread over each track are kept in ``keeper``, if given. ``others`` score the same faces, each in its own
    framing. ``on_first_face`` is called when the first usable face was seen, in the thread that scores.
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
        self._search = FaceSearch(parameters, hold=reader is not None)
        self._tracker = Tracker(parameters.bridge_gap)
        self._cuts = cuts.CutDetector(parameters.sample_rate)
        self._scorer = scorer
        self._parameters = parameters
        self._on_frame = on_frame
        self._keeper = keeper
        self._on_first_face = on_first_face
        self._gathered = DetectionBuffer()
        self._queues = [_Queue(scorer, self._coarse(reader)), *map(_Queue, others)]
        self._usable = 0  # faces since they were taken last
        self._other_logits: list[NDArray[np.float64]] = []
        # A batch is scored while faces of later frames are looked for.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._batches: list[list[Numbered]] = []  # one for each queue, being scored
        self._scored: Future[list[list[NDArray[np.float32]]]] | None = None
        self._video = reader is None or reader.kind is MediaKind.VIDEO
        self.detections = self._gathered.take()
        self.persons: list[list[int]] = []
        self.times = array("d")
        self.cuts: list[float] = []
        self.discarded = 0

    def _coarse(self, reader: MediaReader | None) -> CoarseToFine | None:
        """None where every face is scored: of what is live or a photo, and with some networks."""
        if reader is None or reader.kind is MediaKind.IMAGE:
            return None
        sparing = Sparing.of(self._scorer, self._parameters)
        return None if sparing is None else CoarseToFine(sparing)

    def with_cuts(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, bool]]:
        """The sampled frames in order, each with whether it begins a new scene: for a thread of its own."""
        for frame in frames:
            yield frame, self.is_cut(frame)

    def is_cut(self, frame: Frame) -> bool:
        """Whether the next frame begins a new scene."""
        return self._cuts.process_frame(frame.image) if self._video else False

    def process_frame(self, frame: Frame, is_cut: bool) -> None:
        """Find, follow and queue the faces of one sampled frame; they may be settled with a later one."""
        if is_cut:
            self.cuts.append(float(frame.time))
        self.times.append(float(frame.time))
        self._follow(self._search.process_frame(frame, is_cut))

    def _follow(self, settled: Iterable[FoundFaces]) -> None:
        for frame, is_cut, faces in settled:
            numbers = self._tracker.process_frame(float(frame.time), frame.image, faces, is_cut)
            by_track = dict(zip(numbers, faces, strict=True))
            for track, face in by_track.items():
                self._sight(frame, track, face)
            if self._on_frame is not None:
                self._on_frame(frame, by_track)
            if len(self._queues[0].waiting) >= BATCH:
                self._score()

    def _sight(self, frame: Frame, track: int, face: Face) -> None:
        shows = assess_face(frame.image, face, self._scorer.quality_size, self._parameters)
        if shows.crop is not None and not self._video:
            flaw = flaw_of_photo(frame.image, face.box, self._parameters)
            shows = shows if flaw is None else shows._replace(flaw=flaw, crop=None)
        if shows.crop is not None:
            if self._on_first_face is not None:
                self._beside.submit(self._on_first_face)
                self._on_first_face = None
            for queue in self._queues:
                crop = queue.scorer.seen(frame.image, face, shows.crop)
                queue.offer(Numbered(self._usable, crop), track, float(frame.time))
            self._usable += 1
            if self._keeper is not None:
                self._keeper.offer(frame, track, face)
        self._gathered.add(frame.pts, float(frame.time), frame.index, track, face, shows)

    def post_process(self) -> None:
        """Score what still waits, forget what turned out to be no face, and judge and group the tracks.

        A toy or a pattern can pass for a face, but never surely. A track wide enough to
        judge in which the detector was never sure is dropped; small ones are kept,
        because of a small face it seldom is.
        """
        self._follow(self._search.flush())
        taken, (features, *of_others) = self._taken()
        tracks_, flaws = taken.rows["track"], taken.rows["flaw"]
        kept = np.isin(tracks_, tracks_[flaws != LOW_CONFIDENCE])
        self.discarded = int(np.count_nonzero(~kept))
        which = np.cumsum(taken.rows["usable"])[kept] - 1  # of the features are each detection's
        self.detections = taken.only(kept)
        rows = self.detections.rows
        self._other_logits = [np.full(len(rows), np.nan) for _ in of_others]
        for track in self.detections.by_track().values():
            usable = track[rows["usable"][track]]
            logits = self._scorer.track_logits(features[which[usable]])
            rows["interpolated"][usable] = fill_between(logits)
            rows["logit"][usable] = logits
            for queue, others, own in zip(self._queues[1:], self._other_logits, of_others, strict=True):
                others[usable] = queue.scorer.track_logits(own[which[usable]])
        # The tracks' pictures are needed no more: of two hours they are as large as all detections.
        left = set(rows["track"].tolist())
        self.persons = group_tracks([track for track in self._tracker.tracks if track.number in left])
        self._tracker = Tracker(self._parameters.bridge_gap)

    def seen_by_others(self) -> list[SeenByAnother]:
        """What each of the other models says, after :meth:`post_process` and before logits are fused."""
        found = []
        for logits in self._other_logits:
            rows = self.detections.rows.copy()
            rows["logit"], rows["interpolated"] = logits, False
            found.append(SeenByAnother(Detections(rows), self.persons, self.times, self.cuts, self.discarded))
        return found

    def take(self) -> tuple[Detections, set[int]]:
        """The detections since the last call, each judged by itself, and the tracks that may go on.

        Nothing else is kept: for sources without an end, where :meth:`post_process` is never called.
        Not for sequence networks, which judge frames by those around them.
        """
        taken, (features,) = self._taken()
        taken.rows["logit"][taken.rows["usable"]] = self._scorer.track_logits(features)
        del self.times[:]
        return taken, self._tracker.forget_ended()

    def _taken(self) -> tuple[Detections, list[NDArray[np.float32]]]:
        """All detections not yet taken, and each model's features (n, d) of the usable ones."""
        for queue in self._queues:
            queue.flush()
        while any(queue.waiting for queue in self._queues) or self._scored is not None:
            self._score()
        count, self._usable = self._usable, 0
        return self._gathered.take(), [queue.take(count) for queue in self._queues]

    def _score(self) -> None:
        """Begin to score what waits, once the batch before has its features."""
        if self._scored is not None:
            for queue, batch, features in zip(
                self._queues, self._batches, self._scored.result(), strict=True
            ):
                queue.scored(batch, features)
            self._scored = None
        if any(queue.waiting for queue in self._queues):
            self._batches = [queue.waiting for queue in self._queues]
            crops = [(queue.scorer, [face.crop for face in queue.waiting]) for queue in self._queues]
            self._scored = self._beside.submit(_features, crops)
            for queue in self._queues:
                queue.waiting = []


def _features(batches: Sequence[tuple[Scorer, list[Image]]]) -> list[list[NDArray[np.float32]]]:
    return [scorer.features(crops) for scorer, crops in batches]
