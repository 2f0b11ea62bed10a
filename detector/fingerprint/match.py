"""Compare two fingerprints: which parts of two exhibits show the same, and where these differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from detector.fingerprint.fingerprint import (
    BITS,
    RATE,
    WHOLE_PICTURE,
    Fingerprint,
    Window,
    code_similarity,
    compute_codes,
    compute_window_codes,
    mirror_codes,
)
from detector.schema.base import Seconds, Value

Share = Annotated[float, Field(ge=0, le=1)]
ABOUT_ALL = 0.95  # share of an exhibit's time from which on that is told as all of it
_MOST = 0.8
_PICTURE = 0.51  # seconds that one picture of a fingerprint stands for, and what rounding of shares adds
Size = tuple[int, int]  # width and height of the pictures, px
Place = Literal["top", "bottom", "part"]


class View(Value):
    """Part of a picture, as shares of its width and height."""

    left: Share = 0.0
    top: Share = 0.0
    right: Share = 1.0
    bottom: Share = 1.0

    @property
    def whole(self) -> bool:
        """Whether it is all of the picture."""
        return (self.left, self.top, self.right, self.bottom) == (0, 0, 1, 1)

    @property
    def area(self) -> float:
        """Share of the picture that it is."""
        return (self.right - self.left) * (self.bottom - self.top)


class Piece(Value):
    """A stretch of one exhibit and the stretch of the other that shows the same."""

    start: Seconds
    end: Seconds
    other_start: Seconds
    other_end: Seconds


class Match(Value):
    """One exhibit shows what another one shows, or a part of it.

    ``pieces`` are the stretches in common; of a photo, a single one without length. ``own`` and ``other``
    are the parts of both pictures that show the same, one of them whole. ``differs`` is where the pictures
    differ all the same: at the top or bottom, as captions make them, or elsewhere. ``share`` and
    ``other_share`` tell how much of each exhibit's time is in the other.
    """

    likeness: float = Field(ge=-1, le=1)
    pieces: tuple[Piece, ...]
    mirrored: bool = False
    own: View = View()
    other: View = View()
    differs: Place | None = None
    share: Share
    other_share: Share
    size: Size
    other_size: Size

    @property
    def of_all(self) -> bool:
        """Whether each is, to about all of its time, in the other: copies, not parts of one another."""
        return min(self.share, self.other_share) >= ABOUT_ALL

    @property
    def of_most(self) -> bool:
        """Whether most of each is in the other; what is not may be other footage, or cut off."""
        return min(self.share, self.other_share) >= _MOST

    @property
    def all_found(self) -> bool:
        """Whether all of this exhibit's time is in the other, give or take one picture of its fingerprint.

        Of a short clip one is a tenth of it; it may fall on the other side of a cut.
        """
        found = sum(piece.end - piece.start for piece in self.pieces)
        return self.share >= ABOUT_ALL or found * (1 - self.share) <= _PICTURE * self.share

    @property
    def still(self) -> bool:
        """Whether this exhibit is a photo."""
        return self.pieces[0].start == self.pieces[0].end

    @property
    def other_still(self) -> bool:
        """Whether the other one is."""
        return self.pieces[0].other_start == self.pieces[0].other_end

    def inverse(self) -> Match:
        """The same, told of the other exhibit."""
        pieces = sorted(
            (
                Piece(start=p.other_start, end=p.other_end, other_start=p.start, other_end=p.end)
                for p in self.pieces
            ),
            key=lambda piece: piece.start,
        )
        swapped: dict[str, object] = {"own": self.other, "other": self.own, "pieces": tuple(pieces)}
        swapped |= {"share": self.other_share, "other_share": self.share}
        return self.model_copy(update=swapped | {"size": self.other_size, "other_size": self.size})


_PAIRS = 24  # of pictures looked at
_GRID = 24  # points both ways
_LEVELS = 14.0  # by which a point differs, on average, to count
_TIMES = 4.0  # as much as most points do
_BAND = 5  # rows of the grid: captions lie there
_LEAST = 0.03  # share of the points that differ, for a place to be told


def locate_difference(
    own: NDArray[np.uint8],
    other: NDArray[np.uint8],
    pairs: NDArray[np.intp],
    windows: tuple[Window, Window],
    mirrored: bool,
) -> Place | None:
    """Where the pictures numbered by ``pairs`` (n, 2) differ within the windows that show the same."""
    if not len(pairs):
        return None
    if windows[0] == windows[1] != WHOLE_PICTURE:  # the rest of both had to be left out for them to agree
        return "bottom" if windows[0].bottom < 1 else "top"
    chosen = pairs[np.linspace(0, len(pairs) - 1, min(_PAIRS, len(pairs))).round().astype(int)]
    mine = _seen(own[chosen[:, 0]], windows[0])
    if mirrored:
        mine = mine[:, :, ::-1]
    differing = _differing(mine, _seen(other[chosen[:, 1]], windows[1]))
    if differing.mean() < _LEAST:
        return None
    below, above = differing[-_BAND:].sum(), differing[:_BAND].sum()
    most = 0.7 * differing.sum()
    if below >= most:
        return "bottom"
    if above >= most:
        return "top"
    # A crop is known to a twentieth of the picture, so contours differ here and there.
    return "part" if windows[0] == windows[1] else None


def _seen(pictures: NDArray[np.uint8], window: Window) -> NDArray[np.float64]:
    """(n, _GRID, _GRID): what a window shows."""
    side = pictures.shape[1]
    down = _places(window.top, window.bottom, side)
    across = _places(window.left, window.right, side)
    return np.asarray(down @ pictures.astype(np.float64) @ across.T)


def _places(start: float, end: float, side: int) -> NDArray[np.float64]:
    points = np.clip((start + (end - start) * (np.arange(_GRID) + 0.5) / _GRID) * side - 0.5, 0, side - 1)
    below = np.minimum(points.astype(int), side - 2)
    taken = np.zeros((_GRID, side))
    taken[np.arange(_GRID), below] = 1 - (points - below)
    taken[np.arange(_GRID), below + 1] = points - below
    return taken


def _differing(mine: NDArray[np.float64], its: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(_GRID, _GRID): points that differ after the other's brightness and contrast were taken on."""
    median = np.median(its, axis=(1, 2), keepdims=True), np.median(mine, axis=(1, 2), keepdims=True)
    spread = [
        np.median(np.abs(each - middle), axis=(1, 2), keepdims=True)
        for each, middle in zip((its, mine), median, strict=True)
    ]
    gain = np.clip(spread[1] / np.maximum(spread[0], 1.0), 0.5, 2.0)
    wanted = median[1] + gain * (its - median[0])
    # Windows fit to a point or so, not better: each point may be that of a neighbour.
    around = np.pad(wanted, ((0, 0), (1, 1), (1, 1)), mode="edge")
    shifted = [around[:, y : y + _GRID, x : x + _GRID] for y in range(3) for x in range(3)]
    rest = np.min([np.abs(mine - each) for each in shifted], axis=0).mean(axis=0)
    return np.asarray(rest > max(_LEVELS, _TIMES * float(np.median(rest))))


