"""The code of a small picture: the signs of its lowest frequencies, 256 bits.

The signs of a discrete cosine transform, as in the perceptual hashes pHash (Zauner, 2010) and PDQ (Facebook,
2019), but of any part of the picture, so that crops can be looked for after the file is gone. The first 64
bits are those of the lowest frequencies; alone they are the index's coarse code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

GreyPictures = NDArray[np.uint8]  # (n, side, side)
Codes = NDArray[np.uint64]  # (n, 4)
Floats = NDArray[np.float64]

BITS = 255  # that say something: the first one, the picture's brightness, is always 0
LEAST_CONTRAST = 3.0  # levels; the standard deviation of a picture that shows something
_FREQUENCIES, _COARSE, _POINTS = 16, 8, 32


@dataclass(frozen=True)
class Window:
    """A part of a picture, as shares of its width and height; it may reach beyond the picture's edge."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


WHOLE = Window()


def codes(pictures: NDArray[np.generic], window: Window = WHOLE) -> Codes:
    """(n, 4): the codes of what ``window`` shows of each picture."""
    return codes_of_windows(pictures, (window,))[0]


def codes_of_windows(pictures: NDArray[np.generic], windows: tuple[Window, ...]) -> Codes:
    """(windows, n, 4): the codes of each window of each picture."""
    down, across = _transforms(windows, pictures.shape[1], pictures.shape[2])
    waves = down[:, None] @ pictures.astype(np.float64)[None] @ across[:, None]
    signs = waves.reshape(len(windows), len(pictures), -1)[:, :, _order()] > 0
    signs[:, :, 0] = False
    return np.ascontiguousarray(np.packbits(signs, axis=-1)).view(np.uint64)


def mirrored(those: Codes) -> Codes:
    """The codes of the same pictures, left and right exchanged: odd waves across change their sign."""
    return those ^ _odd_across()


def distances(one: Codes, other: Codes) -> NDArray[np.intp]:
    """(n, m): bits by which each code of one differs from each of the other."""
    one, other = one.reshape(-1, 4), other.reshape(-1, 4)
    total = np.zeros((len(one), len(other)), np.int16)
    for word in range(4):
        total += np.bitwise_count(one[:, None, word] ^ other[None, :, word])
    return total.astype(np.intp)


def alike(one: Codes, other: Codes) -> Floats:
    """(n, m): how alike they are: 1 the same, 0 as chance has it, below 0 opposites."""
    return 1 - 2 * distances(one, other) / BITS


@cache
def _transforms(windows: tuple[Window, ...], height: int, width: int) -> tuple[Floats, Floats]:
    """(windows, frequencies, height) and (windows, width, frequencies)."""
    down = np.stack([_transform(window.top, window.bottom, height) for window in windows])
    across = np.stack([_transform(window.left, window.right, width).T for window in windows])
    return down, across


def _transform(start: float, end: float, side: int) -> Floats:
    """(frequencies, side): points of a window along one axis, and the cosine transform of these."""
    points = (start + (end - start) * (np.arange(_POINTS) + 0.5) / _POINTS) * side - 0.5
    points = np.clip(points, 0, side - 1)  # beyond the edge the picture goes on as it ends
    below = np.minimum(points.astype(int), side - 2)
    share = points - below
    taken = np.zeros((_POINTS, side))
    taken[np.arange(_POINTS), below] = 1 - share
    taken[np.arange(_POINTS), below + 1] += share
    waves = np.cos(np.pi / _POINTS * np.outer(np.arange(_FREQUENCIES), np.arange(_POINTS) + 0.5))
    return np.asarray(waves @ taken)


@cache
def _order() -> NDArray[np.intp]:
    """Places of the frequencies, the coarse ones first."""
    down, across = np.divmod(np.arange(_FREQUENCIES**2), _FREQUENCIES)
    fine = (down >= _COARSE) | (across >= _COARSE)
    return np.argsort(fine, kind="stable")


@cache
def _odd_across() -> Codes:
    odd = (_order() % _FREQUENCIES) % 2 == 1
    return np.ascontiguousarray(np.packbits(odd[None], axis=1)).view(np.uint64)
