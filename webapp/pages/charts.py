"""Geometry of the statistics page's figures: stacked bars and a scatter plot, in units of their SVG.

Drawn by us rather than by a library: the pages' CSP allows neither style attributes nor scripts of
others, the figures must work without scripts, follow the light and dark theme by CSS classes, and be
distinguishable by pattern; Matplotlib's SVG has inline styles and fixed colours, and JavaScript
charts draw nothing without a script. Matplotlib does draw the learning curves of training.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reports.text.numbers import localized, shown
from webapp.queries.statistics import Count

# Marks of an axis of seconds, in units people read.
_MARKS = (
    (0.01, "0.01 s"),
    (0.1, "0.1 s"),
    (1.0, "1 s"),
    (10.0, "10 s"),
    (60.0, "1 min"),
    (600.0, "10 min"),
    (3600.0, "1 h"),
    (36_000.0, "10 h"),
    (360_000.0, "100 h"),
)


@dataclass(frozen=True)
class BarPiece:
    """One kind's part of a bar; ``start`` and ``length`` along it."""

    kind: str
    count: int
    start: float
    length: float


@dataclass(frozen=True)
class Bar:
    """One bar with what it stands for."""

    label: str
    note: str
    total: int
    pieces: tuple[BarPiece, ...]


@dataclass(frozen=True)
class ChartTick:
    """A mark on an axis: its place and what stands there."""

    at: float
    label: str


@dataclass(frozen=True)
class Stack:
    """Bars on one scale; ``length`` is that of the axis, which ends at a round number."""

    bars: tuple[Bar, ...]
    kinds: tuple[str, ...]
    length: float
    ticks: tuple[ChartTick, ...]


@dataclass(frozen=True)
class Cloud:
    """Points on two logarithmic axes of the same scale, ``size`` long each; ``y`` grows downwards."""

    points: tuple[tuple[float, float], ...]
    size: float
    ticks: tuple[ChartTick, ...]


def stack(counts: Sequence[Count], kinds: Sequence[str], length: float) -> Stack:
    """Bars of what each count holds of ``kinds``, in that order."""
    end, step = _round_axis(max((count.total for count in counts), default=0))
    scale = length / end
    bars = []
    for count in counts:
        start, pieces = 0.0, []
        for kind in kinds:
            if part := count.parts[kind]:
                pieces.append(BarPiece(kind, part, round(start, 2), round(part * scale, 2)))
                start += part * scale
        bars.append(Bar(count.label, count.note, count.total, tuple(pieces)))
    ticks = tuple(ChartTick(round(value * scale, 2), shown(value, ",")) for value in range(0, end + 1, step))
    return Stack(tuple(bars), tuple(kinds), length, ticks)


def split(count: Count, kinds: Sequence[str], length: float) -> Stack:
    """One bar for each kind, so that kinds can be compared."""
    apart = [Count(kind, Counter({kind: count.parts[kind]})) for kind in kinds]
    return stack(apart, kinds, length)


def cloud(points: Sequence[tuple[float, float]], size: float) -> Cloud:
    """Seconds against seconds, on axes that hold them all."""
    values = [value for point in points for value in point] or [1.0, 60.0]
    low = max((mark for mark, _ in _MARKS if mark <= min(values)), default=_MARKS[0][0])
    high = min((mark for mark, _ in _MARKS if mark > max(low, *values)), default=_MARKS[-1][0])
    scale = size / math.log10(high / low)

    def along(value: float) -> float:
        return math.log10(min(max(value, low), high) / low) * scale

    ticks = tuple(
        ChartTick(round(along(mark), 2), localized(label)) for mark, label in _MARKS if low <= mark <= high
    )
    marks = tuple((round(along(x), 1), round(size - along(y), 1)) for x, y in points)
    return Cloud(marks, size, ticks)


def _round_axis(most: int) -> tuple[int, int]:
    """Where an axis that holds ``most`` ends, and the steps of its marks, at most five of them."""
    step = next(
        digit * 10**power for power in range(20) for digit in (1, 2, 5) if most <= 5 * digit * 10**power
    )
    return max(step * math.ceil(most / step), step), step
