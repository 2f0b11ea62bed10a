"""Score frames of a live source and close segments, one frame at a time."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from detector.errors import ParameterError
from detector.live.state import MOST_SEGMENTS, SECONDS_SHOWN
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box, Parameters
from detector.schema.scores import round_box
from detector.scoring.first_pass import FirstPass
from detector.scoring.scorer import Scorer
from detector.segments.rules import Hysteresis, is_long_enough


@dataclass(frozen=True)
class ClosedInterval:
    """A flagged interval to which nothing can be added; times in seconds."""

    start: float
    end: float
    frames: int
    level: float  # mean logit of its frames
    peak: float  # time of the highest smoothed probability
    height: float


@dataclass
class _Interval:
    """A run of :class:`~detector.segments.rules.Hysteresis` with its times and sums."""

    start: float
    end: float
    before: tuple[float, int]  # sum and number of all logits of the track before the run
    after: tuple[float, int]  # sum and number up to its end
    peak: float
    height: float


class OnlineSegments:
    """Applies the rules of segments to one track, score by score; ``probability`` converts a logit."""

    def __init__(self, parameters: Parameters, probability: Callable[[float], float]) -> None:
        self._parameters = parameters
        self._probability = probability
        self._half = parameters.median_window / 2 + 1e-9
        self._least_gap = max(parameters.bridge_gap, 1.5 / parameters.sample_rate)
        self._most_gap = self._least_gap
        # Scores not yet smoothed, and earlier ones that smoothing needs.
        self._kept: deque[tuple[float, float]] = deque()
        self._next = 0  # index of the first score not yet smoothed
        self._total = (0.0, 0)
        self._runs = Hysteresis(parameters.enter_threshold, parameters.exit_threshold)
        self._present: _Interval | None = None
        self._waiting: _Interval | None = None

    @property
    def open(self) -> tuple[float, float] | None:
        """Start and end of the interval flagged at present; None without one."""
        reached = self._runs.run is not None and self._runs.run.reached
        interval = self._present if reached else self._waiting
        return None if interval is None else (interval.start, interval.end)

    def add(
        self, time: float, logit: float, spacing: float = 0.0
    ) -> list[tuple[float, float] | ClosedInterval]:
        """Add one score; return smoothed scores (time, probability) and closed segments, in order.

        ``spacing`` is the present distance of frames in seconds; scores that far apart are neighbours.
        """
        self._most_gap = max(self._least_gap, 1.5 * spacing)
        self._kept.append((time, logit))
        out: list[tuple[float, float] | ClosedInterval] = []
        while self._next < len(self._kept) - 1 and time >= self._kept[self._next][0] + self._half:
            out += self._smooth()
        return out

    def end(self) -> list[tuple[float, float] | ClosedInterval]:
        """Finish the track."""
        out: list[tuple[float, float] | ClosedInterval] = []
        while self._next < len(self._kept):
            out += self._smooth()
        if self._runs.end() is not None:
            self._end_interval()
        self._present = None
        return out + self._closed(None)

    def _smooth(self) -> list[tuple[float, float] | ClosedInterval]:
        time, logit = self._kept[self._next]
        # At least one neighbour on either side and all within the window, as in segments.rules.
        near = [
            value
            for index, (at, value) in enumerate(self._kept)
            if abs(index - self._next) <= 1 or time - self._half <= at < time + self._half
        ]
        height = self._probability(sorted(near)[(len(near) - 1) // 2])
        self._next += 1
        while self._next > 1 and self._kept[0][0] < self._kept[self._next - 1][0] - 2 * self._half:
            self._kept.popleft()
            self._next -= 1
        before, (total, number) = self._total, self._total
        self._total = (total + logit, number + 1)
        if self._runs.add(time, height, self._most_gap) is not None:
            self._end_interval()
        run = self._runs.run
        if run is None:
            self._present = None
        elif self._present is None or run.first == run.last:
            self._present = _Interval(time, time, before, self._total, time, height)
        else:
            self._present.end, self._present.after = time, self._total
            if height > self._present.height:
                self._present.peak, self._present.height = time, height
        return [(time, height), *self._closed(time)]

    def _end_interval(self) -> None:
        """Join the interval of the run that ended to the waiting one, or let it wait."""
        interval, waiting = self._present, self._waiting
        assert interval is not None
        if waiting is None:
            self._waiting = interval
            return
        # The waiting interval is close enough, or it would have been closed.
        waiting.end, waiting.after = interval.end, interval.after
        if interval.height > waiting.height:
            waiting.peak, waiting.height = interval.peak, interval.height

    def _closed(self, time: float | None) -> list[ClosedInterval]:
        """Return the waiting run if nothing can join it after ``time``, or at the end of the track."""
        waiting = self._waiting
        if waiting is None:
            return []
        following = self._present.start if self._present else time
        if following is not None and following - waiting.end < self._parameters.merge_gap:
            return []
        self._waiting = None
        if not is_long_enough(waiting.start, waiting.end, self._parameters):
            return []
        frames = waiting.after[1] - waiting.before[1]
        level = (waiting.after[0] - waiting.before[0]) / frames
        return [ClosedInterval(waiting.start, waiting.end, frames, level, waiting.peak, waiting.height)]


_SPACINGS = 15
"""Of so many frames the median distance tells how far apart they come: a short jam alone does not."""


@dataclass(frozen=True)
class LiveSegment:
    """A closed flagged stretch of one track; times in seconds from the first frame."""

    track: int
    start: float
    end: float
    confidence: float  # calibrated for segments, as in an analysis
    frames: int
    peak: float
    peak_probability: float


@dataclass(frozen=True)
class LiveFace:
    """One face of the latest frame; ``probability`` is of that frame alone, None if it was not judged."""

    track: int
    box: Box
    probability: float | None


class LiveSession:
    """Scores frames as they arrive, in one thread; any thread may call :meth:`snapshot`.

    Tracks are not joined to persons, which needs the complete recording. Memory depends on the number of
    faces at a time, not on the duration. Raises :class:`ParameterError` for a model that judges a face by
    neighbouring frames.
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
        """Score one frame; return the segments that closed with it."""
        self._first_pass.process_frame(frame, self._first_pass.is_cut(frame))
        detections, going_on = self._first_pass.take()
        self._times.append(float(frame.time))
        times = list(self._times)
        spacing = statistics.median(b - a for a, b in pairwise(times)) if len(times) > 1 else 0.0
        closed = []
        for detection in detections:
            if detection.logit is not None:
                online = self._tracks.setdefault(detection.track, self._online())
                closed += self._noted(detection.track, online.add(detection.time, detection.logit, spacing))
        for track in [track for track in self._tracks if track not in going_on]:
            closed += self._noted(track, self._tracks.pop(track).end())
        with self._lock:
            self._time = float(frame.time)
            self._picture = frame.image
            self.frames_scored += 1
            self._faces = [
                LiveFace(
                    detection.track,
                    round_box(detection.box),
                    None if detection.logit is None else self._scorer.probability(detection.logit),
                )
                for detection in detections
            ]
            while self._recent and self._recent[0][1] < self._time - SECONDS_SHOWN:
                self._recent.popleft()
        return closed

    def finish(self) -> list[LiveSegment]:
        """Return the segments still open at the end of the source."""
        closed = []
        for track in list(self._tracks):
            closed += self._noted(track, self._tracks.pop(track).end())
        return closed

    def snapshot(self) -> tuple[dict[str, Any], Image | None]:
        """Return the present state as JSON values, and its frame in RGB."""
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

    def _online(self) -> OnlineSegments:
        return OnlineSegments(self._parameters, self._scorer.probability)

    def _noted(self, track: int, results: list[tuple[float, float] | ClosedInterval]) -> list[LiveSegment]:
        closed = []
        with self._lock:
            for result in results:
                if isinstance(result, ClosedInterval):
                    confidence = self._scorer.segment_probability(result.level)
                    closed.append(
                        LiveSegment(
                            track,
                            result.start,
                            result.end,
                            confidence,
                            result.frames,
                            result.peak,
                            result.height,
                        )
                    )
                else:
                    self._recent.append((track, *result))
            self._segments.extend(closed)
            self.segments_closed += len(closed)
        return closed
