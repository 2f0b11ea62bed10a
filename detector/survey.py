"""The first pass over an exhibit: every face of every sampled frame, followed and scored."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from detector import tracks
from detector.analysis import MediaKind, Parameters
from detector.faces import Face, FaceDetector, Image, Square, cut, framing
from detector.media import Frame, MediaReader
from detector.scoring import Scorer

_BATCH = 32


@dataclass
class Seen:
    """One face in one sampled frame, on its way to a :class:`Score`."""

    pts: int
    time: Fraction
    track: int
    face: Face
    square: Square
    usable: bool
    logit: float | None = None
    smoothed: float | None = None  # probability, after the median along the track


class Survey:
    """Give it the sampled frames in order, then :meth:`post_process`; ``seen`` holds the result."""

    def __init__(self, reader: MediaReader, parameters: Parameters, scorer: Scorer) -> None:
        self._detect = FaceDetector(parameters.detection_threshold, parameters.detection_width)
        self._tracker = tracks.Tracker(parameters.bridge_gap)
        self._cuts = tracks.CutDetector(parameters.sample_rate)
        self._scorer = scorer
        self._least_width = parameters.minimum_face
        self._least_confidence = parameters.minimum_confidence
        self._waiting: list[tuple[Seen, Image]] = []
        self._video = reader.kind is MediaKind.VIDEO
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
        """Find, follow and queue the faces of one sampled frame."""
        is_cut = self._cuts.process_frame(frame.image) if self._video else False
        if is_cut:
            self.cuts.append(float(frame.time))
        self.times.append(frame.time)
        faces = self._detect(frame.image)
        numbers = self._tracker.process_frame(float(frame.time), frame.image, faces, is_cut)
        for number, face in zip(numbers, faces, strict=True):
            square = framing(face)
            usable = face.width >= self._least_width and face.confidence >= self._least_confidence
            seen = Seen(frame.pts, frame.time, number, face, square, usable)
            self.seen.append(seen)
            if seen.usable:
                self._waiting.append((seen, cut(frame.image, square, self._scorer.card.input.size)))
        if len(self._waiting) >= _BATCH:
            self._score()

    def post_process(self) -> None:
        """Score what still waits, and forget what turned out to be no face.

        A toy or a pattern can pass for a face, but never surely. A track wide enough to
        judge in which the detector was never sure is dropped; small ones are kept,
        because of a small face it seldom is.
        """
        self._score()
        kept = {s.track for s in self.seen if s.usable or s.face.width < self._least_width}
        found = len(self.seen)
        self.seen = [s for s in self.seen if s.track in kept]
        self.discarded = found - len(self.seen)

    def _score(self) -> None:
        logits = self._scorer.logits([crop for _, crop in self._waiting])
        for (seen, _), logit in zip(self._waiting, logits, strict=True):
            seen.logit = float(logit)
        self._waiting.clear()
