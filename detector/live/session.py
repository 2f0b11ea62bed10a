"""Frames in, closed segments out, and at any time what is seen at the moment."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from detector.errors import ParameterError
from detector.faces.detections import Detections
from detector.live.online_segments import ClosedInterval, OnlineSegments
from detector.live.state import MOST_SEGMENTS, SECONDS_SHOWN
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box, Parameters
from detector.schema.boxes import rounded
from detector.scoring.first_pass.first_pass import FirstPass
from detector.scoring.scorer import Scorer

_SPACINGS = 15
"""Of so many frames the median distance tells how far apart they come: a short jam alone does not."""


@dataclass(frozen=True)
class LiveSegment:
    """A stretch of one track that was flagged, and that has closed. Times in seconds from the first frame."""

    track: int
    start: float
    end: float
    confidence: float  # calibrated for segments, as an analysis has it
    frames: int
    peak: float
    peak_probability: float


@dataclass(frozen=True)
class LiveFace:
    """One face of the latest frame; ``probability`` is that frame's alone, None where it was not judged."""

    track: int
    box: Box
    probability: float | None


class LiveSession:
    """Scores frames as they come. One thread gives it frames; any may ask for a :meth:`snapshot`.

    Tracks are not joined to persons: that takes all of a recording. Memory depends on how many
    faces are there at a time, not on how long it goes on.

    Raises :class:`ParameterError` for a model that judges a face by the frames around it.
    """

    def __init__(self, scorer: Scorer, parameters: Parameters) -> None:
        if scorer.is_sequence:
            raise ParameterError(
                f"The model {scorer.card.name} judges a face by the frames after it too, which are not "
                "there yet. Choose another with --model."
            )
        self._scorer, self._parameters = scorer, parameters
        self._first_pass = FirstPass(None, parameters, scorer)
        self._tracks: dict[int, OnlineSegments] = {}
        self._lock = threading.Lock()
        self._time = 0.0
        self._times: deque[float] = deque(maxlen=_SPACINGS + 1)
        self._faces: list[LiveFace] = []
        self._picture: Image | None = None
        self._recent: deque[tuple[int, float, float]] = deque()
        self._segments: deque[LiveSegment] = deque(maxlen=MOST_SEGMENTS)
        self.frames_scored = self.segments_closed = 0

    def process_frame(self, frame: Frame) -> list[LiveSegment]:
        """Score one frame; returns the segments that closed with it."""
        self._first_pass.process_frame(frame, self._first_pass.is_cut(frame))
        detections, going_on = self._first_pass.take()
        spacing = self._spacing(float(frame.time))
        closed = []
        for one in detections:
            if one.logit is not None:
                online = self._tracks.setdefault(one.track, self._online())
                closed += self._noted(one.track, online.add(one.time, one.logit, spacing))
        for track in [track for track in self._tracks if track not in going_on]:
            closed += self._noted(track, self._tracks.pop(track).end())
        self._show(frame, detections)
        return closed

    def finish(self) -> list[LiveSegment]:
        """The source has ended: the segments that were still open."""
        closed = []
        for track in list(self._tracks):
            closed += self._noted(track, self._tracks.pop(track).end())
        return closed

    def snapshot(self) -> tuple[dict[str, Any], Image | None]:
        """What is seen at the moment, as JSON can hold it, and the latest frame, RGB, which it is about."""
        with self._lock:
            lanes: dict[int, list[tuple[float, float]]] = {}
            for track, time, probability in self._recent:
                lanes.setdefault(track, []).append((time, probability))
            opened = [(track, online.open) for track, online in list(self._tracks.items())]
            state = {
                "time": self._time,
                "frames": self.frames_scored,
                "faces": [asdict(face) for face in self._faces],
                "lanes": [{"track": track, "scores": scores} for track, scores in lanes.items()],
                "open": [{"track": t, "start": s[0], "end": s[1]} for t, s in opened if s],
                "segments": [asdict(segment) for segment in self._segments],
                "segments_in_all": self.segments_closed,
            }
            return state, self._picture

    def _spacing(self, time: float) -> float:
        """How many seconds apart frames come at the moment; 0 for the first."""
        self._times.append(time)
        times = list(self._times)
        return statistics.median(b - a for a, b in pairwise(times)) if len(times) > 1 else 0.0

    def _online(self) -> OnlineSegments:
        return OnlineSegments(self._parameters, self._scorer.probability)

    def _noted(self, track: int, found: list[tuple[float, float] | ClosedInterval]) -> list[LiveSegment]:
        closed = []
        with self._lock:
            for one in found:
                if isinstance(one, ClosedInterval):
                    confidence = self._scorer.segment_probability(one.level)
                    closed.append(
                        LiveSegment(track, one.start, one.end, confidence, one.frames, one.peak, one.height)
                    )
                else:
                    self._recent.append((track, *one))
            self._segments.extend(closed)
            self.segments_closed += len(closed)
        return closed

    def _show(self, frame: Frame, detections: Detections) -> None:
        with self._lock:
            self._time = float(frame.time)
            self._picture = frame.image
            self.frames_scored += 1
            self._faces = [
                LiveFace(
                    one.track,
                    rounded(one.box),
                    None if one.logit is None else self._scorer.probability(one.logit),
                )
                for one in detections
            ]
            while self._recent and self._recent[0][1] < self._time - SECONDS_SHOWN:
                self._recent.popleft()