Key = TypeVar("Key")

MATCH_SIMILARITY = 0.47
"""From here on two pictures show the same (docs/copies.md has what was measured)."""
PATIENCE = 12  # candidates in a row that come to nothing, after which the others are left
_PROBES = 6  # pictures by which the view is looked for
_CANDIDATES = 3  # pictures of the other that each is compared with, for that
_MOST_PAIRS = 8_000_000  # of pictures compared at once; longer exhibits are compared more coarsely
_LEAST_FIND_MATCH = 2.0  # seconds of a stretch in common, of longer exhibits
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
        (WHOLE_PICTURE, WHOLE_PICTURE),
        *((crop, WHOLE_PICTURE) for crop in crops),
        *((WHOLE_PICTURE, crop) for crop in crops),
        *((window, window) for window in uncovered),
    ]


VIEWS = tuple(_views())
WINDOWS = tuple(dict.fromkeys(window for view in VIEWS for window in view))
COARSE = (
    WHOLE_PICTURE,
    *(Window(a, b, a + 0.9, b + 0.9) for a in (0.0, 0.05, 0.1) for b in (0.0, 0.05, 0.1)),
    *(Window(-a, -b, 1.111 - a, 1.111 - b) for a in (0.0, 0.0555, 0.111) for b in (0.0, 0.0555, 0.111)),
)
"""Windows of a picture that are looked for in the index: itself, parts of it, what it may be a part of."""


