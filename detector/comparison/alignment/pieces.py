"""A straight line through the times of one stretch: its speed, its offset, and how far that may be off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.comparison.alignment.agreements import Matrix
from detector.comparison.alignment.best_way import LEAST_AGREEMENT
from detector.comparison.strips import Floats
from detector.comparison.views import Places

KEPT = 8  # frames before and after the one matched whose agreement is kept
MOST_SPEED = 0.025
"""By which a piece may run faster or slower."""
_SPEED_FROM = 4.0  # seconds: shorter pieces are taken to run at the same speed


@dataclass(frozen=True, eq=False)
class Piece:
    """Frames ``first`` to ``last`` of the exhibit's strip show the reference at ``speed * time + offset``.

    ``uncertainty`` is in seconds of the reference; ``agreement`` is the median of its frames'.
    """

    first: int
    last: int
    speed: float
    offset: float
    uncertainty: float
    agreement: float


def fit_piece(
    seen: Floats, known: Floats, around: Matrix, places: Places, first: int, last: int
) -> Piece | None:
    """The line along one stretch; None for one that is too short or does not agree.

    ``around`` (n, 17) are the agreements of each row with its place and those around it.
    """
    rows = np.arange(first, last + 1)
    own = around[rows, KEPT].astype(np.float64)
    agreement = float(np.median(own))
    single = len(seen) == 1
    if not single and (len(rows) < 3 or agreement < LEAST_AGREEMENT):
        return None
    x, y = seen[rows], known[places[rows]]
    speed = 1.0
    if x[-1] - x[0] >= _SPEED_FROM:
        speed = _slope(x, y)
    offset = float(np.median(y - speed * x))
    frame = float(np.median(np.diff(known))) if len(known) > 1 else 0.0
    offset, uncertainty = _settled(x, places[rows], known, around[rows], speed, offset, frame)
    return Piece(first, last, speed, offset, uncertainty, agreement)


def _slope(x: Floats, y: Floats) -> float:
    """The slope through points of which some are off: medians of the outer thirds, then least squares."""
    speed, offset = 1.0, float(np.median(y - x))
    for _ in range(3):
        error = np.abs(y - speed * x - offset)
        good = error <= max(0.06, 2.5 * float(np.median(error)))
        speed, offset = map(float, np.polyfit(x[good], y[good], 1))
    # Less than a frame over the whole piece is no other speed.
    if abs(speed - 1) * (x[-1] - x[0]) < 0.06:
        return 1.0
    return float(np.clip(speed, 1 - MOST_SPEED, 1 + MOST_SPEED))


def _settled(
    x: Floats, places: Places, known: Floats, around: Matrix, speed: float, offset: float, frame: float
) -> tuple[float, float]:
    """The offset at which the whole piece agrees best, and how far it could be off, both in seconds."""
    if not frame:
        return offset, 0.0
    tried = np.arange(-6, 7) * frame
    values = np.stack([_along(x * speed + offset + shift, places, known, around) for shift in tried])
    means = values.mean(axis=1)
    best = int(means.argmax())
    # What differs from the best by no more than chance could be the offset as well.
    lacks = values[best][None] - values
    chance = 2 * lacks.std(axis=1) / np.sqrt(max(1, len(x) / 3))
    possible = tried[lacks.mean(axis=1) <= np.maximum(chance, 1e-4)]
    spread = float(max(np.abs(possible - tried[best]).max(), 0.0)) + frame / 2
    fraction = 0.0
    if 0 < best < len(tried) - 1:
        left, middle, right = means[best - 1 : best + 2]
        bend = left - 2 * middle + right
        fraction = float(0.5 * (left - right) / bend) if bend < 0 else 0.0
    return offset + float(tried[best]) + fraction * frame, spread


def _along(wanted: Floats, places: Places, known: Floats, around: Matrix) -> Floats:
    """Agreement of each row at the time wanted, between the two frames around it."""
    after = np.searchsorted(known, wanted).clip(1, len(known) - 1)
    gap = known[after] - known[after - 1]
    share = ((wanted - known[after - 1]) / np.where(gap > 0, gap, 1.0)).clip(0, 1)
    column = (after - places + KEPT).clip(1, 2 * KEPT)
    rows = np.arange(len(places))
    return np.asarray(around[rows, column - 1] * (1 - share) + around[rows, column] * share, np.float64)
