"""Scales, ticks and score curves of the timeline, as SVG path data of bounded length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Scores
from language.formatting import clock, shown, timecode

LEFT, RIGHT = 96.0, 726.0
LETTER = 8.0  # width of one character of a band's label


@dataclass(frozen=True)
class LanePlot:
    """The rectangle in which one lane shows ``span`` seconds, from score 1 at ``top`` to 0 at ``bottom``."""

    span: float
    top: float
    bottom: float

    @property
    def height(self) -> float:
        """Distance from score 0 to score 1."""
        return self.bottom - self.top

    def x(self, time: float) -> float:
        """Return the position of a time."""
        return time_x(time, self.span)

    def y(self, score: float) -> float:
        """Return the position of a score."""
        return self.bottom - self.height * score


def time_x(time: float, span: float) -> float:
    """Return the position of ``time`` on a timeline of ``span`` seconds."""
    return LEFT + min(time, span) * ((RIGHT - LEFT) / span)


def score_x(value: float) -> float:
    """Return the position of a score on the bars of a photo."""
    return LEFT + (RIGHT - LEFT) * value


MOST_TICKS = 8
SMALL_LETTER = 6.1  # width of one digit of a time below the axis
# Seconds between two ticks.
STEPS = (
    0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400,
)  # fmt: skip


@dataclass(frozen=True)
class Tick:
    """One tick; ``anchor`` is the SVG text anchor of its label."""

    x: float
    label: str
    anchor: str


def time_ticks(span: float) -> tuple[Tick, ...]:
    """Return at most :data:`MOST_TICKS` ticks at round times, all or every second or third with a label."""
    step = next((step for step in STEPS if span / step <= MOST_TICKS), STEPS[-1] * (span // STEPS[-1] + 1))
    ticks = []
    for index in range(int(span / step + 1e-9) + 1):
        time = index * step
        x = round(time_x(time, span), 1)
        label = clock(round(time)) if step >= 1 else timecode(time)
        ticks.append(Tick(x, label, "start" if index == 0 else "end" if x > RIGHT - 24 else "middle"))
    for every in range(1, len(ticks)):
        labelled = ticks[::every]
        if all(_apart_enough(*pair) for pair in pairwise(labelled)):
            break
    else:
        labelled = ticks[:1]
    return tuple(tick if tick in labelled else replace(tick, label="") for tick in ticks)


def _apart_enough(tick: Tick, following: Tick) -> bool:
    return _extent(tick)[1] + LETTER <= _extent(following)[0]


def _extent(tick: Tick) -> tuple[float, float]:
    """Return where the label of a tick starts and ends."""
    wide = len(tick.label) * SMALL_LETTER
    left = tick.x - {"start": 0.0, "middle": wide / 2, "end": wide}[tick.anchor]
    return left, left + wide


def score_ticks() -> tuple[Tick, ...]:
    """Return a tick at every fifth of the score, for the bars of a photo."""
    return tuple(
        Tick(round(score_x(tenth / 10), 1), shown(tenth / 10, ".1f"), "middle") for tenth in range(0, 11, 2)
    )


GAP_STEPS = 2.5  # samples further apart than this are not joined by a line
CELLS = 630  # finest cells of the strips: one unit of the view box each


def curve(scores: Scores, step: float, plot: LanePlot, buckets: int) -> str:
    """Return the smoothed scores as one path, broken where the track changes or the face is lost.

    ``step`` is the sampling interval in seconds. With more than two scores per bucket, the path runs through
    the minimum and maximum of each bucket: spikes stay visible and ``buckets`` bounds the length.
    """
    points = _points(scores, scores.smoothed)
    bucketed = len(points) > 2 * buckets
    parts: list[str] = []
    previous: tuple[float, int] | None = None
    for group in _grouped(points, plot.span, buckets) if bucketed else ([point] for point in points):
        (time, value, track), last = group[0], group[-1]
        low = min(group, key=lambda point: point[1])
        high = max(group, key=lambda point: point[1])
        joined = previous is not None and track == previous[1] and time - previous[0] <= GAP_STEPS * step
        ends = sorted({low, high}) if bucketed else [(time, value, track)]
        if bucketed and len(ends) == 1:
            ends *= 2  # a lone level bucket still needs a visible dash
        for index, (at, height, _) in enumerate(ends):
            command = "L" if joined or index else "M"
            parts.append(f"{command}{plot.x(at):.1f} {plot.y(height):.1f}")
        if not joined and len(ends) == 1:
            parts.append("h.6")  # a single frame shows as a dot rather than as nothing
        previous = (last[0], last[2])
    return "".join(parts)


def dots(scores: Scores, plot: LanePlot, buckets: int) -> str:
    """Return the frame scores as one path of dots; minimum and maximum of each bucket if crowded."""
    points = _points(scores, scores.probability)
    if len(points) > 2 * buckets:
        points = [
            point
            for group in _grouped(points, plot.span, buckets)
            for point in (min(group, key=lambda score: score[1]), max(group, key=lambda score: score[1]))
        ]
    return "".join(f"M{plot.x(time):.1f} {plot.y(value):.1f}h.1" for time, value, _ in points)


def _points(scores: Scores, values: NDArray[np.float64]) -> list[tuple[float, float, int]]:
    """Return time, value and track of each score that has a value."""
    scored = ~np.isnan(values)
    columns = (scores.time[scored], values[scored], scores.track[scored])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _grouped(
    points: Sequence[tuple[float, float, int]], span: float, buckets: int
) -> list[list[tuple[float, float, int]]]:
    """Return the points of each non-empty bucket of ``buckets`` equal parts of the span."""
    groups: dict[int, list[tuple[float, float, int]]] = {}
    for point in points:
        groups.setdefault(min(int(point[0] / span * buckets), buckets - 1), []).append(point)
    return [groups[index] for index in sorted(groups)]


def strips(scores: Scores, step: float, span: float) -> tuple[str, str]:
    """Return paths of the times with usable and with unusable faces, to be moved to the strip's height.

    ``step`` is the sampling interval and ``span`` the length of the timeline, in seconds. The face was not
    seen where neither path runs.
    """
    state = np.zeros(CELLS, np.uint8)
    previous = -np.inf
    for time, usable in zip(scores.time.tolist(), scores.usable.tolist(), strict=True):
        start = time - step / 2
        if 0 < time - previous <= GAP_STEPS * step:
            start = previous
        first, last = (min(max(int(edge / span * CELLS), 0), CELLS - 1) for edge in (start, time + step / 2))
        part = state[first : last + 1]
        np.maximum(part, 2 if usable else 1, out=part)
        previous = time
    return _runs(state == 2), _runs(state == 1)


def _runs(mask: NDArray[np.bool_]) -> str:
    """Return each run of true cells, (:data:`CELLS`,), as a level line."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    cell = (RIGHT - LEFT) / CELLS
    return "".join(
        f"M{LEFT + start * cell:.1f} 0h{(stop - start) * cell:.1f}" for start, stop in edges.reshape(-1, 2)
    )
