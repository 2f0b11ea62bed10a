"""Measure the similarity of small pictures and find the most likely path through two files."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.affine_view import SAME_PICTURE, AffineView, Places, textures, warp
from detector.comparison.strips import Floats, Strip

Matrix = NDArray[np.float32]

_NOISE = 0.06  # approximate share of a picture's structure that compression changes
_SAME_SHOT = 0.4  # correlation of neighbouring pictures below which there is a cut
_SUMMED = 512  # number of columns averaged at once
_MOTION_SHARE = 0.5  # share of motion in the similarity of two pictures; the rest is the whole picture


def comparable_rows(
    exhibit: Strip, reference: Strip, view: AffineView, seen_at: Places, known_at: Places, reduced: int
) -> tuple[Matrix, Matrix]:
    """Return pictures of both as rows, the exhibit's warped by the view, equal outside it."""
    height, width = reference.pictures.shape[1:]
    matrix = view.between(exhibit.scale, reference.scale)
    inside = warp(np.ones(exhibit.pictures.shape[1:], np.float32), matrix, (width, height))
    mask = (cv2.erode(inside, np.ones((3, 3))) > 0.99).astype(np.float32)
    size = max(8, width // reduced), max(8, height // reduced)

    def row(picture: Matrix) -> Matrix:
        masked = picture * mask
        return (masked if reduced == 1 else cv2.resize(masked, size, interpolation=cv2.INTER_AREA)).ravel()

    seen = np.stack(
        [row(warp(textures(exhibit.pictures[at][None])[0], matrix, (width, height))) for at in seen_at]
    )
    known = np.stack([row(textures(reference.pictures[at][None])[0]) for at in known_at])
    covered = mask.ravel() if reduced == 1 else cv2.resize(mask, size, interpolation=cv2.INTER_AREA).ravel()
    return seen[:, covered > 0], known[:, covered > 0]


def similarity_matrix(
    seen: Matrix, known: Matrix, seen_times: Floats, known_times: Floats, around: float
) -> Matrix:
    """Return the similarity of each row of ``seen`` (n, k) to each of ``known`` (m, k), 1 for a perfect fit.

    It combines whole pictures with their motion: the difference from the mean of ``around`` seconds before
    and after, in the same shot.
    """
    whole = _cosine(seen, known, 0.0)
    if min(len(seen), len(known)) < 3:  # a photo has no motion
        return whole
    moving = _cosine(
        _moving(seen, seen_times, around),
        _moving(known, known_times, around),
        _NOISE * float(np.mean((seen**2).sum(1))),
    )
    # All moments without motion fit one another, which is not informative.
    moving *= (whole / SAME_PICTURE).clip(0, 1)
    return np.asarray((1 - _MOTION_SHARE) * whole + _MOTION_SHARE * moving, np.float32)


def _cosine(seen: Matrix, known: Matrix, noise: float) -> Matrix:
    """Return cosine similarities of rows; ``noise`` is a squared length that is not significant."""
    seen_power, known_power = (seen**2).sum(1)[:, None], (known**2).sum(1)[None]
    products = seen @ known.T
    if not noise:
        return np.asarray(products / (np.sqrt(seen_power * known_power) + 1e-6), np.float32)
    # Likelihood of a difference: 1 for none, also between two pictures without motion.
    difference = np.maximum(seen_power + known_power - 2 * products, 0.0)
    return np.asarray(1 - difference / (seen_power + known_power + 2 * noise), np.float32)


def _moving(rows: Matrix, times: Floats, around: float) -> Matrix:
    """Subtract from each row the mean of ``around`` seconds before and after, within its shot.

    Pictures beyond a cut may be missing in the other file and would appear as motion.
    """
    out = np.zeros_like(rows)
    for shot in _shots(rows):
        # Process a few columns at a time, because the sums in double precision take memory.
        for part in range(0, rows.shape[1], _SUMMED):
            own = rows[shot, part : part + _SUMMED]
            if len(own) > 1:
                out[shot, part : part + _SUMMED] = own - _means(own, times[shot], around)
    return out


def _shots(rows: Matrix) -> list[slice]:
    """Return the shot of each row, with cuts where neighbours hardly resemble each other."""
    lengths = np.linalg.norm(rows, axis=1)
    alike = (rows[1:] * rows[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1] + 1e-6)
    cuts = [0, *(1 + np.flatnonzero(alike < _SAME_SHOT)).tolist(), len(rows)]
    return [slice(first, end) for first, end in pairwise(cuts)]


def _means(rows: Matrix, times: Floats, around: float) -> Floats:
    """Return the mean over time around each row; a row stands for the times nearest to it."""
    edges = np.concatenate([times[:1], (times[1:] + times[:-1]) / 2, times[-1:]])
    sums = np.zeros((len(edges), rows.shape[1]))
    np.cumsum(rows * np.diff(edges)[:, None], axis=0, out=sums[1:])

    def until(moments: Floats) -> Floats:
        at = (np.searchsorted(edges, moments, side="right") - 1).clip(0, len(rows) - 1)
        return np.asarray(sums[at] + (moments - edges[at])[:, None] * rows[at], np.float64)

    first, last = (times - around).clip(edges[0]), (times + around).clip(max=edges[-1])
    return np.asarray((until(last) - until(first)) / np.maximum(last - first, 1e-6)[:, None], np.float64)


NOWHERE = -1
_SHARPNESS = 30.0  # weight of similarities on the scale of the costs below
_STEP_COST = 0.5  # cost for each step or frame by which two times diverge
_JUMP_COST = 12.0  # cost of a jump within the reference; half for leaving it or returning
LEAST_SIMILARITY = 0.42  # below this a picture is likely not of the reference


def best_path(similarities: Matrix, seen: Floats | None, known: Floats | None) -> Places:
    """Return for each row of ``similarities`` (n, m) its column or :data:`NOWHERE`, by dynamic programming.

    ``seen`` (n,) and ``known`` (m,) are the times of rows and columns; None for equal steps.
    """
    count, width = similarities.shape
    gains = _SHARPNESS * similarities.astype(np.float64)
    idle = _SHARPNESS * LEAST_SIMILARITY
    known_steps = np.ones(width) if known is None else np.diff(known, prepend=known[0])
    usual = float(np.median(known_steps[1:])) if width > 1 else 1.0
    usual = usual or 1.0
    # Best sums so far of paths that end at each column, and of paths that end nowhere.
    score, lost = gains[0].copy(), idle
    # Predecessor of each of these paths in the previous row.
    came = np.empty((count, width), np.int32)
    came_lost = np.empty(count, np.int32)
    for row in range(1, count):
        step = 1.0 if seen is None else float(seen[row] - seen[row - 1])
        most = int(np.ceil(2 * step / usual)) + 1 if known is not None else 2
        top = int(score.argmax())
        best = np.full(width, max(score[top] - _JUMP_COST, lost - _JUMP_COST / 2))
        from_ = np.full(width, top if score[top] - _JUMP_COST >= lost - _JUMP_COST / 2 else NOWHERE, np.int32)
        moved = np.zeros(width)
        for back in range(min(most, width - 1) + 1):
            if back:
                moved[back:] += known_steps[1 : width - back + 1]
            cost = _STEP_COST * np.abs(moved[back:] - step) / usual
            value = score[: width - back] - cost
            better = value > best[back:]
            best[back:][better] = value[better]
            from_[back:][better] = np.flatnonzero(better)
        stay, leave = lost, score[top] - _JUMP_COST / 2
        came_lost[row] = NOWHERE if stay >= leave else top
        lost = max(stay, leave) + idle
        came[row] = from_
        score = best + gains[row]
    path = np.empty(count, np.intp)
    at = int(score.argmax()) if score.max() >= lost else NOWHERE
    for row in range(count - 1, -1, -1):
        path[row] = at
        if row:
            at = int(came_lost[row]) if at == NOWHERE else int(came[row, at])
    return path


MOST_SPEED = 2.1
"""How many times faster or slower a piece may run: beyond, its frames do not find their own moments."""
KEPT = 8  # frames before and after the matched one whose similarity is stored
_LEAST_DRIFT = 0.06  # minimum drift over a piece, in seconds
_NEARER = 0.5  # factor by which a line of another speed must fit better
_ROUNDS = 3  # iterations of fitting a line


@dataclass(frozen=True, eq=False)
class StripPiece:
    """Frames ``first`` to ``last`` of the exhibit's strip show the reference at ``speed * time + offset``.

    ``uncertainty`` is in seconds of the reference; ``similarity`` is the median over its frames.
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
    """Fit a line to one stretch; None if it is too short, too fast or slow, or does not agree.

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
    # A drift of less than a frame over the whole piece does not count as another speed.
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
    """A line, its possible shift in seconds, and the similarity of each row along it."""

    speed: float
    offset: float
    spread: float
    values: Floats

    def apart(self, x: Floats, y: Floats) -> float:
        """How far the points of one third lie from the line: errors in speed are largest at one end."""
        beside = np.abs(y - self.speed * x - self.offset)
        return max(float(np.median(part)) for part in np.array_split(beside, min(3, len(beside))))


def _slope(x: Floats, y: Floats) -> tuple[float, float]:
    """Return slope and offset through points with outliers, by repeated least squares."""
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
    """Return the offset at which the whole piece agrees best, at this speed."""
    if not frame:
        return _Line(speed, offset, 0.0, np.ones(len(x)))
    tried = np.arange(-6, 7) * frame
    values = np.stack([_along(x * speed + offset + shift, places, known, around) for shift in tried])
    means = values.mean(axis=1)
    best = int(means.argmax())
    # Offsets that differ from the best only by chance are equally possible.
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
    """Return the standard error of the mean; neighbouring frames are hardly independent."""
    return float(2 * gains.std() / np.sqrt(max(1, len(gains) / 3)))


def _along(wanted: Floats, places: Places, known: Floats, around: Matrix) -> Floats:
    """Return the similarity of each row at the given time, interpolated between two frames."""
    after = np.searchsorted(known, wanted).clip(1, len(known) - 1)
    gap = known[after] - known[after - 1]
    share = ((wanted - known[after - 1]) / np.where(gap > 0, gap, 1.0)).clip(0, 1)
    column = (after - places + KEPT).clip(1, 2 * KEPT)
    rows = np.arange(len(places))
    return np.asarray(around[rows, column - 1] * (1 - share) + around[rows, column] * share, np.float64)
