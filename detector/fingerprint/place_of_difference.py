"""Where two exhibits that show the same differ all the same: a caption, a logo, something painted over.

Seen on pictures of a few pixels, so only what is large is found; a comparison with a reference finds more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.fingerprint.codes import WHOLE, Window
from detector.fingerprint.match import Place

_PAIRS = 24  # of pictures looked at
_GRID = 24  # points both ways
_LEVELS = 14.0  # by which a point differs, on average, to count
_TIMES = 4.0  # as much as most points do
_BAND = 5  # rows of the grid: captions lie there
_LEAST = 0.03  # share of the points that differ, for a place to be told


def place_of_difference(
    own: NDArray[np.uint8],
    other: NDArray[np.uint8],
    pairs: NDArray[np.intp],
    windows: tuple[Window, Window],
    mirrored: bool,
) -> Place | None:
    """Where the pictures numbered by ``pairs`` (n, 2) differ within the windows that show the same."""
    if not len(pairs):
        return None
    if windows[0] == windows[1] != WHOLE:  # the rest of both had to be left out for them to agree
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
