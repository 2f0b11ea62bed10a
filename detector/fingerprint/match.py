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
    sample_weights,
)
from detector.schema.base import Seconds, Value

Share = Annotated[float, Field(ge=0, le=1)]
ABOUT_ALL = 0.95  # share of an exhibit's time from which it counts as all of it
_MOST_SHARE = 0.8
_PICTURE = 0.51  # seconds of one picture of a fingerprint, including the rounding of shares
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
        """Whether it is the whole picture."""
        return (self.left, self.top, self.right, self.bottom) == (0, 0, 1, 1)

    @property
    def area(self) -> float:
        """Its share of the picture."""
        return (self.right - self.left) * (self.bottom - self.top)


class Piece(Value):
    """An interval of one exhibit and the interval of the other that shows the same."""

    start: Seconds
    end: Seconds
    other_start: Seconds
    other_end: Seconds


class Match(Value):
    """Two exhibits that show the same, completely or in part.

    ``pieces`` are the intervals in common; of a photo, a single one of length 0. ``own`` and ``other`` are
    the parts of both pictures that show the same, one of them whole. ``differs`` is the place where the
    pictures differ nevertheless, such as a caption at the top or bottom. ``share`` and ``other_share`` tell
    how much of each exhibit's time is in the other.
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
        """Whether about all of each is in the other, so that they are copies, not parts."""
        return min(self.share, self.other_share) >= ABOUT_ALL

    @property
    def of_most(self) -> bool:
        """Whether most of each is in the other; the rest may be other footage, or cut off."""
        return min(self.share, self.other_share) >= _MOST_SHARE

    @property
    def all_found(self) -> bool:
        """Whether all of this exhibit's time is in the other, with a tolerance of one picture.

        One picture may be a tenth of a short clip, and may be on the other side of a cut.
        """
        common = sum(piece.end - piece.start for piece in self.pieces)
        return self.share >= ABOUT_ALL or common * (1 - self.share) <= _PICTURE * self.share

    @property
    def still(self) -> bool:
        """Whether this exhibit is a photo."""
        return self.pieces[0].start == self.pieces[0].end

    @property
    def other_still(self) -> bool:
        """Whether the other exhibit is a photo."""
        return self.pieces[0].other_start == self.pieces[0].other_end

    def inverse(self) -> Match:
        """Return the match from the view of the other exhibit."""
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


_PAIRS = 24  # of compared pictures
_GRID = 24  # points both ways
_LEAST_DIFFERENCE = 14.0  # least mean difference of a point that counts
_LEAST_RATIO = 4.0  # least ratio to the difference of most points
_CAPTION_ROWS = 5  # rows of the grid in which captions are
_LEAST_AREA = 0.03  # least share of differing points for a place to be reported


def locate_difference(
    own: NDArray[np.uint8],
    other: NDArray[np.uint8],
    pairs: NDArray[np.intp],
    windows: tuple[Window, Window],
    mirrored: bool,
) -> Place | None:
    """Locate where the pictures numbered by ``pairs`` (n, 2) differ within the windows that show the same."""
    if not len(pairs):
        return None
    if windows[0] == windows[1] != WHOLE_PICTURE:  # they agree only without the rest of both
        return "bottom" if windows[0].bottom < 1 else "top"
    chosen = pairs[np.linspace(0, len(pairs) - 1, min(_PAIRS, len(pairs))).round().astype(int)]
    mine = _sample(own[chosen[:, 0]], windows[0])
    if mirrored:
        mine = mine[:, :, ::-1]
    differing = _differing_points(mine, _sample(other[chosen[:, 1]], windows[1]))
    if differing.mean() < _LEAST_AREA:
        return None
    below, above = differing[-_CAPTION_ROWS:].sum(), differing[:_CAPTION_ROWS].sum()
    most = 0.7 * differing.sum()
    if below >= most:
        return "bottom"
    if above >= most:
        return "top"
    # A crop is only known to a twentieth of the picture, so contours differ in places.
    return "part" if windows[0] == windows[1] else None


def _sample(pictures: NDArray[np.uint8], window: Window) -> NDArray[np.float64]:
    """Sample a window of pictures at a grid of points (n, _GRID, _GRID)."""
    side = pictures.shape[1]
    down = sample_weights(window.top, window.bottom, side, _GRID)
    across = sample_weights(window.left, window.right, side, _GRID)
    return np.asarray(down @ pictures.astype(np.float64) @ across.T)


def _differing_points(mine: NDArray[np.float64], its: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return a mask (_GRID, _GRID) of points that differ after matching brightness and contrast."""
    median = np.median(its, axis=(1, 2), keepdims=True), np.median(mine, axis=(1, 2), keepdims=True)
    spread = [
        np.median(np.abs(points - middle), axis=(1, 2), keepdims=True)
        for points, middle in zip((its, mine), median, strict=True)
    ]
    gain = np.clip(spread[1] / np.maximum(spread[0], 1.0), 0.5, 2.0)
    matched = median[1] + gain * (its - median[0])
    # Windows fit to about one point, so compare each point with its neighbours as well.
    around = np.pad(matched, ((0, 0), (1, 1), (1, 1)), mode="edge")
    shifted = [around[:, y : y + _GRID, x : x + _GRID] for y in range(3) for x in range(3)]
    rest = np.min([np.abs(mine - points) for points in shifted], axis=0).mean(axis=0)
    return np.asarray(rest > max(_LEAST_DIFFERENCE, _LEAST_RATIO * float(np.median(rest))))


