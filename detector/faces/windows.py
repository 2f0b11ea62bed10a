"""Windows of a face at the resolution of its frame, in which the second look searches for synthesis.

Generators leave traces in single pixels, which scaling removes. So two squares of 224 px are cut from the
decoded frame and never scaled: around the mouth, and at the lower left of the head, where hair, neck, clothes
and background meet. A third is the middle of the first, enlarged; a fourth is the whole head, scaled
(training/docs/experiments.md compares them).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from detector.faces.crop import CropSquare
from detector.faces.patch import FacePatch, bounds_of_photo, patch_reach
from detector.media.frame import Image
from detector.schema.analysis import Box

WINDOWS = ("mouth", "close mouth", "neck", "whole head")
"""What the outputs of a network that reads windows are about, in order."""
MOUTH, CLOSE, NECK, HEAD = range(len(WINDOWS))
NATIVE = (MOUTH, NECK)
"""The windows that are cut from the frame; the others are made of them and of the patch."""

SIDE = 224  # px of a window
MARGIN = 8  # px kept around it, by which other views move it
_CLOSE = 112  # px, enlarged to SIDE
_READABLE = 0.7  # of a window's side that the picture must have
_MOUTH_AT = 0.72  # of the box's height
# The neighbourhood in whose corner the lower left window lies, as the stills of the research data are cut
_PER_BOX, _LARGEST = 1.9, 512  # longer sides of the box; px


class Corner(NamedTuple):
    """The upper left corner of a window, px of the frame."""

    x: int
    y: int

    def square(self, side: int = SIDE) -> CropSquare:
        """The square of ``side`` px in the middle of the window."""
        return CropSquare(self.x + SIDE / 2, self.y + SIDE / 2, side, 0.0)


def window_corners(box: Box, width: int, height: int) -> tuple[Corner, ...]:
    """Return the corners of the :data:`NATIVE` windows of a face in a frame of ``width`` × ``height`` px.

    A window lies inside the frame as far as the frame is large enough.
    """
    x0, y0, x1, y1 = box
    side = min(
        max(SIDE, min(_LARGEST, _PER_BOX * max(x1 - x0, y1 - y0))), max(width, SIDE), max(height, SIDE)
    )
    left, top = _corner((x0 + x1) / 2, (y0 + y1) / 2, side, width, height)
    return (
        _corner((x0 + x1) / 2, y0 + _MOUTH_AT * (y1 - y0), SIDE, width, height),
        Corner(left, round(top + side) - SIDE),
    )


def _corner(x: float, y: float, side: float, width: int, height: int) -> Corner:
    return Corner(
        round(float(np.clip(x - side / 2, 0, max(0.0, width - side)))),
        round(float(np.clip(y - side / 2, 0, max(0.0, height - side)))),
    )


def cut_windows(image: Image, box: Box, still: bool = False) -> FacePatch:
    """Cut the :data:`NATIVE` windows of the face in ``box`` with their margins from ``image`` (RGB).

    They lie below each other in the patch, whose ``box`` holds the two corners in the image. Outside the
    frame its pixels are mirrored; where that is most of a window, ``scale`` is 0 and nothing may be read from
    native windows, otherwise 1. In a photograph (``still``) that is pasted into a larger picture windows
    lie within its edges.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = (
        bounds_of_photo(image, box, patch_reach(box)) if still else (0, 0, width, height)
    )
    image, (x0, y0, x1, y1) = image[top:bottom, left:right], box
    corners = window_corners((x0 - left, y0 - top, x1 - left, y1 - top), right - left, bottom - top)
    pixels = [_cut(image, corner.x - MARGIN, corner.y - MARGIN, SIDE + 2 * MARGIN) for corner in corners]
    places = [value for x, y in corners for value in (float(x + left), float(y + top))]
    readable = min(right - left, bottom - top) >= _READABLE * SIDE
    box = places[0], places[1], places[2], places[3]
    return FacePatch(np.concatenate(pixels), box, float(readable))


def _cut(image: Image, left: int, top: int, side: int) -> Image:
    height, width = image.shape[:2]
    inside = image[max(0, top) : top + side, max(0, left) : left + side]
    over = max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - width)
    return cv2.copyMakeBorder(inside, *over, cv2.BORDER_REFLECT_101) if any(over) else inside


def corners_of(windows: FacePatch) -> tuple[Corner, ...]:
    """Return the corners of the windows in a patch of :func:`cut_windows`."""
    x0, y0, x1, y1 = (round(value) for value in windows.box)
    return Corner(x0, y0), Corner(x1, y1)


def window_squares(windows: FacePatch, head: CropSquare) -> tuple[CropSquare, ...]:
    """Return the squares in the frame of all :data:`WINDOWS`, with that of the whole ``head``."""
    mouth, neck = corners_of(windows)
    return mouth.square(), mouth.square(_CLOSE), neck.square(), head


def native_windows(windows: FacePatch, dx: int = 0, dy: int = 0) -> tuple[Image, Image, Image]:
    """Return mouth, close mouth and neck (224, 224, 3) of a patch, moved by at most :data:`MARGIN` px."""
    side = SIDE + 2 * MARGIN
    mouth, neck = (
        windows.image[at + MARGIN + dy : at + MARGIN + dy + SIDE, MARGIN + dx : MARGIN + dx + SIDE]
        for at in (0, side)
    )
    inner = (SIDE - _CLOSE) // 2
    close = mouth[inner : inner + _CLOSE, inner : inner + _CLOSE]
    return mouth, cv2.resize(close, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), neck
