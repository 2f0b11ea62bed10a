"""The rules of :mod:`detector.segments.rules`, one score at a time, for one track.

A score is smoothed as soon as those half a window later are there; a segment closes when none can
be joined to it any more. What comes out is what :func:`detector.segments.rules.find_intervals` finds in
the whole track, as long as half of its scores are no further apart than two thirds of
``bridge_gap`` (by default 0.5 s). Beyond that, as on a machine too slow for the source, what counts as a gap
follows from how far apart frames come at the moment, where the whole track is not there yet to tell. Tracks
too short to hold a segment are not judged together: whose they are is not known yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from detector.schema.analysis import Parameters
from detector.segments.rules import is_long_enough


@dataclass(frozen=True)
class ClosedInterval:
    """A flagged interval that nothing can be added to. Times in seconds."""

    start: float
    end: float
    frames: int
    level: float  # mean logit of its frames
    peak: float  # time of the highest smoothed probability
    height: float


@dataclass
class _Run:
    start: float
    end: float
    before: tuple[float, int]  # sum and number of all logits of the track before it
    after: tuple[float, int]  # and up to its end
    peak: float
    height: float
    reached: bool


class OnlineSegments:
    """Give it the scores of one track in order; ``probability`` turns a logit into one."""

    def __init__(self, parameters: Parameters, probability: Callable[[float], float]) -> None:
        self._parameters = parameters
        self._probability = probability
        self._half = parameters.median_window / 2 + 1e-9
        self._least_gap = max(parameters.bridge_gap, 1.5 / parameters.sample_rate)
        self._most_gap = self._least_gap
        # Scores that are not smoothed yet, and those before them that are needed for it.
        self._kept: deque[tuple[float, float]] = deque()
        self._next = 0  # index in them of the first that is not smoothed
        self._total = (0.0, 0)
        self._last = 0.0
        self._run: _Run | None = None
        self._waiting: _Run | None = None

    @property
    def open(self) -> tuple[float, float] | None:
        """From when to when it is flagged at the moment; None if it is not."""
        for run in (self._run, self._waiting):
            if run is not None and run.reached:
                return run.start, run.end
        return None

    def add(
        self, time: float, logit: float, spacing: float = 0.0
    ) -> list[tuple[float, float] | ClosedInterval]:
        """One more score. Returns, in order, smoothed scores (time, probability) and closed segments.

        ``spacing`` is how many seconds apart frames come at the moment: scores that far apart are neighbours.
        """
        self._most_gap = max(self._least_gap, 1.5 * spacing)
        self._kept.append((time, logit))
        out: list[tuple[float, float] | ClosedInterval] = []
        while self._next < len(self._kept) - 1 and time >= self._kept[self._next][0] + self._half:
            out += self._smooth()
        return out

    def end(self) -> list[tuple[float, float] | ClosedInterval]:
        """There will be no more."""
        out: list[tuple[float, float] | ClosedInterval] = []
        while self._next < len(self._kept):
            out += self._smooth()
        self._end_run()
        return out + self._closed(None)

    def _smooth(self) -> list[tuple[float, float] | ClosedInterval]:
        time, logit = self._kept[self._next]
        # One neighbour on either side at least, and all within the window; see segments.rules.
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
        found = self._follow(time, logit, height)
        return [(time, height), *found]

    def _follow(self, time: float, logit: float, height: float) -> list[ClosedInterval]:
        parameters = self._parameters
        before, (total, number) = self._total, self._total
        self._total = (total + logit, number + 1)
        if self._run and (height < parameters.exit_threshold or time - self._last > self._most_gap):
            self._end_run()
        self._last = time
        if height >= parameters.exit_threshold:
            if self._run is None:
                self._run = _Run(time, time, before, self._total, time, height, reached=False)
            run = self._run
            run.end, run.after = time, self._total
            run.reached = run.reached or height >= parameters.enter_threshold
            if height > run.height:
                run.peak, run.height = time, height
        return self._closed(time)

    def _end_run(self) -> None:
        """The run is over: forgotten, or joined to the one that waits, or waiting itself."""
        run, self._run = self._run, None
        if run is None or not run.reached:
            return
        waiting = self._waiting
        if waiting is not None:  # near enough, or it would have been closed
            waiting.end, waiting.after = run.end, run.after
            if run.height > waiting.height:
                waiting.peak, waiting.height = run.peak, run.height
        else:
            self._waiting = run

    def _closed(self, time: float | None) -> list[ClosedInterval]:
        """What waits, if nothing can be joined to it after ``time``, or at the end of the track."""
        waiting = self._waiting
        if waiting is None:
            return []
        following = self._run.start if self._run else time
        if following is not None and following - waiting.end < self._parameters.merge_gap:
            return []
        self._waiting = None
        if not is_long_enough(waiting.start, waiting.end, self._parameters):
            return []
        frames = waiting.after[1] - waiting.before[1]
        level = (waiting.after[0] - waiting.before[0]) / frames
        return [ClosedInterval(waiting.start, waiting.end, frames, level, waiting.peak, waiting.height)]
