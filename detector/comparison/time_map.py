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
_EDGE = 1  # distance in frames from the reference's last one at which a path stands there
_FEWEST = 3  # minimum frames to judge a stretch or its neighbour
_STOPS = 0.4  # maximum seconds for which a path may stand on one frame
_NEIGHBOURS = 15  # frames beside a stretch that extrapolate its time
_HELD = 3  # maximum change in levels of a repeated picture
_SHOWN = 0.5  # share of a stray's moments that other frames show


def remove_strays(
    exhibit: Strip, known: Floats, around: Matrix, places: Places, runs: list[tuple[int, int]]
) -> Places:
    """Set ``places`` (n,) of frames that only resemble the reference to :data:`NOWHERE`.

    Frames that are not part of the reference resemble it in a scene that does not change. ``runs`` are first
    and last frames of stretches, ``around`` is as in :func:`~detector.comparison.similarity.fit_piece`.
    """
    matched = places != NOWHERE
    if min(len(exhibit), len(known)) < _FEWEST or not matched.any():
        return places
    seen, own = exhibit.times, around[:, KEPT]
    kept = matched & ~_standing(seen, known, places, runs) & ~_stopped(seen, known, places, runs)
    level = _level(seen, known, around, places, kept, runs)
    low = np.zeros(len(places), bool)
    for first, last in runs:
        rows = np.arange(first, last + 1)[kept[first : last + 1]]
        lacks = level - _averaged(own[rows], seen[rows])
        low[rows] = lacks > (_LACKS_ALONE if (lacks > _LACKS_ALONE).all() else _LACKS)
    sure = kept & ~low
    shown = np.zeros(len(known), bool)
    shown[places[sure]] = True
    path = _Path(seen, known, around, places, sure, shown, level)
    for first, last in _stretches(low, runs):
        if path.only_resembles(first, last):
            kept[first : last + 1] = False
    # A held picture shows the same moment for longer.
    same = np.flatnonzero(same_as_before(exhibit) & matched & np.roll(matched, 1))
    for row in same:
        kept[row] |= kept[row - 1]
    for row in same[::-1]:
        kept[row - 1] |= kept[row]
    return np.where(kept, places, NOWHERE)


def _level(
    seen: Floats,
    known: Floats,
    around: Matrix,
    places: Places,
    kept: NDArray[np.bool_],
    runs: list[tuple[int, int]],
) -> float:
    """Return the similarity of most of the ``kept`` frames that show the reference.

    Stretches with an exact time count if there are any, because most of an exhibit may be strays.
    """
    exact = np.zeros(len(places), bool)
    most = _EXACT * float(np.median(np.diff(known)))
    for first, last in _stretches(kept, runs):
        piece = fit_piece(seen, known, around, places, first, last)
        exact[first : last + 1] = piece is not None and piece.uncertainty <= most
    own = around[:, KEPT]
    return float(np.median(own[exact if exact.any() else kept]))


@dataclass(frozen=True, eq=False)
class _Path:
    """Times of both files (n,), (m,), with places and similarities as in :func:`without_strays`.

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
        """Check whether these frames, which agree less than most, have no moment of their own."""
        rows = np.arange(first, last + 1)
        if len(rows) < _FEWEST:
            return False
        exact = _EXACT * float(np.median(np.diff(self.known)))
        beside = self._beside(first, -1), self._beside(last, 1)
        goes_on = [self._off(near, rows) <= exact for near in beside]
        # Motion depends on the seconds around a frame, which differ in the reference beside a cut.
        lacks = self.level - float(np.median(self.around[rows, KEPT]))
        if all(goes_on) or (any(goes_on) and lacks < _LACKS_BESIDE_CUTS):
            return False
        piece = fit_piece(self.seen, self.known, self.around, self.places, first, last)
        if piece is None:
            return True
        reference_rows = self.places[rows]
        off = np.abs(self.known[reference_rows] - piece.speed * self.seen[rows] - piece.offset)
        wanders = 2 * float(np.median(off)) > exact
        return piece.uncertainty > exact and (wanders or float(self.shown[reference_rows].mean()) >= _SHOWN)

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


def _standing(seen: Floats, known: Floats, places: Places, runs: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Return frames that stand on the reference's first frame at the start of a run, or its last at the end.

    As many frames as the reference has there, at the run's speed, are excluded.
    """
    last = len(places) - 1
    backwards = [(last - end, last - start) for start, end in runs]
    return (
        _overstaying(seen, known, places, runs)
        | _overstaying(-seen[::-1], -known[::-1], len(known) - 1 - places[::-1], backwards)[::-1]
    )