def find_match(own: Fingerprint, other: Fingerprint) -> Match | None:
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


def find_matches(
    own: Fingerprint, candidates: Iterable[tuple[Key, Fingerprint]]
) -> Iterator[tuple[Key, Match]]:
    """What ``own`` has in common with each of several, the likeliest first, until nothing more is likely."""
    failures = 0
    for key, other in candidates:
        if (found := find_match(own, other)) is not None:
            failures = 0
            yield key, found
        elif (failures := failures + 1) == PATIENCE:
            return


def _best_view(own: Fingerprint, other: Fingerprint) -> _View | None:
    """The view under which pictures of one look most like pictures of the other; none if none does."""
    coarse = compute_window_codes(own.pictures[own.looks], COARSE)
    theirs = np.flatnonzero(other.usable)
    best: tuple[float, _View] | None = None
    for mirror in (False, True):
        turned = mirror_codes(coarse) if mirror else coarse
        likeness = code_similarity(turned, other.codes[other.looks]).reshape(len(COARSE), len(own.looks), -1)
        probes = np.argsort(-likeness.max(axis=(0, 2)))[:_PROBES]
        # Each probe with the pictures of the other that look most like it.
        likeness = code_similarity(turned[:, probes], other.codes[theirs]).reshape(
            len(COARSE), len(probes), -1
        )
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
    mine = dict(zip(WINDOWS, compute_window_codes(probes, WINDOWS), strict=True))
    its = dict(zip(WINDOWS, compute_window_codes(flat, WINDOWS), strict=True))
    best = (0.0, (WHOLE_PICTURE, WHOLE_PICTURE))
    for one, two in VIEWS:
        here = mirror_codes(mine[one]) if mirror else mine[one]
        there = its[two].reshape(len(probes), -1, 4)
        likeness = 1 - 2 * np.bitwise_count(here[:, None] ^ there).sum(axis=-1).min(axis=1) / BITS
        # Not the mean: a part may be all there is in common.
        value = (
            float(np.maximum(likeness - MATCH_SIMILARITY / 2, 0).sum())
            if likeness.max() >= MATCH_SIMILARITY
            else 0.0
        )
        value *= 0.9 if one == two != WHOLE_PICTURE else 1.0  # less of a picture agrees more easily
        if value > best[0]:
            best = value, (one, two)
    return best


def _likeness(own: Fingerprint, other: Fingerprint, view: _View, step: int) -> NDArray[np.float32]:
    """(n, m): how alike every ``step``-th picture of both is under a view; -1 where one shows nothing."""
    mine = compute_codes(own.pictures[::step], view.own)
    mine = mirror_codes(mine) if view.mirrored else mine
    likeness = code_similarity(mine, compute_codes(other.pictures[::step], view.other)).astype(np.float32)
    likeness[~own.usable[::step]] = -1
    likeness[:, ~other.usable[::step]] = -1
    return likeness


def _stretches(likeness: NDArray[np.float32], step: int, still: bool) -> list[tuple[int, int, int]]:
    """Stretches in common, as (first, last, shift) in numbers of pictures: the longest first, none twice."""
    if still:
        row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
        found = likeness[row, column] >= MATCH_SIMILARITY
        return [(int(row), int(row), int(column - row))] if found else []
    rows, columns = np.nonzero(likeness >= MATCH_SIMILARITY)
    least = min(_LEAST_FIND_MATCH * RATE / step, 0.8 * len(likeness))
    free = np.ones(len(likeness), bool)
    out: list[tuple[int, int, int]] = []
    while len(rows) and len(out) < 50:
        kept = free[rows]
        rows, columns = rows[kept], columns[kept]
        if not len(rows):
            break
        shifts = columns - rows + len(likeness)
        worth = np.bincount(shifts, likeness[rows, columns] - MATCH_SIMILARITY / 2)
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
    good, windows = pairs[agreed >= MATCH_SIMILARITY] * step, (view.own, view.other)
    differs = locate_difference(own.pictures, other.pictures, good, windows, view.mirrored)
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
