"""The first pass over an exhibit: every face of every sampled frame, followed and scored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector import tracks
from detector.analysis import MediaKind, Parameters
from detector.faces import Face, Image, Square, cut, framing
from detector.media import Frame, MediaReader
from detector.quality import NEVER_SURE, Quality, flaw_of, flaw_of_face, is_grey, quality
from detector.scoring import Scorer
from detector.search import FaceSearch, Found

BATCH = 32  # crops scored at once


@dataclass(slots=True)
class Seen:
    """One face in one sampled frame, on its way to a :class:`Score`.

    Hours of video have a hundred thousand of them: what can be had again is not kept.
    """

    pts: int
    time: Fraction
    track: int
    face: Face
    flaw: str | None  # why it is not judged
    index: int | None = None  # of the frame, from 0
    quality: Quality | None = None  # of the crop
    grey: bool = False
    features: NDArray[np.float32] | None = None  # of the crop, until its track is judged
    logit: float | None = None
    smoothed: float | None = None  # probability, after the median along the track

    @property
    def usable(self) -> bool:
        return self.flaw is None

    @property
    def square(self) -> Square:
        return framing(self.face)


class Surveyed(Protocol):
    """What a first pass leaves: sightings in order of time, and what it saw on the way."""

    seen: list[Seen]
    times: list[Fraction]
    cuts: list[float]
    discarded: int

    @property
    def tracks(self) -> list[tracks.Track]:
        """The tracks that have a sighting left."""


class Survey:
    """Give it the sampled frames in order, then :meth:`post_process`; ``seen`` holds the result.

    Without a ``reader``, frames are those of a live video, and none is held back. ``settled``
    is called with each frame and its sightings, in order.
    """

    def __init__(
        self,
        reader: MediaReader | None,
        parameters: Parameters,
        scorer: Scorer,
        settled: Callable[[Frame, list[Seen]], None] | None = None,
    ) -> None:
        self._search = FaceSearch(parameters, hold=reader is not None)
        self._tracker = tracks.Tracker(parameters.bridge_gap)
        self._cuts = tracks.CutDetector(parameters.sample_rate)
        self._scorer = scorer
        self._parameters = parameters
        self._settled = settled
        self._waiting: list[tuple[Seen, Image]] = []
        # A batch is scored while faces of later frames are looked for.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._scored: tuple[list[Seen], Future[list[NDArray[np.float32]]]] | None = None
        self._video = reader is None or reader.kind is MediaKind.VIDEO
        self.seen: list[Seen] = []
        self.times: list[Fraction] = []
        self.cuts: list[float] = []
        self.discarded = 0

    @property
    def tracks(self) -> list[tracks.Track]:
        """The tracks that have a sighting left."""
        numbers = {s.track for s in self.seen}
        return [track for track in self._tracker.tracks if track.number in numbers]

    def process_frame(self, frame: Frame) -> None:
        """Find, follow and queue the faces of one sampled frame; they may be settled with a later one."""
        is_cut = self._cuts.process_frame(frame.image) if self._video else False
        if is_cut:
            self.cuts.append(float(frame.time))
        self.times.append(frame.time)
        self._follow(self._search.process_frame(frame, is_cut))

    def _follow(self, settled: Iterable[Found]) -> None:
        for frame, is_cut, faces in settled:
            numbers = self._tracker.process_frame(float(frame.time), frame.image, faces, is_cut)
            seen = [self._sighting(frame, face, number) for number, face in zip(numbers, faces, strict=True)]
            self.seen += seen
            if self._settled is not None:
                self._settled(frame, seen)
            if len(self._waiting) >= BATCH:
                self._score()

    def _sighting(self, frame: Frame, face: Face, track: int) -> Seen:
        flaw = flaw_of_face(face, self._parameters)
        seen = Seen(frame.pts, frame.time, track, face, flaw, frame.index)
        if seen.usable:
            crop = cut(frame.image, seen.square, self._scorer.card.input.size)
            seen.quality, seen.grey = quality(crop), is_grey(crop)
            seen.flaw = flaw_of(seen.quality, self._parameters)
            if seen.usable:
                self._waiting.append((seen, crop))
        return seen

    def post_process(self) -> None:
        """Score what still waits, forget what turned out to be no face, and judge the tracks.

        A toy or a pattern can pass for a face, but never surely. A track wide enough to
        judge in which the detector was never sure is dropped; small ones are kept,
        because of a small face it seldom is.
        """
        self._follow(self._search.flush())
        self._score()
        self._finish_scoring()
        kept = {s.track for s in self.seen if s.flaw != NEVER_SURE}
        found = len(self.seen)
        self.seen = [s for s in self.seen if s.track in kept]
        self.discarded = found - len(self.seen)
        self._judge()

    def take(self) -> tuple[list[Seen], set[int]]:
        """The sightings since the last call, each judged by itself, and the tracks that may go on.

        Nothing else is kept: for sources without an end, where :meth:`post_process` is never called.
        """
        self._score()
        self._finish_scoring()
        for seen in self.seen:
            if seen.features is not None:
                seen.logit, seen.features = float(self._scorer.track_logits([seen.features])[0]), None
        taken = self.seen
        self.seen, self.times = [], []
        return taken, self._tracker.forget_ended()

    def _score(self) -> None:
        """Begin to score what waits, once the batch before has its features."""
        self._finish_scoring()
        if self._waiting:
            seen = [one for one, _ in self._waiting]
            crops = [crop for _, crop in self._waiting]
            self._scored = seen, self._beside.submit(self._scorer.features, crops)
            self._waiting = []

    def _finish_scoring(self) -> None:
        if self._scored is not None:
            seen, features = self._scored
            self._scored = None
            for one, values in zip(seen, features.result(), strict=True):
                one.features = values

    def _judge(self) -> None:
        by_track: dict[int, list[Seen]] = defaultdict(list)
        for seen in self.seen:
            if seen.features is not None:
                by_track[seen.track].append(seen)
        for track in by_track.values():
            logits = self._scorer.track_logits([s.features for s in track if s.features is not None])
            for seen, logit in zip(track, logits, strict=True):
                seen.logit, seen.features = float(logit), None
