"""Parts of the picture that differ, faces aside: something painted out or in, a caption, a logo.

The whole frame is compared on a coarse grid. What compression explains is estimated on the frame itself
(:mod:`detector.comparison.explained_difference`); what stands out for long enough, and is large enough, is
a region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detector.comparison.affine_view import AffineView
from detector.comparison.explained_difference import Mask, expected, remainder
from detector.comparison.strips import ColourLevels, Floats, GreyLevels, small_size
from detector.comparison.tones import Tones
from detector.media.frame import Image
from detector.schema.analysis import Box

SIDE = 192  # px, the longer side of the pictures compared
_SMOOTH = 2.0  # px
_CELL = 4  # px of these, the side of a cell of the grid
THRESHOLD = 3.5
"""Log of how much more a cell differs than compression explains, from which on it stands out."""
_LEAST_LEVELS = 5.0  # levels by which it has to differ, in the mean
_LEAST_CELLS = 6
_APART = 3  # cells between two regions that are one
# Of the lower of two regions, that has to be beside the other for both to be one line of text.
_SAME_ROWS = 0.5
_LETTERS = 2.5  # heights of a line between two words of it
_STANDS_OUT_A_LITTLE = 2.5  # what noise is not estimated on, where it is as large as a region
_LEAST_PLAIN = 0.4  # of what is compared that has to be left to estimate on
_ROUNDS = 4  # of estimating without what differs
_FACE_ROOM = 0.25  # of a face's box on each side that is the face's, not the picture's
_BLOCK = np.ones((3, 3, 3))

GridPart = tuple[slice, slice, slice]  # of the grids: from when to when, rows, columns


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
    time: float, exhibit: Image, reference: Image, view: AffineView, faces: Sequence[Box]
) -> FrameGrid:
    """The grid of one pair of frames."""
    height, width = exhibit.shape[:2]
    size = small_size((width, height), SIDE)
    here, there, inside = aligned(exhibit, reference, view, size)
    away = np.ones(inside.shape, bool)
    scale = np.array(size) / (width, height)
    for x0, y0, x1, y1 in faces:
        dx, dy = _FACE_ROOM * (x1 - x0), _FACE_ROOM * (y1 - y0)
        left, top = ((np.array([x0 - dx, y0 - dy])) * scale).astype(int).clip(0)
        right, bottom = np.ceil(np.array([x1 + dx, y1 + dy]) * scale).astype(int).clip(0)
        away[top:bottom, left:right] = False
    tones = Tones.between(here, there, inside & away)
    if tones.changed or tones.reference_cut:
        # Before they are averaged: a small highlight is cut off as well.
        reference = tones.of_reference(reference) if tones.changed else reference
        exhibit = tones.of_exhibit(exhibit) if tones.reference_cut else exhibit
        here, there, _ = aligned(exhibit, reference, view, size)
    seen, known, background = _grey(here), _grey(there), inside & away
    excess = _excess(seen, known, background, background)
    plain = background
    for _ in range(_ROUNDS):
        # A bar over an eighth of the picture would count as what compression does, and hide part of itself.
        less = background & ~_differing(excess, background.shape)
        if less.sum() < _LEAST_PLAIN * background.sum() or not (plain & ~less).any():
            break
        plain = plain & less
        excess = np.maximum(excess, _excess(seen, known, background, plain))
    return FrameGrid(time, excess)


def _excess(seen: GreyLevels, known: GreyLevels, compared: Mask, background: Mask) -> NDArray[np.float32]:
    """How much more each cell differs than compression explains, which is estimated on ``background``."""
    # What is not compared, as a bar added beside the picture, must not be blurred into what is.
    there = compared.astype(np.float32)
    rest = cv2.GaussianBlur(remainder(seen, known, background) * there, (0, 0), _SMOOTH)
    rest /= np.maximum(cv2.GaussianBlur(there, (0, 0), _SMOOTH), 0.05)
    energy = np.asarray(rest * rest, np.float32)
    noise = expected(energy, known, background)
    excess = np.log((_celled(energy) + 0.25) / (_celled(noise) + 0.25))
    counts = (_celled(compared.astype(np.float32)) > 0.9) & (_celled(energy) > _LEAST_LEVELS**2)
    return np.where(counts, excess, 0).astype(np.float32)


def _differing(excess: NDArray[np.float32], shape: tuple[int, ...]) -> Mask:
    """The pixels of what is large enough to be a region, and of what is around it."""
    labels, count = ndimage.label(excess > _STANDS_OUT_A_LITTLE, structure=_BLOCK[0])
    sizes = ndimage.sum_labels(np.ones_like(labels), labels, np.arange(count + 1))
    large = np.isin(labels, 1 + np.flatnonzero(sizes[1:] >= _LEAST_CELLS))
    around = cv2.dilate(large.astype(np.uint8), np.ones((3, 3)))
    return cv2.resize(around, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST) > 0


def find_regions(
    grids: Sequence[FrameGrid], size: tuple[int, int], least_seconds: float
) -> list[FoundRegion]:
    """Regions over time, in a picture of ``size`` (width, height) px; the strongest first."""
    if not grids:
        return []
    stack = np.stack([grid.excess for grid in grids])
    if len(grids) > 2:
        stack = ndimage.median_filter(stack, size=(min(5, len(grids)), 1, 1), mode="nearest")
    stands_out = stack > THRESHOLD
    labels, _ = ndimage.label(stands_out, structure=_BLOCK)
    times = [grid.time for grid in grids]
    parts = []
    for number, where in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[where] == number
        lasts = times[where[0].stop - 1] - times[where[0].start]
        if inside.any(axis=0).sum() >= _LEAST_CELLS and (len(grids) == 1 or lasts >= least_seconds):
            parts.append(where)
    across, down = size[0] / stack.shape[2], size[1] / stack.shape[1]
    out = []
    for where in _joined(parts, times, least_seconds):
        seconds, rows, columns = where
        strengths = np.where(stands_out[where], stack[where], 0).sum(axis=(1, 2))
        box = (columns.start * across, rows.start * down, columns.stop * across, rows.stop * down)
        level = float(stack[where][stands_out[where]].mean())
        first = seconds.start
        out.append(FoundRegion(first, seconds.stop - 1, box, level, first + int(strengths.argmax())))
    return sorted(out, key=lambda one: -one.level * (one.last - one.first + 1))


def _joined(parts: Sequence[GridPart], times: Sequence[float], gap: float) -> list[GridPart]:
    """``parts`` with those made one that are neighbours in the picture and at most ``gap`` seconds apart.

    The words of a caption, and what it says one after the other, are one region; so is a bar that is hard to
    tell from what it covers in between.
    """
    out, count = list(parts), -1
    while len(out) != count:  # what has grown may be near what was not near its parts
        count, rest, out = len(out), out, []
        while rest:
            one = rest.pop()
            while near := [
                other
                for other in rest
                if _are_near(one, other, times, gap) or _are_line(one, other, times, gap)
            ]:
                rest = [other for other in rest if other not in near]
                one = _around([one, *near])
            out.append(one)
    return out


def _are_near(one: GridPart, other: GridPart, times: Sequence[float], gap: float) -> bool:
    early, late = sorted((one[0], other[0]), key=lambda part: part.start)
    return times[late.start] - times[early.stop - 1] <= gap and all(
        a.start - b.stop <= _APART and b.start - a.stop <= _APART
        for a, b in zip(one[1:], other[1:], strict=True)
    )


def _are_line(one: GridPart, other: GridPart, times: Sequence[float], gap: float) -> bool:
    """Whether both come and go together, side by side, as words of one line do."""
    if any(
        abs(times[a] - times[b]) > gap
        for a, b in ((one[0].start, other[0].start), (one[0].stop - 1, other[0].stop - 1))
    ):
        return False
    heights = [part[1].stop - part[1].start for part in (one, other)]
    shared = min(one[1].stop, other[1].stop) - max(one[1].start, other[1].start)
    apart = max(one[2].start - other[2].stop, other[2].start - one[2].stop)
    return shared >= _SAME_ROWS * min(heights) and apart <= _LETTERS * max(heights)


def _around(parts: Sequence[GridPart]) -> GridPart:
    """The smallest part that holds all of ``parts``."""
    seconds, rows, columns = (
        slice(min(one.start for one in axis), max(one.stop for one in axis))
        for axis in zip(*parts, strict=True)
    )
    return seconds, rows, columns


def aligned(
    exhibit: Image, reference: Image, view: AffineView, size: tuple[int, int]
) -> tuple[ColourLevels, ColourLevels, Mask]:
    """Both at ``size``, the reference as the exhibit shows it, and where it shows any of it."""
    seen = _reduced(exhibit, size)
    scale: Floats = np.array(size) / (exhibit.shape[1], exhibit.shape[0])
    # The reference comes to about the same number of pixels first, averaged: warping samples.
    shrink = min(1.0, float(np.sqrt(scale.prod())) * view.scale)
    known_size = max(8, round(reference.shape[1] * shrink)), max(8, round(reference.shape[0] * shrink))
    known = _reduced(reference, known_size)
    known_scale: Floats = np.array(known_size) / (reference.shape[1], reference.shape[0])
    matrix = cv2.invertAffineTransform(view.between(scale, known_scale))
    there = cv2.warpAffine(known, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones(known.shape[:2], np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    return seen, np.asarray(there, np.float32), cv2.erode(inside, np.ones((3, 3))) > 0.99


def _reduced(image: Image, size: tuple[int, int]) -> ColourLevels:
    # Halving is several times as fast as averaging over parts of pixels.
    while min(image.shape[1] / size[0], image.shape[0] / size[1]) >= 4:
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(
            cv2.resize(image[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA)
        )
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _grey(colours: ColourLevels) -> GreyLevels:
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), np.float32)


def _celled(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of cells."""
    height, width = picture.shape
    size = max(1, width // _CELL), max(1, height // _CELL)
    return np.asarray(cv2.resize(picture.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
