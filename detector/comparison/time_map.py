"""Map each moment of the exhibit to a moment of the reference, as pieces of straight lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.affine_view import AffineView, Places
from detector.comparison.similarity import (
    KEPT,
    MOST_SPEED,
    NOWHERE,
    Matrix,
    StripPiece,
    best_path,
    comparable_rows,
    fit_piece,
    similarity_matrix,
)
from detector.comparison.strips import Floats, Strip

_LACKS = 0.06  # a frame may be a stray if its similarity is this far below that of most frames
_LACKS_ALONE = 0.04  # likewise for an entire run
_LACKS_BESIDE_CUTS = 0.08  # likewise for a stretch that continues its neighbours in time
_SMOOTHED = 0.3  # seconds over which similarity is averaged
_EXACT = 2.0  # tolerance of a path in frames
_EDGE = 1  # maximum distance in frames at which a path is considered to be on the reference's last frame
_FEWEST = 3  # minimum frames to judge a stretch or its neighbour
_STOPS = 0.4  # maximum seconds for which a path may stay on one frame
_NEIGHBOURS = 15  # frames beside a stretch that extrapolate its time
_HELD = 3  # maximum change in levels of a repeated picture
_SHOWN = 0.5  # minimum share of a stray's moments that other frames show


def remove_strays(
    exhibit: Strip, known: Floats, around: Matrix, places: Places, runs: list[tuple[int, int]]
) -> Places:
    """Set ``places`` (n,) of frames that only resemble the reference to :data:`NOWHERE`.

    Frames that are not part of the reference resemble it in a scene that does not change. ``runs`` are first
    and last frames of stretches, ``around`` is as in :func:`~detector.comparison.similarity.fit_piece`.
    """
    is_match = places != NOWHERE
    if min(len(exhibit), len(known)) < _FEWEST or not is_match.any():
        return places
    exhibit_times, similarity = exhibit.times, around[:, KEPT]
    is_shown = (
        is_match
        & ~_standing(exhibit_times, known, places, runs)
        & ~_stopped(exhibit_times, known, places, runs)
    )
    level = _level(exhibit_times, known, around, places, is_shown, runs)
    low = np.zeros(len(places), bool)
    for first, last in runs:
        rows = np.arange(first, last + 1)[is_shown[first : last + 1]]
        deficit = level - _averaged(similarity[rows], exhibit_times[rows])
        low[rows] = deficit > (_LACKS_ALONE if (deficit > _LACKS_ALONE).all() else _LACKS)
    is_reliable = is_shown & ~low
    is_visible = np.zeros(len(known), bool)
    is_visible[places[is_reliable]] = True
    path = _Path(exhibit_times, known, around, places, is_reliable, is_visible, level)
    for first, last in _stretches(low, runs):
        if path.only_resembles(first, last):
            is_shown[first : last + 1] = False
    # Repeated pictures show the same moment, so treat them alike.
    repeats = np.flatnonzero(same_as_before(exhibit) & is_match & np.roll(is_match, 1))
    for row in repeats:
        is_shown[row] |= is_shown[row - 1]
    for row in repeats[::-1]:
        is_shown[row - 1] |= is_shown[row]
    return np.where(is_shown, places, NOWHERE)


def _level(
    exhibit_times: Floats,
    reference_times: Floats,
    around: Matrix,
    places: Places,
    is_shown: NDArray[np.bool_],
    runs: list[tuple[int, int]],
) -> float:
    """Return the similarity of most frames that show the reference, marked in ``is_shown``.

    Stretches with an exact time count if there are any, because most of an exhibit may be strays.
    """
    is_exact = np.zeros(len(places), bool)
    maximum = _EXACT * float(np.median(np.diff(reference_times)))
    for first, last in _stretches(is_shown, runs):
        piece = fit_piece(exhibit_times, reference_times, around, places, first, last)
        is_exact[first : last + 1] = piece is not None and piece.uncertainty <= maximum
    similarity = around[:, KEPT]
    return float(np.median(similarity[is_exact if is_exact.any() else is_shown]))


@dataclass(frozen=True, eq=False)
class _Path:
    """Times of both files (n,), (m,), with places and similarities as in :func:`remove_strays`.

    ``sure`` (n,) are frames with a similarity of about ``level``; ``shown`` (m,) are the frames they show.
    """

    seen: Floats
    known: Floats
    around: Matrix
    places: Places
    sure: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    level: float

    def only_resembles(self, first: int, last: int) -> bool:
        """Check whether these frames, which are less similar than most, show no moment of the reference."""
        rows = np.arange(first, last + 1)
        if len(rows) < _FEWEST:
            return False
        tolerance = _EXACT * float(np.median(np.diff(self.known)))
        neighbours = self._beside(first, -1), self._beside(last, 1)
        continues = [self._off(near, rows) <= tolerance for near in neighbours]
        # Motion depends on the seconds around a frame; next to a cut these differ in the reference.
        deficit = self.level - float(np.median(self.around[rows, KEPT]))
        if all(continues) or (any(continues) and deficit < _LACKS_BESIDE_CUTS):
            return False
        piece = fit_piece(self.seen, self.known, self.around, self.places, first, last)
        if piece is None:
            return True
        reference_rows = self.places[rows]
        distance = np.abs(self.known[reference_rows] - piece.speed * self.seen[rows] - piece.offset)
        is_erratic = 2 * float(np.median(distance)) > tolerance
        return piece.uncertainty > tolerance and (
            is_erratic or float(self.shown[reference_rows].mean()) >= _SHOWN
        )

    def _beside(self, row: int, step: int) -> Places:
        """Return the frames next to ``row`` on one side that agree, up to the first that does not."""
        rows = row + step * np.arange(1, _NEIGHBOURS + 1)
        rows = rows[(rows >= 0) & (rows < len(self.sure))]
        return np.asarray(rows[np.cumprod(self.sure[rows], dtype=bool)], np.intp)

    def _off(self, near: Places, rows: Places) -> float:
        """Return the median distance of ``rows`` from the line through ``near``, in seconds."""
        if len(near) < _FEWEST:
            return np.inf
        speed, offset = np.polyfit(self.seen[near], self.known[self.places[near]], 1)
        return float(np.median(np.abs(self.known[self.places[rows]] - speed * self.seen[rows] - offset)))


def _standing(
    exhibit_times: Floats, reference_times: Floats, places: Places, runs: list[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Find frames that stay on the reference's first frame at the start of a run, or its last at the end.

    Frames that the reference itself shows there, at the run's speed, are not included.
    """
    last = len(places) - 1
    backwards = [(last - end, last - start) for start, end in runs]
    return (
        _overstaying(exhibit_times, reference_times, places, runs)
        | _overstaying(
            -exhibit_times[::-1], -reference_times[::-1], len(reference_times) - 1 - places[::-1], backwards
        )[::-1]
    )


