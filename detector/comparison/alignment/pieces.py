"""A straight line through the times of one stretch: its speed, its offset, and how far that may be off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.comparison.affine_view import Places
from detector.comparison.alignment.best_path import LEAST_SIMILARITY
from detector.comparison.alignment.similarity import Matrix
from detector.comparison.strips import Floats

MOST_SPEED = 2.1
"""How many times faster or slower a piece may run: beyond, its frames do not find their own moments."""
KEPT = 8  # frames before and after the one matched whose similarity is kept
_LEAST_DRIFT = 0.06  # seconds over a piece
_NEARER = 0.5  # of how far its points lie from a line of another speed than 1, of how far from one without
_ROUNDS = 3  # of fitting a line


@dataclass(frozen=True, eq=False)
class StripPiece:
    """Frames ``first`` to ``last`` of the exhibit's strip show the reference at ``speed * time + offset``.

    ``uncertainty`` is in seconds of the reference; ``similarity`` is the median of its frames'.
    """

    first: int
    last: int
    speed: float
    offset: float
    uncertainty: float
    similarity: float


def fit_piece(
    seen: Floats, known: Floats, around: Matrix, places: Places, first: int, last: int
) -> StripPiece | None:
    """The line along one stretch; None for one that is too short, too fast or slow, or does not agree.

    ``around`` (n, 17) are the similarities of each row with its place and those around it.
    """
    rows = np.arange(first, last + 1)
    own = around[rows, KEPT].astype(np.float64)
    similarity = float(np.median(own))
    single = len(seen) == 1
    if not single and (len(rows) < 3 or similarity < LEAST_SIMILARITY):
        return None
    x, y = seen[rows], known[places[rows]]
    frame = float(np.median(np.diff(known))) if len(known) > 1 else 0.0
    line = _best_offset(x, places[rows], known, around[rows], 1.0, float(np.median(y - x)), frame)
    speed, offset = _slope(x, y)
    # Less than a frame over the whole piece is no other speed.
    if abs(speed - 1) * (x[-1] - x[0]) >= max(_LEAST_DRIFT, frame):
        other = _best_offset(x, places[rows], known, around[rows], speed, offset, frame)
        gain = other.values - line.values
        if float(gain.mean()) > _chance(gain) and other.apart(x, y) < _NEARER * line.apart(x, y):
            line = other
    if not 1 / MOST_SPEED <= line.speed <= MOST_SPEED:
        return None
    uncertainty = max(line.spread, line.apart(x, y))
    return StripPiece(first, last, line.speed, line.offset, uncertainty, similarity)


@dataclass(frozen=True, eq=False)
class _Line:
    """A line, how far it could be shifted (seconds), and how well each row agrees along it."""

    speed: float
    offset: float
    spread: float
    values: Floats

    def apart(self, x: Floats, y: Floats) -> float:
        """How far the points of one third lie from it: at one end of a piece more than in all of it."""
        beside = np.abs(y - self.speed * x - self.offset)
        return max(float(np.median(part)) for part in np.array_split(beside, min(3, len(beside))))


def _slope(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope and offset through points of which some are off: least squares, of those near the last line."""
    speed, offset = 1.0, float(np.median(y - x))
    for _ in range(_ROUNDS):
        error = np.abs(y - speed * x - offset)
        good = error <= max(0.06, 2.5 * float(np.median(error)))
        if np.ptp(x[good]) == 0:
            break
        speed, offset = map(float, np.polyfit(x[good], y[good], 1))
    return speed, offset


def _best_offset(
    x: Floats, places: Places, known: Floats, around: Matrix, speed: float, offset: float, frame: float
) -> _Line:
    """The offset at which the whole piece agrees best, at this speed."""
    if not frame:
        return _Line(speed, offset, 0.0, np.ones(len(x)))
    tried = np.arange(-6, 7) * frame
    values = np.stack([_along(x * speed + offset + shift, places, known, around) for shift in tried])
    means = values.mean(axis=1)
    best = int(means.argmax())
    # What differs from the best by no more than chance could be the offset as well.
    lacks = values[best][None] - values
    possible = tried[[float(lack.mean()) <= max(_chance(lack), 1e-4) for lack in lacks]]
    spread = float(max(np.abs(possible - tried[best]).max(), 0.0)) + frame / 2
    fraction = 0.0
    if 0 < best < len(tried) - 1:
        left, middle, right = means[best - 1 : best + 2]
        bend = left - 2 * middle + right
        fraction = float(0.5 * (left - right) / bend) if bend < 0 else 0.0
    return _Line(speed, offset + float(tried[best]) + fraction * frame, spread, values[best])


def _chance(gains: Floats) -> float:
    """What the mean of these could be by chance; neighbouring frames are hardly independent."""
    return float(2 * gains.std() / np.sqrt(max(1, len(gains) / 3)))


def _along(wanted: Floats, places: Places, known: Floats, around: Matrix) -> Floats:
    """Similarity of each row at the time wanted, between the two frames around it."""
    after = np.searchsorted(known, wanted).clip(1, len(known) - 1)
    gap = known[after] - known[after - 1]
    share = ((wanted - known[after - 1]) / np.where(gap > 0, gap, 1.0)).clip(0, 1)
    column = (after - places + KEPT).clip(1, 2 * KEPT)
    rows = np.arange(len(places))
    return np.asarray(around[rows, column - 1] * (1 - share) + around[rows, column] * share, np.float64)
