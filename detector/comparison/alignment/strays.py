"""Frames that only resemble the reference, as what is no part of it does in a scene that stays the same.

Where somebody sits before a fixed background, every moment resembles every other: a picture of what the
reference does not hold (more of the scene before its start or behind its end, or between two of its frames)
agrees with some moment of it better than a picture of another scene would. It agrees less well than frames
that do show the reference, and with no moment much better than with those around it; and its path stands
still on the first or last frame, wanders, or goes through what other frames show. A face that was replaced
agrees less well too, but in its own moment best of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.affine_view import Places
from detector.comparison.alignment.best_path import NOWHERE
from detector.comparison.alignment.pieces import KEPT, MOST_SPEED, fit_piece
from detector.comparison.alignment.similarity import Matrix
from detector.comparison.strips import Floats, Strip

_LACKS = 0.06  # similarity below that of most frames, from which on a frame may be a stray
_LACKS_ALONE = 0.04  # likewise, where all of a run may be one
_LACKS_BESIDE_CUTS = 0.08  # likewise, where a stretch goes on in time as those beside it do
_SMOOTHED = 0.3  # seconds over which similarity is averaged
_EXACT = 2.0  # frames by which a path may be off and still be one
_EDGE = 1  # frames from the reference's last one at which a path stands there
_FEWEST = 3  # frames by which a stretch, or one beside it, is judged
_STOPS = 0.4  # seconds for which a path may stand on one frame
_NEIGHBOURS = 15  # frames beside a stretch by which its time would go on
_HELD = 3  # levels by which a picture that is shown once more may change
_SHOWN = 0.5  # of a stray's moments, that others show


def without_strays(
    exhibit: Strip, known: Floats, around: Matrix, places: Places, runs: list[tuple[int, int]]
) -> Places:
    """``places`` (n,) with :data:`NOWHERE` for frames that only resemble the reference.

    ``runs`` are first and last frames of its stretches, ``around`` as in
    :func:`~detector.comparison.alignment.pieces.fit_piece`.
    """
    found = places != NOWHERE
    if min(len(exhibit), len(known)) < _FEWEST or not found.any():
        return places
    seen, own = exhibit.times, around[:, KEPT]
    kept = found & ~_standing(seen, known, places, runs) & ~_stopped(seen, known, places, runs)
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
    # A picture that is held on shows what it showed before, for longer.
    same = np.flatnonzero(same_as_before(exhibit) & found & np.roll(found, 1))
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
    """The similarity of most of the ``kept`` frames that show the reference.

    Where there are stretches with a time that is known exactly, of those: most of an exhibit may be strays.
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

    ``sure`` (n,) are frames that agree as most do, at about ``level``; ``shown`` (m,) what they show.
    """

    seen: Floats
    known: Floats
    around: Matrix
    places: Places
    sure: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    level: float

    def only_resembles(self, first: int, last: int) -> bool:
        """Whether these frames, which agree less than most, have no moment of their own."""
        rows = np.arange(first, last + 1)
        if len(rows) < _FEWEST:
            return False
        exact = _EXACT * float(np.median(np.diff(self.known)))
        beside = self._beside(first, -1), self._beside(last, 1)
        goes_on = [self._off(near, rows) <= exact for near in beside]
        # What moves is told by the seconds around a frame, which beside a cut are others in the reference.
        lacks = self.level - float(np.median(self.around[rows, KEPT]))
        if all(goes_on) or (any(goes_on) and lacks < _LACKS_BESIDE_CUTS):
            return False
        piece = fit_piece(self.seen, self.known, self.around, self.places, first, last)
        if piece is None:
            return True
        there = self.places[rows]
        off = np.abs(self.known[there] - piece.speed * self.seen[rows] - piece.offset)
        wanders = 2 * float(np.median(off)) > exact
        return piece.uncertainty > exact and (wanders or float(self.shown[there].mean()) >= _SHOWN)

    def _beside(self, row: int, step: int) -> Places:
        """The frames next to ``row`` on one side that agree, up to the first that does not."""
        rows = row + step * np.arange(1, _NEIGHBOURS + 1)
        rows = rows[(rows >= 0) & (rows < len(self.sure))]
        return np.asarray(rows[np.cumprod(self.sure[rows], dtype=bool)], np.intp)

    def _off(self, near: Places, rows: Places) -> float:
        """How far ``rows`` lie, in the median, from the line through ``near``, in seconds."""
        if len(near) < _FEWEST:
            return np.inf
        speed, offset = np.polyfit(self.seen[near], self.known[self.places[near]], 1)
        return float(np.median(np.abs(self.known[self.places[rows]] - speed * self.seen[rows] - offset)))


def _standing(seen: Floats, known: Floats, places: Places, runs: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Frames at the start of a run that stand on the reference's first one, or at its end on the last.

    As many as the reference shows there, at the run's speed, are left.
    """
    last = len(places) - 1
    backwards = [(last - end, last - start) for start, end in runs]
    return (
        _overstaying(seen, known, places, runs)
        | _overstaying(-seen[::-1], -known[::-1], len(known) - 1 - places[::-1], backwards)[::-1]
    )


def _stopped(seen: Floats, known: Floats, places: Places, runs: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Frames of a path that stops on one of the reference's for long, but for the first."""
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
    """Frames that stand on the reference's last one longer than it lasts."""
    out = np.zeros(len(places), bool)
    frames = float(np.median(np.diff(seen))) + float(np.median(np.diff(known)))
    for first, last in runs:
        before = np.flatnonzero(places[first : last + 1] < len(known) - 1 - _EDGE)
        at = first + (int(before[-1]) + 1 if len(before) else 0)
        if at > last:
            continue
        lasts, shows = seen[at] - seen[first], known[places[at]] - known[places[first]]
        speed = float(np.clip(shows / lasts, 1 / MOST_SPEED, MOST_SPEED)) if lasts > 0 else 1.0
        left = (known[-1] - known[places[at]]) / speed + frames
        out[at : last + 1] = seen[at : last + 1] - seen[at] > left
    return out


def _averaged(values: NDArray[np.float32], times: Floats) -> Floats:
    """The mean of what lies within half of :data:`_SMOOTHED` seconds of each."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    first = np.searchsorted(times, times - _SMOOTHED / 2)
    end = np.searchsorted(times, times + _SMOOTHED / 2, side="right")
    return np.asarray((sums[end] - sums[first]) / (end - first), np.float64)


def _stretches(marked: NDArray[np.bool_], runs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """First and last of neighbouring frames of one run that are marked."""
    for first, last in runs:
        edges = np.flatnonzero(np.diff(np.pad(marked[first : last + 1].astype(np.int8), 1)))
        for start, end in edges.reshape(-1, 2).tolist():
            yield first + start, first + end - 1


def same_as_before(exhibit: Strip) -> NDArray[np.bool_]:
    """Which frames are those before them once more."""
    out = np.zeros(len(exhibit), bool)
    for row in range(1, len(out)):
        out[row] = int(cv2.absdiff(exhibit.pictures[row], exhibit.pictures[row - 1]).max()) <= _HELD
    return out