Key = TypeVar("Key")

# Similarity from which two pictures show the same; docs/copies.md has the measurements.
MATCH_SIMILARITY = 0.47
PATIENCE = 12  # unsuccessful candidates in a row after which the search ends
_PROBES = 6  # pictures by which the view is determined
_CANDIDATES = 3  # pictures of the other with which each probe is compared
_MOST_PAIRS = 8_000_000  # of pictures compared at once; longer exhibits are compared more coarsely
_LEAST_SECONDS = 2.0  # of an interval in common, in longer exhibits
_GAP = 2.0  # seconds within an interval that may show something else
_CROPS = (0.05, 0.1, 0.15, 0.2)


@dataclass(frozen=True)
class _View:
    """Windows of the pictures of two exhibits that show the same."""

    mirrored: bool
    own: Window
    other: Window


def _views() -> list[tuple[Window, Window]]:
    crops = [
        Window(left, top, left + 1 - cut, top + 1 - cut)
        for cut in _CROPS
        for top in (0.0, cut / 2, cut)
        for left in (0.0, cut / 2, cut)
    ]
    # Without a caption above or below, the rest of both pictures is the same.
    uncovered = [Window(bottom=0.84), Window(top=0.16)]
    return [
        (WHOLE_PICTURE, WHOLE_PICTURE),
        *((crop, WHOLE_PICTURE) for crop in crops),
        *((WHOLE_PICTURE, crop) for crop in crops),
        *((window, window) for window in uncovered),
    ]


VIEWS = tuple(_views())
WINDOWS = tuple(dict.fromkeys(window for view in VIEWS for window in view))
# Windows of a picture that are searched in the index: itself, parts of it, and pictures of which it may be a
# part.
COARSE = (
    WHOLE_PICTURE,
    *(Window(a, b, a + 0.9, b + 0.9) for a in (0.0, 0.05, 0.1) for b in (0.0, 0.05, 0.1)),
    *(Window(-a, -b, 1.111 - a, 1.111 - b) for a in (0.0, 0.0555, 0.111) for b in (0.0, 0.0555, 0.111)),
)


def find_match(own: Fingerprint, other: Fingerprint) -> Match | None:
    """Return what ``own`` has in common with ``other``, if anything."""
    if not own.usable.any() or not other.usable.any():
        return None
    view = _best_view(own, other)
    if view is None:
        return None
    step = int(np.ceil(np.sqrt(len(own) * len(other) / _MOST_PAIRS)))
    likeness = _likeness(own, other, view, step)
    stretches = _stretches(likeness, step, own.still or other.still)
    return _build_match(own, other, view, stretches, likeness, step) if stretches else None


def find_matches(
    own: Fingerprint, candidates: Iterable[tuple[Key, Fingerprint]]
) -> Iterator[tuple[Key, Match]]:
    """Yield the matches among ``candidates``, the likeliest first, until no further one is likely."""
    failures = 0
    for key, other in candidates:
        if (match := find_match(own, other)) is not None:
            failures = 0
            yield key, match
        elif (failures := failures + 1) == PATIENCE:
            return


