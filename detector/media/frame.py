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

    ``index`` counts the frames decoded before it, in order of presentation; None where it was
    reached by seeking. ``shape`` is height and width as it was shown, where a video changes its size and the
    frame was brought to that of the first.
    """

    pts: int
    time: Fraction
    image: Image
    index: int | None = None
    shape: tuple[int, int] | None = None


Size = tuple[int, int]  # width, height


def fit_size(size: Size, canvas: Size) -> Size:
    """How large a picture of ``size`` is on ``canvas``: it keeps its shape and fills one of the sides."""
    scale = min(canvas[0] / size[0], canvas[1] / size[1])
    width, height = (max(1, round(side * scale)) for side in size)
    # A bar of one pixel is rounding.
    return (
        canvas[0] if canvas[0] - width < 2 else width,
        canvas[1] if canvas[1] - height < 2 else height,
    )


def place_on_canvas(image: Image, canvas: Size) -> Image:
    """``image`` (RGB) in the middle of a black canvas; itself where it fills that."""
    height, width = image.shape[:2]
    if (width, height) == canvas:
        return image
    left, top = (canvas[0] - width) // 2, (canvas[1] - height) // 2
    whole = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    whole[top : top + height, left : left + width] = image
    return whole


WHITE, BLACK = 255, 0
_ROWS = 256  # at once


def flatten_transparency(image: Image, alpha: NDArray[np.uint8], ground: int) -> Image:
    """``image`` (height, width, 3) where ``alpha`` (height, width) is 255, ``ground`` where it is 0."""
    if alpha.min(initial=255) == 255:
        return image
    shown = np.empty_like(image)
    for row in range(0, len(image), _ROWS):
        rows = slice(row, row + _ROWS)
        share = alpha[rows, :, None].astype(np.uint16)
        mixed = image[rows] * share
        mixed += ground * (255 - share) + 127
        shown[rows] = mixed // 255
    return shown


def transparent_share(alpha: NDArray[np.uint8]) -> float:
    """The share of a picture through which something is seen."""
    return float(np.mean(alpha < 255))
