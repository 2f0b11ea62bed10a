"""Comparing two fingerprints: whether they show the same, and then which part of which.

First the view is found (mirrored or not, and which part of one picture the other shows) on a few pairs of
pictures, then stretches of time in which codes agree under that view.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from detector.fingerprint.codes import BITS, WHOLE, Window, alike, codes, codes_of_windows, mirrored
from detector.fingerprint.fingerprint import RATE, Fingerprint
from detector.fingerprint.match import Match, Piece, View
from detector.fingerprint.place_of_difference import place_of_difference

Key = TypeVar("Key")

ALIKE = 0.47
"""From here on two pictures show the same (docs/copies.md has what was measured)."""
PATIENCE = 12  # candidates in a row that come to nothing, after which the others are left
_PROBES = 6  # pictures by which the view is looked for
_CANDIDATES = 3  # pictures of the other that each is compared with, for that
_MOST_PAIRS = 8_000_000  # of pictures compared at once; longer exhibits are compared more coarsely
_LEAST = 2.0  # seconds of a stretch in common, of longer exhibits
_GAP = 2.0  # seconds within a stretch that may show something else
_CROPS = (0.05, 0.1, 0.15, 0.2)


@dataclass(frozen=True)
class _View:
    """How pictures of two exhibits lie over one another: these windows of both show the same."""

    mirrored: bool
    own: Window
    other: Window


def _crops() -> list[Window]:
    return [
        Window(left, top, left + 1 - cut, top + 1 - cut)
        for cut in _CROPS
        for top in (0.0, cut / 2, cut)
        for left in (0.0, cut / 2, cut)
    ]


def _views() -> list[tuple[Window, Window]]:
    crops = _crops()
    # A caption may lie above or below; what is left of both pictures is then the same.
    uncovered = [Window(bottom=0.84), Window(top=0.16)]
    return [
        (WHOLE, WHOLE),
        *((crop, WHOLE) for crop in crops),
        *((WHOLE, crop) for crop in crops),
        *((window, window) for window in uncovered),
    ]


VIEWS = tuple(_views())
WINDOWS = tuple(dict.fromkeys(window for view in VIEWS for window in view))
COARSE = (
    WHOLE,
    *(Window(a, b, a + 0.9, b + 0.9) for a in (0.0, 0.05, 0.1) for b in (0.0, 0.05, 0.1)),
    *(Window(-a, -b, 1.111 - a, 1.111 - b) for a in (0.0, 0.0555, 0.111) for b in (0.0, 0.0555, 0.111)),
)
"""Windows of a picture that are looked for in the index: itself, parts of it, what it may be a part of."""


def match(own: Fingerprint, other: Fingerprint) -> Match | None:
    """What ``own`` has in common with ``other``; none if nothing."""
    if not own.usable.any() or not other.usable.any():
        return None
    view = _best_view(own, other)
    if view is None:
        return None
    step = int(np.ceil(np.sqrt(len(own) * len(other) / _MOST_PAIRS)))
    likeness = _likeness(own, other, view, step)
    stretches = _stretches(likeness, step, own.still or other.still)
    return _told(own, other, view, stretches, likeness, step) if stretches else None


def matches(own: Fingerprint, candidates: Iterable[tuple[Key, Fingerprint]]) -> Iterator[tuple[Key, Match]]:
    """What ``own`` has in common with each of several, the likeliest first, until nothing more is likely."""
    failures = 0
    for key, other in candidates:
        if (found := match(own, other)) is not None:
            failures = 0
            yield key, found
        elif (failures := failures + 1) == PATIENCE:
            return


def _best_view(own: Fingerprint, other: Fingerprint) -> _View | None:
    """The view under which pictures of one look most like pictures of the other; none if none does."""
    coarse = codes_of_windows(own.pictures[own.looks], COARSE)
    theirs = np.flatnonzero(other.usable)
    best: tuple[float, _View] | None = None
    for mirror in (False, True):
        turned = mirrored(coarse) if mirror else coarse
        likeness = alike(turned, other.codes[other.looks]).reshape(len(COARSE), len(own.looks), -1)
        probes = np.argsort(-likeness.max(axis=(0, 2)))[:_PROBES]
        # Each probe with the pictures of the other that look most like it.
        likeness = alike(turned[:, probes], other.codes[theirs]).reshape(len(COARSE), len(probes), -1)
        nearest = theirs[np.argsort(-likeness.max(axis=0), axis=1)[:, :_CANDIDATES]]
        value, (mine, its) = _finest(own.pictures[own.looks[probes]], other.pictures[nearest], mirror)
        if best is None or value > best[0]:
            best = value, _View(mirror, mine, its)
    return best[1] if best and best[0] > 0 else None


def _finest(
    probes: NDArray[np.uint8], candidates: NDArray[np.uint8], mirror: bool
) -> tuple[float, tuple[Window, Window]]:
    """How well probes agree with their candidates (probes, n, side, side), and under which windows best."""
    flat = candidates.reshape(-1, *candidates.shape[2:])
    mine = dict(zip(WINDOWS, codes_of_windows(probes, WINDOWS), strict=True))
    its = dict(zip(WINDOWS, codes_of_windows(flat, WINDOWS), strict=True))
    best = (0.0, (WHOLE, WHOLE))
    for one, two in VIEWS:
        here = mirrored(mine[one]) if mirror else mine[one]
        there = its[two].reshape(len(probes), -1, 4)
        likeness = 1 - 2 * np.bitwise_count(here[:, None] ^ there).sum(axis=-1).min(axis=1) / BITS
        # Not the mean: a part may be all there is in common.
        value = float(np.maximum(likeness - ALIKE / 2, 0).sum()) if likeness.max() >= ALIKE else 0.0
        value *= 0.9 if one == two != WHOLE else 1.0  # less of a picture agrees more easily
        if value > best[0]:
            best = value, (one, two)
    return best


def _likeness(own: Fingerprint, other: Fingerprint, view: _View, step: int) -> NDArray[np.float32]:
    """(n, m): how alike every ``step``-th picture of both is under a view; -1 where one shows nothing."""
    mine = codes(own.pictures[::step], view.own)
    mine = mirrored(mine) if view.mirrored else mine
    likeness = alike(mine, codes(other.pictures[::step], view.other)).astype(np.float32)
    likeness[~own.usable[::step]] = -1
    likeness[:, ~other.usable[::step]] = -1
    return likeness


def _stretches(likeness: NDArray[np.float32], step: int, still: bool) -> list[tuple[int, int, int]]:
    """Stretches in common, as (first, last, shift) in numbers of pictures: the longest first, none twice."""
    if still:
        row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
        found = likeness[row, column] >= ALIKE
        return [(int(row), int(row), int(column - row))] if found else []
    rows, columns = np.nonzero(likeness >= ALIKE)
    least = min(_LEAST * RATE / step, 0.8 * len(likeness))
    free = np.ones(len(likeness), bool)
    out: list[tuple[int, int, int]] = []
    while len(rows) and len(out) < 50:
        kept = free[rows]
        rows, columns = rows[kept], columns[kept]
        if not len(rows):
            break
        shifts = columns - rows + len(likeness)
        worth = np.bincount(shifts, likeness[rows, columns] - ALIKE / 2)
        shift = int(worth.argmax())
        here = np.sort(rows[shifts == shift])
        first, last = _longest(here, _GAP * RATE / step)
        if np.count_nonzero((here >= first) & (here <= last)) < max(1.0, least):
            break
        out.append((first, last, shift - len(likeness)))
        free[first : last + 1] = False
    return out


def _longest(numbers: NDArray[np.intp], gap: float) -> tuple[int, int]:
    """First and last of the longest run of sorted numbers that are no further than ``gap`` apart."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > max(1.0, gap)) + 1)
    run = max(runs, key=len)
    return int(run[0]), int(run[-1])


