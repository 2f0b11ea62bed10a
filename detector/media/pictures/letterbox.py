"""Pictures of one shape on a canvas of another: as large as they fit, in the middle, as players show them."""

from __future__ import annotations

import numpy as np

from detector.media.frame import Image

Size = tuple[int, int]  # width, height


def fitted(size: Size, canvas: Size) -> Size:
    """How large a picture of ``size`` is on ``canvas``: it keeps its shape and fills one of the sides."""
    scale = min(canvas[0] / size[0], canvas[1] / size[1])
    width, height = (max(1, round(side * scale)) for side in size)
    # A bar of one pixel is rounding.
    return (
        canvas[0] if canvas[0] - width < 2 else width,
        canvas[1] if canvas[1] - height < 2 else height,
    )


def on_canvas(image: Image, canvas: Size) -> Image:
    """``image`` (RGB) in the middle of a black canvas; itself where it fills that."""
    height, width = image.shape[:2]
    if (width, height) == canvas:
        return image
    left, top = (canvas[0] - width) // 2, (canvas[1] - height) // 2
    whole = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    whole[top : top + height, left : left + width] = image
    return whole
