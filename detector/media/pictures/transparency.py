"""Pictures with transparent areas on a plain ground, as viewers show them.

What lies under a transparent area stays in the file where a program erased it, and nobody sees it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image

WHITE, BLACK = 255, 0
_ROWS = 256  # at once


def on_ground(image: Image, alpha: NDArray[np.uint8], ground: int) -> Image:
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