def _told(
    own: Fingerprint,
    other: Fingerprint,
    view: _View,
    stretches: list[tuple[int, int, int]],
    likeness: NDArray[np.float32],
    step: int,
) -> Match:
    pairs = np.array([(i, i + shift) for first, last, shift in stretches for i in range(first, last + 1)])
    agreed = likeness[pairs[:, 0], pairs[:, 1]]
    pieces = tuple(
        Piece(
            start=first * step / RATE,
            end=_end(own, last, step),
            other_start=(first + shift) * step / RATE,
            other_end=_end(other, last + shift, step),
        )
        for first, last, shift in sorted(stretches)
    )
    good, windows = pairs[agreed >= ALIKE] * step, (view.own, view.other)
    differs = place_of_difference(own.pictures, other.pictures, good, windows, view.mirrored)
    return Match(
        likeness=round(float(np.median(agreed)), 3),
        pieces=pieces,
        mirrored=view.mirrored,
        own=_as_view(view.own, view),
        other=_as_view(view.other, view),
        differs=differs,
        share=_share(own, [(p.start, p.end) for p in pieces]),
        other_share=_share(other, [(p.other_start, p.other_end) for p in pieces]),
        size=own.size,
        other_size=other.size,
    )


def _end(fingerprint: Fingerprint, last: int, step: int) -> float:
    return 0.0 if fingerprint.still else min((last + 1) * step / RATE, fingerprint.duration)


def _as_view(window: Window, view: _View) -> View:
    """A window as it is told; what was only left out of both for a caption is told as the whole."""
    if view.own == view.other:
        return View()
    left, top, right, bottom = (
        round(each, 3) for each in (window.left, window.top, window.right, window.bottom)
    )
    return View(left=left, top=top, right=right, bottom=bottom)


def _share(fingerprint: Fingerprint, spans: list[tuple[float, float]]) -> float:
    if fingerprint.still:
        return 1.0
    covered = np.zeros(len(fingerprint), bool)
    for start, end in spans:
        covered[round(start * RATE) : round(end * RATE)] = True
    return round(float(covered.mean()), 3)