def _stopped(seen: Floats, known: Floats, places: Places, runs: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Return frames of a path that stops on one frame of the reference for long, except the first."""
    out = np.zeros(len(places), bool)
    most = _STOPS + MOST_SPEED * float(np.median(np.diff(known)))
    for first, last in runs:
        moves = first + 1 + np.flatnonzero(np.diff(places[first : last + 1]))
        for start, end in pairwise([first, *moves.tolist(), last + 1]):
            out[start + 1 : end] = seen[end - 1] - seen[start] > most
    return out


def _overstaying(
    seen: Floats, known: Floats, places: Places, runs: list[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Return frames that stand on the reference's last frame longer than it lasts."""
    out = np.zeros(len(places), bool)
    frames = float(np.median(np.diff(seen))) + float(np.median(np.diff(known)))
    for first, last in runs:
        before = np.flatnonzero(places[first : last + 1] < len(known) - 1 - _EDGE)
        at = first + (int(before[-1]) + 1 if len(before) else 0)
        if at > last:
            continue
        lasts, shows = seen[at] - seen[first], known[places[at]] - known[places[first]]
        speed = float(np.clip(shows / lasts, 1 / MOST_SPEED, MOST_SPEED)) if lasts > 0 else 1.0
        allowed = (known[-1] - known[places[at]]) / speed + frames
        out[at : last + 1] = seen[at : last + 1] - seen[at] > allowed
    return out


def _averaged(values: NDArray[np.float32], times: Floats) -> Floats:
    """Return the moving mean over :data:`_SMOOTHED` seconds."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    first = np.searchsorted(times, times - _SMOOTHED / 2)
    end = np.searchsorted(times, times + _SMOOTHED / 2, side="right")
    return np.asarray((sums[end] - sums[first]) / (end - first), np.float64)


def _stretches(marked: NDArray[np.bool_], runs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Return first and last of neighbouring marked frames of one run."""
    for first, last in runs:
        edges = np.flatnonzero(np.diff(np.pad(marked[first : last + 1].astype(np.int8), 1)))
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
_AROUND = 1.5  # seconds; pictures that stand still for this long do not define the time
_FEWEST_STEPS = 4  # minimum steps of a piece of the coarse path
_SHORTEST = 0.5  # minimum seconds of a piece that does not continue its neighbour in time
_GOES_ON = 2.0  # tolerance in frames of the reference for continuing in time
_SEARCHED = 0.45  # seconds around the coarse path in which frames are compared
_BEYOND = 0.75  # seconds by which its stretches may continue
_MOST_CELLS = 20_000_000  # maximum pairs of pictures for the coarse path
_ROWS = 1500  # frames of the exhibit mapped at once


@dataclass(frozen=True, eq=False)
class MappedStretch:
    """Times of the exhibit in seconds, and the approximate times of the reference that it shows.

    ``path`` are moments of both from start to end, whose speed may change.
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
    """Find the stretches that are shown, with a few pictures per second."""
    rate = _RATE
    while rate > 1 and len(_ticks(exhibit, rate)) * len(_ticks(reference, rate)) > _MOST_CELLS:
        rate /= 2
    seen_at, known_at = _ticks(exhibit, rate), _ticks(reference, rate)
    seen, known = comparable_rows(exhibit, reference, view, seen_at, known_at, _COARSE)
    moments = exhibit.times[seen_at], reference.times[known_at]
    path = best_path(similarity_matrix(seen, known, *moments, _AROUND), None, None)
    runs = _runs(path)
    for hole in reference.holes:
        column = int(np.searchsorted(known_at, hole, side="right")) - 1
        runs = [part for run in runs for part in _cut(path, run, column)]
    out = []
    for first, last in runs:
        if last - first + 1 >= min(_FEWEST_STEPS, len(path)):
            seen_times = exhibit.times[seen_at[first : last + 1]]
            known_times = reference.times[known_at[path[first : last + 1]]]
            out.append(
                MappedStretch(
                    float(seen_times[0]),
                    float(seen_times[-1]),
                    float(known_times[0]),
                    float(known_times[-1]),
                    (seen_times, known_times),
                )
            )
    return out


def map_times(exhibit: Strip, reference: Strip, view: AffineView, coarse: Sequence[MappedStretch]) -> TimeMap:
    """Map frame by frame along the ``coarse`` path; ``reference`` holds every frame around it."""
    count = len(exhibit)
    places = np.full(count, NOWHERE, np.intp)
    around = np.full((count, 2 * KEPT + 1), -1.0, np.float32)
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(count, start + _ROWS))
        near = _near(exhibit.times[rows], reference.times, coarse)
        columns = np.flatnonzero(near.any(axis=0))
        if not len(columns):
            continue
        seen, known = comparable_rows(exhibit, reference, view, rows, columns, 1)
        moments = exhibit.times[rows], reference.times[columns]
        similarities = similarity_matrix(seen, known, *moments, _AROUND)
        found = best_path(np.where(near[:, columns], similarities, np.float32(-1)), *moments)
        for row, at in zip(rows, found, strict=True):
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
    same = same_as_before(exhibit)
    held = same | np.roll(same, -1)
    pieces = [_within(piece, *times, held) for piece in _without_scraps(pieces, *times)]
    kept = np.zeros(count, bool)
    for piece in pieces:
        kept[piece.first : piece.last + 1] = True
    return TimeMap(tuple(pieces), np.where(kept, places, NOWHERE))


def _without_scraps(pieces: list[StripPiece], seen: Floats, known: Floats) -> list[StripPiece]:
    """Drop short pieces whose time differs from that of their neighbours.

    So short a likeness may be chance, except if the whole exhibit is no longer.
    """
    frame = float(np.median(np.diff(seen))) if len(seen) > 1 else 0.0
    least = min(_SHORTEST, float(seen[-1]) + frame) - frame / 2
    exact = _GOES_ON * float(np.median(np.diff(known))) if len(known) > 1 else 0.0
    kept = {at for at, piece in enumerate(pieces) if seen[piece.last] - seen[piece.first] + frame >= least}

    def goes_on(piece: StripPiece, neighbour: StripPiece) -> bool:
        middle = (seen[piece.first] + seen[piece.last]) / 2
        off = (piece.speed - neighbour.speed) * middle + piece.offset - neighbour.offset
        return bool(abs(off) <= max(exact, neighbour.uncertainty))

    for places in (range(len(pieces)), range(len(pieces) - 1, -1, -1)):
        for before, at in pairwise(places):
            if before in kept and at not in kept and goes_on(pieces[at], pieces[before]):
                kept.add(at)
    return [pieces[at] for at in sorted(kept)]


def _within(piece: StripPiece, seen: Floats, known: Floats, held: NDArray[np.bool_]) -> StripPiece:
    """Cut frames off ``piece`` whose line lies before or after the reference.

    Frames ``held`` (n,), which repeat a neighbour's picture, remain.
    """
    rows = np.arange(piece.first, piece.last + 1)
    reference_times = piece.speed * seen[rows] + piece.offset
    slack = piece.uncertainty + (float(np.median(np.diff(known))) / 2 if len(known) > 1 else 0.0)
    inside = rows[
        ((reference_times >= known[0] - slack) & (reference_times <= known[-1] + slack)) | held[rows]
    ]
    return replace(piece, first=int(inside[0]), last=int(inside[-1])) if len(inside) else piece


def _cut(path: Places, run: tuple[int, int], hole: int) -> list[tuple[int, int]]:
    """Split ``run``, rows of ``path``, where it passes column ``hole``."""
    first, last = run
    before = int((path[first : last + 1] <= hole).sum())
    return [run] if before in (0, last - first + 1) else [(first, first + before - 1), (first + before, last)]


def _ticks(strip: Strip, rate: float) -> Places:
    """Return the nearest pictures at ``rate`` even steps per second, without holes."""
    if len(strip) < 2:
        return np.zeros(1, np.intp)
    wanted = np.arange(0.0, strip.times[-1] + 0.5 / rate, 1 / rate)
    after = np.searchsorted(strip.times, wanted).clip(1, len(strip) - 1)
    earlier = wanted - strip.times[after - 1] < strip.times[after] - wanted
    read = np.ones(len(wanted), bool)
    for hole in strip.holes:
        read &= (wanted < strip.times[hole] + 0.5 / rate) | (wanted > strip.times[hole + 1] - 0.5 / rate)
    return np.asarray((after - earlier)[read], np.intp)


def _near(seen: Floats, known: Floats, coarse: Sequence[MappedStretch]) -> NDArray[np.bool_]:
    """Return which frames of the reference each frame of the exhibit is compared with.

    These lie around the path of a stretch, around the line from its first to its last picture, and around
    lines at the same speed through either: with little motion the coarse path may end half a second early or
    late.
    """
    out = np.zeros((len(seen), len(known)), bool)
    for stretch in coarse:
        lasts = stretch.end - stretch.start
        speed = (stretch.reference_end - stretch.reference_start) / lasts if lasts > 0 else 1.0
        expected = stretch.reference_start + (seen - stretch.start) * speed
        alike = seen + stretch.reference_start - stretch.start, seen + stretch.reference_end - stretch.end
        lines = np.stack([expected, np.interp(seen, *stretch.path), *alike])
        least, most = lines.min(axis=0) - _SEARCHED, lines.max(axis=0) + _SEARCHED
        row = (seen >= stretch.start - _BEYOND) & (seen <= stretch.end + _BEYOND)
        out |= row[:, None] & (known[None] >= least[:, None]) & (known[None] <= most[:, None])
    return out


def _runs(path: Places, seen: Floats | None = None, known: Floats | None = None) -> list[tuple[int, int]]:
    """Return first and last row of each stretch in which time runs on in both files."""
    out: list[tuple[int, int]] = []
    for row, at in enumerate(path):
        if at == NOWHERE:
            continue
        if out and out[-1][1] == row - 1:
            before = path[row - 1]
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
