"""Parts of the picture that differ, faces aside: something painted out or in, a caption, a logo.

The whole frame is compared on a coarse grid. What compression explains is estimated on the frame itself
(:mod:`detector.comparison.explained`); what stands out for long enough, and is large enough, is a region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detector.comparison.explained import explained
from detector.comparison.strips import Floats, small_size
from detector.comparison.views import View
from detector.media.frame import Image
from detector.schema.analysis import Box

SIDE = 192  # px, the longer side of the pictures compared
_SMOOTH = 2.0  # px
_CELL = 4  # px of these, the side of a cell of the grid
THRESHOLD = 3.5
"""Log of how much more a cell differs than compression explains, from which on it stands out."""
_LEAST_LEVELS = 5.0  # levels by which it has to differ, in the mean
_LEAST_CELLS = 6
_FACE_ROOM = 0.25  # of a face's box on each side that is the face's, not the picture's
_BLOCK = np.ones((3, 3, 3))


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """How much each cell of one frame differs, (rows, columns): log ratio; 0 where it was not compared."""

    time: float
    excess: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FoundRegion:
    """``first`` to ``last`` are grids; ``box`` is in px of the exhibit."""

    first: int
    last: int
    box: Box
    level: float
    strongest: int


def compare_frame(
    time: float, exhibit: Image, reference: Image, view: View, faces: Sequence[Box]
) -> FrameGrid:
    """The grid of one pair of frames."""
    height, width = exhibit.shape[:2]
    size = small_size((width, height), SIDE)
    seen, known, inside = aligned(exhibit, reference, view, size)
    away = np.ones(inside.shape, bool)
    scale = np.array(size) / (width, height)
    for x0, y0, x1, y1 in faces:
        dx, dy = _FACE_ROOM * (x1 - x0), _FACE_ROOM * (y1 - y0)
        left, top = ((np.array([x0 - dx, y0 - dy])) * scale).astype(int).clip(0)
        right, bottom = np.ceil(np.array([x1 + dx, y1 + dy]) * scale).astype(int).clip(0)
        away[top:bottom, left:right] = False
    rest, expected = explained(seen, known, inside & away, _SMOOTH)
    energy = cv2.GaussianBlur(rest, (0, 0), _SMOOTH) ** 2
    excess = np.log((_celled(energy) + 0.25) / (_celled(expected) + 0.25))
    compared = (_celled((inside & away).astype(np.float32)) > 0.9) & (_celled(energy) > _LEAST_LEVELS**2)
    return FrameGrid(time, np.where(compared, excess, 0).astype(np.float32))


def find_regions(
    grids: Sequence[FrameGrid], size: tuple[int, int], least_seconds: float
) -> list[FoundRegion]:
    """Regions over time, in a picture of ``size`` (width, height) px; the strongest first."""
    if not grids:
        return []
    stack = np.stack([grid.excess for grid in grids])
    if len(grids) > 2:
        stack = ndimage.median_filter(stack, size=(min(5, len(grids)), 1, 1), mode="nearest")
    labels, count = ndimage.label(stack > THRESHOLD, structure=_BLOCK)
    across, down = size[0] / stack.shape[2], size[1] / stack.shape[1]
    out = []
    for number, where in enumerate(ndimage.find_objects(labels), start=1):
        times, rows, columns = where
        first, last = times.start, times.stop - 1
        lasts = grids[last].time - grids[first].time
        inside = labels[where] == number
        cells = int(inside.any(axis=0).sum())
        if cells < _LEAST_CELLS or (len(grids) > 1 and lasts < least_seconds):
            continue
        strengths = np.where(inside, stack[where], 0).sum(axis=(1, 2))
        box = (columns.start * across, rows.start * down, columns.stop * across, rows.stop * down)
        level = float(stack[where][inside].mean())
        out.append(FoundRegion(first, last, box, level, first + int(strengths.argmax())))
    return sorted(out, key=lambda one: -one.level * (one.last - one.first + 1))


def aligned(
    exhibit: Image, reference: Image, view: View, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """The brightness of both at ``size``, the reference's as the exhibit shows it, and where it has any."""
    seen = _grey_at(exhibit, size)
    scale: Floats = np.array(size) / (exhibit.shape[1], exhibit.shape[0])
    # The reference comes to about the same number of pixels first, averaged: warping samples.
    shrink = min(1.0, float(np.sqrt(scale.prod())) * view.scale)
    known_size = max(8, round(reference.shape[1] * shrink)), max(8, round(reference.shape[0] * shrink))
    known = _grey_at(reference, known_size)
    known_scale: Floats = np.array(known_size) / (reference.shape[1], reference.shape[0])
    matrix = cv2.invertAffineTransform(view.between(scale, known_scale))
    there = cv2.warpAffine(known, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones_like(known), matrix, size, flags=cv2.INTER_LINEAR)
    return seen, np.asarray(there, np.float32), cv2.erode(inside, np.ones((3, 3))) > 0.99


def _grey_at(image: Image, size: tuple[int, int]) -> NDArray[np.float32]:
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)


def _celled(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of cells."""
    height, width = picture.shape
    size = max(1, width // _CELL), max(1, height // _CELL)
    return np.asarray(cv2.resize(picture.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
