"""Which moment of the reference each moment of the exhibit shows: pieces of straight lines.

Pictures of both files are compared under one view (:mod:`detector.comparison.views`), and the most
likely way through time is found by dynamic programming (Viterbi): time mostly runs on in both files
alike; it may jump, where something was cut out or moved, and a stretch may show nothing of the reference.
First at a few pictures a second, then frame by frame along that way. To each piece a line is fitted,
whose slope is the speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.strips import Floats, Strip
from detector.comparison.views import Places, View, textures, warped

Matrix = NDArray[np.float32]

NOWHERE = -1
_RATE = 8.0  # steps a second of the first way
_COARSE = 2  # small pictures are halved for it
_AROUND = 1.5  # seconds: what stands still for so long says nothing of the time
_NOISE = 0.06  # share of a picture's structure that compression changes, about
_MOTION_SHARE = 0.5  # of motion in the agreement of two pictures; the rest is the whole picture's
_SHARPNESS = 30.0  # of agreements, on the scale of the costs below
_STEP_COST = 0.5  # for each step or frame by which two times do not run alike
_JUMP_COST = 12.0
_LEAST = 0.42  # agreement below which a picture rather shows nothing of the reference
_FEWEST_STEPS = 4  # of a piece of the first way
_SEARCHED = 0.45  # seconds before and after the first way in which frames are tried
_BEYOND = 0.75  # seconds by which its stretches may go on
_MOST_CELLS = 20_000_000  # pairs of pictures of the first way
_ROWS = 1500  # frames of the exhibit mapped at once
_KEPT = 8  # frames before and after the one matched whose agreement is kept
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


@dataclass(frozen=True)
class Stretch:
    """Time of the exhibit, in seconds, and about the time of the reference that it shows."""

    start: float
    end: float
    reference_start: float
    reference_end: float


@dataclass(frozen=True, eq=False)
class TimeMap:
    """``pieces`` in order of the exhibit's time; ``places`` (n,) in the reference's strip, of each frame.

    They are :data:`NOWHERE` for frames that show nothing of it.
    """

    pieces: tuple[Piece, ...]
    places: Places


def first_way(exhibit: Strip, reference: Strip, view: View) -> list[Stretch]:
    """The stretches that are shown, by a few pictures a second."""
    rate = _RATE
    while rate > 1 and len(_ticks(exhibit, rate)) * len(_ticks(reference, rate)) > _MOST_CELLS:
        rate /= 2
    seen_at, known_at = _ticks(exhibit, rate), _ticks(reference, rate)
    seen, known = _comparable(exhibit, reference, view, seen_at, known_at, _COARSE)
    way = best_way(_agreements(seen, known, _AROUND * rate), None, None)
    runs = _runs(way)
    for hole in reference.holes:
        column = int(np.searchsorted(known_at, hole, side="right")) - 1
        runs = [part for run in runs for part in _cut(way, run, column)]
    return [
        Stretch(
            float(exhibit.times[seen_at[first]]),
            float(exhibit.times[seen_at[last]]),
            float(reference.times[known_at[way[first]]]),
            float(reference.times[known_at[way[last]]]),
        )
        for first, last in runs
        if last - first + 1 >= min(_FEWEST_STEPS, len(way))
    ]


def map_times(exhibit: Strip, reference: Strip, view: View, way: Sequence[Stretch]) -> TimeMap:
    """Frame by frame along ``way`` (:func:`first_way`); ``reference`` holds every frame around it."""
    count = len(exhibit)
    places = np.full(count, NOWHERE, np.intp)
    around = np.full((count, 2 * _KEPT + 1), -1.0, np.float32)
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(count, start + _ROWS))
        near = _near(exhibit.times[rows], reference.times, way)
        columns = np.flatnonzero(near.any(axis=0))
        if not len(columns):
            continue
        seen, known = _comparable(exhibit, reference, view, rows, columns, 1)
        steps = _AROUND / max(exhibit.interval, 1e-3)
        agreements = _agreements(seen, known, steps)
        allowed = np.where(near[:, columns], agreements, np.float32(-1))
        found = best_way(allowed, exhibit.times[rows], reference.times[columns])
        for row, at in zip(rows, found, strict=True):
            if at != NOWHERE:
                places[row] = columns[at]
                first, last = max(0, at - _KEPT), min(len(columns), at + _KEPT + 1)
                around[row, first - at + _KEPT : last - at + _KEPT] = agreements[row - start, first:last]
    pieces = [
        piece
        for first, last in _runs(places, exhibit.times, reference.times)
        if (piece := _piece(exhibit.times, reference.times, around, places, first, last)) is not None
    ]
    kept = np.zeros(count, bool)
    for piece in pieces:
        kept[piece.first : piece.last + 1] = True
    return TimeMap(tuple(pieces), np.where(kept, places, NOWHERE))


def best_way(agreements: Matrix, seen: Floats | None, known: Floats | None) -> Places:
    """For each row of ``agreements`` (n, m) its place among the columns, or :data:`NOWHERE`.

    ``seen`` (n,) and ``known`` (m,) are the times of rows and columns; None for equal steps.
    """
    count, width = agreements.shape
    gains = _SHARPNESS * agreements.astype(np.float64)
    idle = _SHARPNESS * _LEAST
    known_steps = np.ones(width) if known is None else np.diff(known, prepend=known[0])
    usual = float(np.median(known_steps[1:])) if width > 1 else 1.0
    usual = usual or 1.0
    score, lost = gains[0].copy(), idle
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
                moved[back:] += known_steps[1 : width - back + 1] if back > 0 else 0.0
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
    way = np.empty(count, np.intp)
    at = int(score.argmax()) if score.max() >= lost else NOWHERE
    for row in range(count - 1, -1, -1):
        way[row] = at
        if row:
            at = int(came_lost[row]) if at == NOWHERE else int(came[row, at])
    return way


def _cut(way: Places, run: tuple[int, int], hole: int) -> list[tuple[int, int]]:
    """``run``, rows of ``way``, in two where it passes from column ``hole`` over to the next."""
    first, last = run
    before = int((way[first : last + 1] <= hole).sum())
    return [run] if before in (0, last - first + 1) else [(first, first + before - 1), (first + before, last)]


def _ticks(strip: Strip, rate: float) -> Places:
    """Places in a strip at ``rate`` even steps a second, the nearest picture for each; none in its holes."""
    if len(strip) < 2:
        return np.zeros(1, np.intp)
    wanted = np.arange(0.0, strip.times[-1] + 0.5 / rate, 1 / rate)
    after = np.searchsorted(strip.times, wanted).clip(1, len(strip) - 1)
    earlier = wanted - strip.times[after - 1] < strip.times[after] - wanted
    read = np.ones(len(wanted), bool)
    for hole in strip.holes:
        read &= (wanted < strip.times[hole] + 0.5 / rate) | (wanted > strip.times[hole + 1] - 0.5 / rate)
    return np.asarray((after - earlier)[read], np.intp)


def _comparable(
    exhibit: Strip, reference: Strip, view: View, seen_at: Places, known_at: Places, reduced: int
) -> tuple[Matrix, Matrix]:
    """Pictures of both as rows of numbers, the exhibit's where the view puts them, alike outside it."""
    height, width = reference.pictures.shape[1:]
    matrix = view.between(exhibit.scale, reference.scale)
    inside = warped(np.ones(exhibit.pictures.shape[1:], np.float32), matrix, (width, height))
    mask = (cv2.erode(inside, np.ones((3, 3))) > 0.99).astype(np.float32)
    size = max(8, width // reduced), max(8, height // reduced)

    def row(picture: Matrix) -> Matrix:
        masked = picture * mask
        return (masked if reduced == 1 else cv2.resize(masked, size, interpolation=cv2.INTER_AREA)).ravel()

    seen = np.stack(
        [row(warped(textures(exhibit.pictures[at][None])[0], matrix, (width, height))) for at in seen_at]
    )
    known = np.stack([row(textures(reference.pictures[at][None])[0]) for at in known_at])
    covered = mask.ravel() if reduced == 1 else cv2.resize(mask, size, interpolation=cv2.INTER_AREA).ravel()
    return seen[:, covered > 0], known[:, covered > 0]


def _agreements(seen: Matrix, known: Matrix, around: float) -> Matrix:
    """How well each row of ``seen`` fits each of ``known``: as wholes, and in what moves around it."""
    whole = _cosine(seen, known, 0.0)
    if min(len(seen), len(known)) < 3:  # a photo: nothing moves
        return whole
    moving = _cosine(_moving(seen, around), _moving(known, around), _NOISE * float(np.mean((seen**2).sum(1))))
    # A moment without motion fits all moments without motion.
    return np.asarray((1 - _MOTION_SHARE) * whole + _MOTION_SHARE * moving, np.float32)


def _cosine(seen: Matrix, known: Matrix, noise: float) -> Matrix:
    """Products of the rows by their lengths; ``noise`` is the squared length that means nothing."""
    seen_power, known_power = (seen**2).sum(1)[:, None], (known**2).sum(1)[None]
    products = seen @ known.T
    if not noise:
        return np.asarray(products / (np.sqrt(seen_power * known_power) + 1e-6), np.float32)
    # The likelihood of a difference: 1 for none, and as high for two that do not move.
    difference = np.maximum(seen_power + known_power - 2 * products, 0.0)
    return np.asarray(1 - difference / (seen_power + known_power + 2 * noise), np.float32)


def _moving(rows: Matrix, around: float) -> Matrix:
    """Rows less their mean over ``around`` rows before and after."""
    reach = max(1, round(around))
    if len(rows) < 3:
        return rows
    return np.asarray(
        rows - cv2.blur(rows, (1, 2 * min(reach, len(rows) - 1) + 1), borderType=cv2.BORDER_REPLICATE),
        np.float32,
    )


def _near(seen: Floats, known: Floats, way: Sequence[Stretch]) -> NDArray[np.bool_]:
    """Which frames of the reference each of the exhibit is compared with.

    Those around the line from the first to the last picture of a stretch, and those around the lines at the
    same speed through either: where little moves, the first way may end half a second early or late.
    """
    out = np.zeros((len(seen), len(known)), bool)
    for one in way:
        lasts = one.end - one.start
        speed = (one.reference_end - one.reference_start) / lasts if lasts > 0 else 1.0
        expected = one.reference_start + (seen - one.start) * speed
        alike = seen + one.reference_start - one.start, seen + one.reference_end - one.end
        least = np.minimum(expected, np.minimum(*alike)) - _SEARCHED
        most = np.maximum(expected, np.maximum(*alike)) + _SEARCHED
        row = (seen >= one.start - _BEYOND) & (seen <= one.end + _BEYOND)
        out |= row[:, None] & (known[None] >= least[:, None]) & (known[None] <= most[:, None])
    return out


def _runs(way: Places, seen: Floats | None = None, known: Floats | None = None) -> list[tuple[int, int]]:
    """First and last row of each stretch along which time runs on in both."""
    out: list[tuple[int, int]] = []
    for row, at in enumerate(way):
        if at == NOWHERE:
            continue
        if out and out[-1][1] == row - 1:
            before = way[row - 1]
            if seen is None or known is None:
                runs_on = 0 <= at - before <= 2
            else:
                moved = known[at] - known[before]
                step = seen[row] - seen[row - 1]
                runs_on = 0 <= moved <= 2 * step + 0.1
            if runs_on:
                out[-1] = (out[-1][0], row)
                continue
        out.append((row, row))
    return out


def _piece(
    seen: Floats, known: Floats, around: Matrix, places: Places, first: int, last: int
) -> Piece | None:
    """The line along one stretch; None for one that is too short or does not agree.

    ``around`` (n, 17) are the agreements of each row with its place and those around it.
    """
    rows = np.arange(first, last + 1)
    own = around[rows, _KEPT].astype(np.float64)
    agreement = float(np.median(own))
    single = len(seen) == 1
    if not single and (len(rows) < 3 or agreement < _LEAST):
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
    column = (after - places + _KEPT).clip(1, 2 * _KEPT)
    rows = np.arange(len(places))
    return np.asarray(around[rows, column - 1] * (1 - share) + around[rows, column] * share, np.float64)