def _best_view(own: Fingerprint, other: Fingerprint) -> _View | None:
    """Return the view under which pictures of both are most similar; None if none are similar."""
    coarse = compute_window_codes(own.pictures[own.looks], COARSE)
    usable = np.flatnonzero(other.usable)
    best: tuple[float, _View] | None = None
    for mirror in (False, True):
        turned = mirror_codes(coarse) if mirror else coarse
        likeness = code_similarity(turned, other.codes[other.looks]).reshape(len(COARSE), len(own.looks), -1)
        probes = np.argsort(-likeness.max(axis=(0, 2)))[:_PROBES]
        # Compare each probe with the most similar pictures of the other.
        likeness = code_similarity(turned[:, probes], other.codes[usable]).reshape(
            len(COARSE), len(probes), -1
        )
        nearest = usable[np.argsort(-likeness.max(axis=0), axis=1)[:, :_CANDIDATES]]
        value, (mine, its) = _finest(own.pictures[own.looks[probes]], other.pictures[nearest], mirror)
        if best is None or value > best[0]:
            best = value, _View(mirror, mine, its)
    return best[1] if best and best[0] > 0 else None


def _finest(
    probes: NDArray[np.uint8], candidates: NDArray[np.uint8], mirror: bool
) -> tuple[float, tuple[Window, Window]]:
    """Compare probes with their candidates (probes, n, side, side); return the best value and its windows."""
    flat = candidates.reshape(-1, *candidates.shape[2:])
    mine = dict(zip(WINDOWS, compute_window_codes(probes, WINDOWS), strict=True))
    its = dict(zip(WINDOWS, compute_window_codes(flat, WINDOWS), strict=True))
    best = (0.0, (WHOLE_PICTURE, WHOLE_PICTURE))
    for own_window, other_window in VIEWS:
        own_codes = mirror_codes(mine[own_window]) if mirror else mine[own_window]
        other_codes = its[other_window].reshape(len(probes), -1, 4)
        likeness = 1 - 2 * np.bitwise_count(own_codes[:, None] ^ other_codes).sum(axis=-1).min(axis=1) / BITS
        # Not the mean, because the exhibits may have only a part in common.
        value = (
            float(np.maximum(likeness - MATCH_SIMILARITY / 2, 0).sum())
            if likeness.max() >= MATCH_SIMILARITY
            else 0.0
        )
        # A smaller part of both pictures agrees more easily.
        value *= 0.9 if own_window == other_window != WHOLE_PICTURE else 1.0
        if value > best[0]:
            best = value, (own_window, other_window)
    return best


def _likeness(own: Fingerprint, other: Fingerprint, view: _View, step: int) -> NDArray[np.float32]:
    """Return the similarity (n, m) of every ``step``-th picture under a view; -1 for unusable pictures."""
    mine = compute_codes(own.pictures[::step], view.own)
    mine = mirror_codes(mine) if view.mirrored else mine
    likeness = code_similarity(mine, compute_codes(other.pictures[::step], view.other)).astype(np.float32)
    likeness[~own.usable[::step]] = -1
    likeness[:, ~other.usable[::step]] = -1
    return likeness


def _stretches(likeness: NDArray[np.float32], step: int, still: bool) -> list[tuple[int, int, int]]:
    """Return disjoint intervals in common as (first, last, shift) in picture numbers, the longest first."""
    if still:
        row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
        is_match = likeness[row, column] >= MATCH_SIMILARITY
        return [(int(row), int(row), int(column - row))] if is_match else []
    rows, columns = np.nonzero(likeness >= MATCH_SIMILARITY)
    least = min(_LEAST_SECONDS * RATE / step, 0.8 * len(likeness))
    free = np.ones(len(likeness), bool)
    out: list[tuple[int, int, int]] = []
    while len(rows) and len(out) < 50:
        is_free = free[rows]
        rows, columns = rows[is_free], columns[is_free]
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
    """Return first and last of the longest run of sorted numbers that are no further than ``gap`` apart."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > max(1.0, gap)) + 1)
    run = max(runs, key=len)
    return int(run[0]), int(run[-1])


def _build_match(
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
    """Convert a window; if it only leaves out a caption of both pictures, it counts as the whole."""
    if view.own == view.other:
        return View()
    left, top, right, bottom = (
        round(edge, 3) for edge in (window.left, window.top, window.right, window.bottom)
    )
    return View(left=left, top=top, right=right, bottom=bottom)


def _share(fingerprint: Fingerprint, spans: list[tuple[float, float]]) -> float:
    if fingerprint.still:
        return 1.0
    covered = np.zeros(len(fingerprint), bool)
    for start, end in spans:
        covered[round(start * RATE) : round(end * RATE)] = True
    return round(float(covered.mean()), 3)