def _stopped(
    exhibit_times: Floats, reference_times: Floats, places: Places, runs: list[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Return frames, except the first, of each long stop of a path on one frame of the reference."""
    out = np.zeros(len(places), bool)
    maximum = _STOPS + MOST_SPEED * float(np.median(np.diff(reference_times)))
    for first, last in runs:
        changes = first + 1 + np.flatnonzero(np.diff(places[first : last + 1]))
        for start, end in pairwise([first, *changes.tolist(), last + 1]):
            out[start + 1 : end] = exhibit_times[end - 1] - exhibit_times[start] > maximum
    return out


def _overstaying(
    exhibit_times: Floats, reference_times: Floats, places: Places, runs: list[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Return frames that stay on the reference's last frame beyond its duration."""
    out = np.zeros(len(places), bool)
    frames = float(np.median(np.diff(exhibit_times))) + float(np.median(np.diff(reference_times)))
    for first, last in runs:
        before = np.flatnonzero(places[first : last + 1] < len(reference_times) - 1 - _EDGE)
        at = first + (int(before[-1]) + 1 if len(before) else 0)
        if at > last:
            continue
        exhibit_seconds, reference_seconds = (
            exhibit_times[at] - exhibit_times[first],
            reference_times[places[at]] - reference_times[places[first]],
        )
        speed = (
            float(np.clip(reference_seconds / exhibit_seconds, 1 / MOST_SPEED, MOST_SPEED))
            if exhibit_seconds > 0
            else 1.0
        )
        maximum = (reference_times[-1] - reference_times[places[at]]) / speed + frames
        out[at : last + 1] = exhibit_times[at : last + 1] - exhibit_times[at] > maximum
    return out


def _averaged(values: NDArray[np.float32], times: Floats) -> Floats:
    """Return the moving mean over :data:`_SMOOTHED` seconds."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    first = np.searchsorted(times, times - _SMOOTHED / 2)
    end = np.searchsorted(times, times + _SMOOTHED / 2, side="right")
    return np.asarray((sums[end] - sums[first]) / (end - first), np.float64)


def _stretches(mask: NDArray[np.bool_], runs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Return the first and last frame of each group of neighbours in ``mask`` within one run."""
    for first, last in runs:
        edges = np.flatnonzero(np.diff(np.pad(mask[first : last + 1].astype(np.int8), 1)))
        for start, end in edges.reshape(-1, 2).tolist():
            yield first + start, first + end - 1


def same_as_before(exhibit: Strip) -> NDArray[np.bool_]:
    """Return which frames repeat the previous one."""
    out = np.zeros(len(exhibit), bool)
    for row in range(1, len(out)):
        out[row] = int(cv2.absdiff(exhibit.pictures[row], exhibit.pictures[row - 1]).max()) <= _HELD
    return out


_RATE = 8.0  # steps per second of the coarse path
_COARSE = 2  # small pictures are halved for the coarse path
_AROUND = 1.5  # seconds; the time of pictures that are motionless for this long is undefined
_FEWEST_STEPS = 4  # minimum steps of a piece of the coarse path
_SHORTEST = 0.5  # minimum seconds of a piece that does not continue its neighbour in time
_GOES_ON = 2.0  # tolerance in frames of the reference for continuing in time
_SEARCHED = 0.45  # seconds around the coarse path in which frames are compared
_BEYOND = 0.75  # maximum seconds by which stretches of the coarse path are extended
_MOST_CELLS = 20_000_000  # maximum pairs of pictures for the coarse path
_ROWS = 1500  # frames of the exhibit mapped at once


@dataclass(frozen=True, eq=False)
class MappedStretch:
    """Times of the exhibit in seconds, and the approximate times of the reference that it shows.

    ``path`` contains times of both files from start to end; its speed may change.
    """

    start: float
    end: float
    reference_start: float
    reference_end: float
    path: tuple[Floats, Floats]


@dataclass(frozen=True, eq=False)
class TimeMap:
    """``pieces`` in order of the exhibit's time; ``places`` (n,) of each frame in the reference's strip.

    Places are :data:`NOWHERE` for frames that show nothing of the reference.
    """

    pieces: tuple[StripPiece, ...]
    places: Places


def coarse_path(exhibit: Strip, reference: Strip, view: AffineView) -> list[MappedStretch]:
    """Find the stretches of the reference that the exhibit shows, with a few pictures per second."""
    rate = _RATE
    while rate > 1 and len(_ticks(exhibit, rate)) * len(_ticks(reference, rate)) > _MOST_CELLS:
        rate /= 2
    exhibit_rows, reference_rows = _ticks(exhibit, rate), _ticks(reference, rate)
    exhibit_pictures, reference_pictures = comparable_rows(
        exhibit, reference, view, exhibit_rows, reference_rows, _COARSE
    )
    moments = exhibit.times[exhibit_rows], reference.times[reference_rows]
    path = best_path(similarity_matrix(exhibit_pictures, reference_pictures, *moments, _AROUND), None, None)
    runs = _runs(path)
    for hole in reference.holes:
        column = int(np.searchsorted(reference_rows, hole, side="right")) - 1
        runs = [part for run in runs for part in _cut(path, run, column)]
    out = []
    for first, last in runs:
        if last - first + 1 >= min(_FEWEST_STEPS, len(path)):
            exhibit_times = exhibit.times[exhibit_rows[first : last + 1]]
            reference_times = reference.times[reference_rows[path[first : last + 1]]]
            out.append(
                MappedStretch(
                    float(exhibit_times[0]),
                    float(exhibit_times[-1]),
                    float(reference_times[0]),
                    float(reference_times[-1]),
                    (exhibit_times, reference_times),
                )
            )
    return out


def map_times(exhibit: Strip, reference: Strip, view: AffineView, coarse: Sequence[MappedStretch]) -> TimeMap:
    """Map frame by frame along the ``coarse`` path; ``reference`` contains every frame near it."""
    count = len(exhibit)
    places = np.full(count, NOWHERE, np.intp)
    around = np.full((count, 2 * KEPT + 1), -1.0, np.float32)
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(count, start + _ROWS))
        near = _near(exhibit.times[rows], reference.times, coarse)
        columns = np.flatnonzero(near.any(axis=0))
        if not len(columns):
            continue
        exhibit_pictures, reference_pictures = comparable_rows(exhibit, reference, view, rows, columns, 1)
        moments = exhibit.times[rows], reference.times[columns]
        similarities = similarity_matrix(exhibit_pictures, reference_pictures, *moments, _AROUND)
        path = best_path(np.where(near[:, columns], similarities, np.float32(-1)), *moments)
        for row, at in zip(rows, path, strict=True):
            if at != NOWHERE:
                places[row] = columns[at]
                first, last = max(0, at - KEPT), min(len(columns), at + KEPT + 1)
                around[row, first - at + KEPT : last - at + KEPT] = similarities[row - start, first:last]
    times = exhibit.times, reference.times
    places = remove_strays(exhibit, reference.times, around, places, _runs(places, *times))
    pieces = [
        piece
        for first, last in _runs(places, *times)
        if (piece := fit_piece(*times, around, places, first, last)) is not None
    ]
    repeats = same_as_before(exhibit)
    is_repeated = repeats | np.roll(repeats, -1)
    pieces = [_within(piece, *times, is_repeated) for piece in _without_scraps(pieces, *times)]
    in_piece = np.zeros(count, bool)
    for piece in pieces:
        in_piece[piece.first : piece.last + 1] = True
    return TimeMap(tuple(pieces), np.where(in_piece, places, NOWHERE))


def _without_scraps(
    pieces: list[StripPiece], exhibit_times: Floats, reference_times: Floats
) -> list[StripPiece]:
    """Drop short pieces whose time differs from that of their neighbours.

    Such a short similarity may be chance, unless the whole exhibit is as short.
    """
    frame = float(np.median(np.diff(exhibit_times))) if len(exhibit_times) > 1 else 0.0
    minimum = min(_SHORTEST, float(exhibit_times[-1]) + frame) - frame / 2
    tolerance = _GOES_ON * float(np.median(np.diff(reference_times))) if len(reference_times) > 1 else 0.0
    indices = {
        at
        for at, piece in enumerate(pieces)
        if exhibit_times[piece.last] - exhibit_times[piece.first] + frame >= minimum
    }

    def continues(piece: StripPiece, neighbour: StripPiece) -> bool:
        middle = (exhibit_times[piece.first] + exhibit_times[piece.last]) / 2
        distance = (piece.speed - neighbour.speed) * middle + piece.offset - neighbour.offset
        return bool(abs(distance) <= max(tolerance, neighbour.uncertainty))

    for places in (range(len(pieces)), range(len(pieces) - 1, -1, -1)):
        for before, at in pairwise(places):
            if before in indices and at not in indices and continues(pieces[at], pieces[before]):
                indices.add(at)
    return [pieces[at] for at in sorted(indices)]


def _within(
    piece: StripPiece, exhibit_times: Floats, reference_times: Floats, is_repeated: NDArray[np.bool_]
) -> StripPiece:
    """Remove frames from ``piece`` whose line is before or after the reference.

    Frames that repeat a neighbour's picture, marked in ``is_repeated`` (n,), remain.
    """
    rows = np.arange(piece.first, piece.last + 1)
    line_times = piece.speed * exhibit_times[rows] + piece.offset
    slack = piece.uncertainty + (
        float(np.median(np.diff(reference_times))) / 2 if len(reference_times) > 1 else 0.0
    )
    inside = rows[
        ((line_times >= reference_times[0] - slack) & (line_times <= reference_times[-1] + slack))
        | is_repeated[rows]
    ]
    return replace(piece, first=int(inside[0]), last=int(inside[-1])) if len(inside) else piece


def _cut(path: Places, run: tuple[int, int], hole: int) -> list[tuple[int, int]]:
    """Split ``run``, rows of ``path``, where it passes column ``hole``."""
    first, last = run
    before = int((path[first : last + 1] <= hole).sum())
    return [run] if before in (0, last - first + 1) else [(first, first + before - 1), (first + before, last)]


def _ticks(strip: Strip, rate: float) -> Places:
    """Return the nearest picture of each of ``rate`` even steps per second, outside holes."""
    if len(strip) < 2:
        return np.zeros(1, np.intp)
    ticks = np.arange(0.0, strip.times[-1] + 0.5 / rate, 1 / rate)
    after = np.searchsorted(strip.times, ticks).clip(1, len(strip) - 1)
    previous_is_nearer = ticks - strip.times[after - 1] < strip.times[after] - ticks
    outside_holes = np.ones(len(ticks), bool)
    for hole in strip.holes:
        outside_holes &= (ticks < strip.times[hole] + 0.5 / rate) | (
            ticks > strip.times[hole + 1] - 0.5 / rate
        )
    return np.asarray((after - previous_is_nearer)[outside_holes], np.intp)


def _near(
    exhibit_times: Floats, reference_times: Floats, coarse: Sequence[MappedStretch]
) -> NDArray[np.bool_]:
    """Return which frames of the reference each frame of the exhibit is compared with.

    These are near the path of a stretch, near the line from its first to its last picture, or near lines at
    original speed through either picture, because with little motion the coarse path may end half a second
    early or late.
    """
    out = np.zeros((len(exhibit_times), len(reference_times)), bool)
    for stretch in coarse:
        seconds = stretch.end - stretch.start
        speed = (stretch.reference_end - stretch.reference_start) / seconds if seconds > 0 else 1.0
        expected = stretch.reference_start + (exhibit_times - stretch.start) * speed
        original_speed = (
            exhibit_times + stretch.reference_start - stretch.start,
            exhibit_times + stretch.reference_end - stretch.end,
        )
        lines = np.stack([expected, np.interp(exhibit_times, *stretch.path), *original_speed])
        lowest, highest = lines.min(axis=0) - _SEARCHED, lines.max(axis=0) + _SEARCHED
        row = (exhibit_times >= stretch.start - _BEYOND) & (exhibit_times <= stretch.end + _BEYOND)
        out |= (
            row[:, None]
            & (reference_times[None] >= lowest[:, None])
            & (reference_times[None] <= highest[:, None])
        )
    return out


def _runs(
    path: Places, exhibit_times: Floats | None = None, reference_times: Floats | None = None
) -> list[tuple[int, int]]:
    """Return first and last row of each stretch in which time continues in both files."""
    out: list[tuple[int, int]] = []
    for row, at in enumerate(path):
        if at == NOWHERE:
            continue
        if out and out[-1][1] == row - 1:
            before = path[row - 1]
            if exhibit_times is None or reference_times is None:
                continues = 0 <= at - before <= 2
            else:
                reference_step = reference_times[at] - reference_times[before]
                exhibit_step = exhibit_times[row] - exhibit_times[row - 1]
                continues = 0 <= reference_step <= 2 * exhibit_step + 0.1
            if continues:
                out[-1] = (out[-1][0], row)
                continue
        out.append((row, row))
    return out
