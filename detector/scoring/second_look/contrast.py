"""What stands out from the rest of its own track: intervals whose logits lie above those around them.

People differ in their calm level, so a short manipulated stretch may stay below a threshold for all clips and
still stand out from the rest of its track. Where it begins and ends is found by circular binary segmentation
(Olshen et al., *Biostatistics* 2004): of all intervals, the one whose mean exceeds that of the rest of the
track most, in standard errors. By how much it is raised is on the card
(:class:`detector.models.card.Contrast`).

Times are seconds; logits are of the fusion's altered half, one a sample. In a track of over :data:`WINDOW`
seconds an interval is compared with the window around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.models.card import Contrast
from detector.scoring.fusion import Floats

LEAST = 0.7  # seconds, of the interval and of what it is compared with
WINDOW = 60.0  # seconds
_MOST = 8  # intervals in one window
_PAIRS = 1 << 18  # intervals weighed at once: sampled 60 times a second, a window has six million


@dataclass(frozen=True)
class Outlier:
    """Samples ``first`` to ``last``, both inside; ``contrast`` is mean inside less mean of the rest."""

    first: int
    last: int
    contrast: float


@dataclass(frozen=True)
class RaisedInterval:
    """The altered half's logit of ``track`` is raised by ``amount`` from ``start`` to ``end``, in seconds."""

    track: int
    start: float
    end: float
    contrast: float
    amount: float

    def moved(self, by: float, constants: Contrast) -> RaisedInterval:
        """The same where the contrast is another."""
        contrast = self.contrast + by
        return replace(self, contrast=contrast, amount=constants.amount(contrast))


def raised_intervals(
    track: int, times: Floats, logits: Floats, constants: Contrast | None
) -> list[RaisedInterval]:
    """Where ``track`` is raised, with samples (n,) at ``times`` (n,)."""
    if constants is None:
        return []
    # An end lies halfway between the last sample inside and the first outside.
    sides = np.concatenate([times[:1], (times[1:] + times[:-1]) / 2, times[-1:]])
    return [
        RaisedInterval(
            track,
            float(sides[one.first]),
            float(sides[one.last + 1]),
            one.contrast,
            constants.amount(one.contrast),
        )
        for one in outliers(times, logits, constants.least)
    ]


def raised_by(intervals: Sequence[RaisedInterval], track: NDArray[np.int32], time: Floats) -> Floats:
    """By how much ``intervals`` raise each of the altered half's logits (n,), at ``time`` of ``track``."""
    out = np.zeros(len(time))
    for one in intervals:
        out[(track == one.track) & (time >= one.start) & (time <= one.end)] += one.amount
    return out


def outliers(times: Floats, logits: Floats, least: float) -> list[Outlier]:
    """Intervals whose contrast is at least ``least``, in order; none overlap.

    The clearest is found first; the next is compared with what is left without it.
    """
    found: list[Outlier] = []
    for start, end in _windows(times):
        free = np.ones(end - start, np.bool_)
        for _ in range(_MOST):
            clearest = _clearest(times[start:end], logits[start:end], free)
            if clearest is None or clearest.contrast < least:
                break
            free[clearest.first : clearest.last + 1] = False
            found.append(Outlier(start + clearest.first, start + clearest.last, clearest.contrast))
    return _apart(found)


def _windows(times: Floats) -> Iterator[tuple[int, int]]:
    """First sample and end of windows of :data:`WINDOW` seconds that overlap by half."""
    start = float(times[0]) if len(times) else 0.0
    while len(times):
        first, end = np.searchsorted(times, [start, start + WINDOW]).tolist()
        yield first, end
        if end == len(times):
            return
        start += WINDOW / 2


def _clearest(times: Floats, logits: Floats, free: NDArray[np.bool_]) -> Outlier | None:
    """The interval of ``free`` samples that stands out most from the other free ones."""
    count = len(times)
    if count < 2:
        return None
    step = float(np.median(np.diff(times)))
    sums = np.concatenate([[0.0], np.cumsum(np.where(free, logits, 0.0))])
    counts = np.concatenate([[0], np.cumsum(free)])
    clearest, most = None, -np.inf
    rows = max(1, _PAIRS // count)
    for begin in range(0, count, rows):
        first, last = np.triu_indices(min(rows, count - begin), 0, count - begin)
        first, last = first + begin, last + begin
        inside = last - first + 1
        rest = counts[-1] - inside
        allowed = (times[last] - times[first] + step >= LEAST) & (rest * step >= LEAST)
        allowed &= counts[last + 1] - counts[first] == inside
        if not allowed.any():
            continue
        first, last, inside, rest = first[allowed], last[allowed], inside[allowed], rest[allowed]
        total = sums[last + 1] - sums[first]
        contrast = total / inside - (sums[-1] - total) / rest
        clear = contrast * np.sqrt(inside * rest / (inside + rest))
        best = int(np.argmax(clear))
        if clear[best] > most:
            most = float(clear[best])
            clearest = Outlier(int(first[best]), int(last[best]), float(contrast[best]))
    return clearest


def _apart(found: Sequence[Outlier]) -> list[Outlier]:
    """Of those that overlap, from two windows, the one of higher contrast."""
    kept: list[Outlier] = []
    for one in sorted(found, key=lambda each: -each.contrast):
        if all(one.last < other.first or one.first > other.last for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda each: each.first)
