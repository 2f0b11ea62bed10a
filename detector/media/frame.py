"""A decoded frame: its pixels, its placement on a canvas of another shape, and transparency."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (height, width, 3), RGB


@dataclass(frozen=True)
class Frame:
    """One decoded frame, upright. ``time`` is in seconds from the first frame.

    ``index`` is its position in order of presentation; None if it was reached by seeking. ``shape`` is its
    own height and width if the video changes its size and the frame was fitted to that of the first.
    """

    pts: int
    time: Fraction
    image: Image
    index: int | None = None
    shape: tuple[int, int] | None = None


Size = tuple[int, int]  # width, height


def fit_size(size: Size, canvas: Size) -> Size:
    """Return the size at which a picture of ``size`` just fits ``canvas``, keeping its aspect ratio."""
    scale = min(canvas[0] / size[0], canvas[1] / size[1])
    width, height = (max(1, round(side * scale)) for side in size)
    # A border of one pixel comes from rounding.
    return (canvas[0] if canvas[0] - width < 2 else width, canvas[1] if canvas[1] - height < 2 else height)


def place_on_canvas(image: Image, canvas: Size) -> Image:
    """Centre ``image`` (RGB) on a black canvas; return it unchanged if it fills the canvas."""
    height, width = image.shape[:2]
    if (width, height) == canvas:
        return image
    left, top = (canvas[0] - width) // 2, (canvas[1] - height) // 2
    whole = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    whole[top : top + height, left : left + width] = image
    return whole


WHITE, BLACK = 255, 0
_ROWS = 256  # converted at once, to bound memory


def flatten_transparency(image: Image, alpha: NDArray[np.uint8], background: int) -> Image:
    """Blend ``image`` (height, width, 3) over a plain background by ``alpha`` (height, width)."""
    if alpha.min(initial=255) == 255:
        return image
    result = np.empty_like(image)
    for row in range(0, len(image), _ROWS):
        rows = slice(row, row + _ROWS)
        share = alpha[rows, :, None].astype(np.uint16)
        mixed = image[rows] * share
        mixed += background * (255 - share) + 127
        result[rows] = mixed // 255
    return result


def transparent_share(alpha: NDArray[np.uint8]) -> float:
    """Return the share of pixels that are not fully opaque."""
    return float(np.mean(alpha < 255))
