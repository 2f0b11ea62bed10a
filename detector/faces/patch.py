"""The pixels around one face, from which every framing and view of it is cut; in memory or in a file."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from detector.faces.crop import HEAD_PER_BOX
from detector.media.frame import Image
from detector.schema.analysis import Box

PixelBounds = tuple[int, int, int, int]  # left, top, right, bottom, px

_EDGE_EXTENSION = 0.3  # an edge must extend beyond the face by this share of its size
_EDGE_INSET = 0.08  # edges are searched from this share of the face's size inside its box
_PLAIN, _PLAIN_SHARE = 8, 0.9  # levels from the colour of the ground; share of its pixels
_STEP, _STEP_SHARE = 12, 0.5  # levels; share of the edge's length
_PLAIN_WIDTH = 4  # px of plain ground, at least
_STEP_WIDTH = 3  # px of a step, at most
_BLURRED_MARGIN = 2  # px inside an edge that are left out as well, because compression blurs it


def bounds_of_photo(image: Image, box: Box, reach: float) -> PixelBounds:
    """Return the part of ``image`` (RGB) that the photograph with the face in ``box`` fills.

    The network takes a straight edge beside a head, as in a collage or on a screen, for a trace of generation
    (docs/faces.md has figures). An edge is recognised by its outer side: four lines of nearly one colour that
    extend beyond the face and begin with a straight step. Edges are searched up to ``reach`` px from the
    face.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (round(value) for value in box)
    limit = round(reach)
    left, top = max(0, x0 - limit), max(0, y0 - limit)
    grey = cv2.cvtColor(np.ascontiguousarray(image[top : y1 + limit, left : x1 + limit]), cv2.COLOR_RGB2GRAY)
    x0, x1, y0, y1 = x0 - left, x1 - left, y0 - top, y1 - top
    beside_x, beside_y = round(_EDGE_EXTENSION * (x1 - x0)), round(_EDGE_EXTENSION * (y1 - y0))
    inside = round(_EDGE_INSET * min(x1 - x0, y1 - y0))
    rows = grey[max(0, y0 - beside_y) : y1 + beside_y]
    columns = grey[:, max(0, x0 - beside_x) : x1 + beside_x]
    # Search each edge from the face outwards.
    before_x, before_y = max(0, x0 + inside), max(0, y0 + inside)
    after_x, after_y = max(0, x1 - inside), max(0, y1 - inside)
    at_left, at_right = _edge(rows[:, :before_x][:, ::-1].T), _edge(rows[:, after_x:].T)
    at_top, at_bottom = _edge(columns[:before_y][::-1]), _edge(columns[after_y:])
    return (
        0 if at_left is None else left + before_x - at_left + _BLURRED_MARGIN,
        0 if at_top is None else top + before_y - at_top + _BLURRED_MARGIN,
        width if at_right is None else left + after_x + at_right - _BLURRED_MARGIN,
        height if at_bottom is None else top + after_y + at_bottom - _BLURRED_MARGIN,
    )


def _edge(lines: NDArray[np.uint8]) -> int | None:
    """Return the first of ``lines`` (n, m), grey and outwards, that is plain ground, if there is one."""
    count, length = lines.shape
    if count <= _PLAIN_WIDTH or not length:
        return None
    # Histograms of all bands at once: medians of one band after another take twice as long.
    places = lines.astype(np.int64) + 256 * np.arange(count)[:, None]
    by_line = np.bincount(places.ravel(), minlength=256 * count).reshape(count, 256)
    at_most = sliding_window_view(by_line[1:], _PLAIN_WIDTH, axis=0).sum(axis=2).cumsum(axis=1)
    total = _PLAIN_WIDTH * length
    middle = [(at_most <= rank).sum(axis=1) for rank in ((total - 1) // 2, total // 2)]
    colours = (middle[0] + middle[1]) / 2  # medians
    band, below = np.arange(len(colours)), np.ceil(colours - _PLAIN).astype(int) - 1
    within = at_most[band, np.minimum(np.floor(colours + _PLAIN).astype(int), 255)]
    within = within - np.where(below >= 0, at_most[band, np.maximum(below, 0)], 0)
    for first in (1 + np.flatnonzero(within / total >= _PLAIN_SHARE)).tolist():
        before = lines[max(0, first - _STEP_WIDTH) : first].astype(np.int16)
        if (np.abs(before - colours[first - 1]) > _STEP).any(axis=0).mean() >= _STEP_SHARE:
            return int(first)
    return None


MARGIN = 1.2  # head squares kept around a face
LARGEST = 480  # px; larger patches are reduced to this


class FacePatch(NamedTuple):
    """RGB pixels around a face, its box in them, and their scale relative to the frame.

    The pixels are those of the frame, resampled only if the face is larger than any network needs, so that
    crops made from a patch equal those made from the frame.
    """

    image: Image
    box: Box
    scale: float


def patch_reach(box: Box) -> float:
    """Return the distance in px from the centre of ``box`` to the edge of its patch."""
    x0, y0, x1, y1 = box
    return MARGIN * HEAD_PER_BOX * float(np.sqrt((x1 - x0) * (y1 - y0))) / 2


def cut_patch(image: Image, box: Box) -> FacePatch:
    """Cut out the part of ``image`` (RGB) around ``box``."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    half = patch_reach(box)
    # Moved inside the frame like the head square, so that it contains that also at the edge of a frame.
    x = float(np.clip((x0 + x1) / 2, min(half, width / 2), max(width - half, width / 2)))
    y = float(np.clip((y0 + y1) / 2, min(half, height / 2), max(height - half, height / 2)))
    left, top = max(0, round(x - half)), max(0, round(y - half))
    right, bottom = min(width, round(x + half)), min(height, round(y + half))
    patch = image[top:bottom, left:right]
    scale = min(1.0, LARGEST / max(patch.shape[:2]))
    if scale < 1:
        size = (round(patch.shape[1] * scale), round(patch.shape[0] * scale))
        patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA)
    moved = ((x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale)
    return FacePatch(np.ascontiguousarray(patch), moved, scale)


def cut_photo_patch(image: Image, box: Box) -> FacePatch:
    """Cut a patch from a photograph that may be pasted into a larger picture, within its edges."""
    left, top, right, bottom = bounds_of_photo(image, box, patch_reach(box))
    x0, y0, x1, y1 = box
    return cut_patch(image[top:bottom, left:right], (x0 - left, y0 - top, x1 - left, y1 - top))


def encode_jpeg(image: Image) -> bytes:
    """Encode RGB pixels as a JPEG of quality 98 without chroma subsampling, some 60 kB."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 98]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def decode_jpeg(data: bytes) -> Image:
    """Decode a picture to RGB pixels."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


class PatchFile:
    """Stores patches in an unnamed temporary file, so that memory does not grow with their number."""

    def __init__(self) -> None:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        weakref.finalize(self, file.close)
        self._to, self._end = file.fileno(), 0
        self._free: list[tuple[int, int]] = []  # offset and size of free areas

    def put(self, patch: FacePatch) -> PatchInFile:
        """Write a patch; raises ``OSError`` if there is no room."""
        pixels = patch.image.tobytes()
        at, written = self._room(len(pixels)), 0
        while written < len(pixels):
            written += os.pwrite(self._to, pixels[written:], at + written)
        return PatchInFile(self, at, patch.image.shape, patch.box, patch.scale)

    def _room(self, size: int) -> int:
        for number, (at, free) in enumerate(self._free):
            if free >= size:
                self._free[number] = (at + size, free - size)
                return at
        self._end += size
        return self._end - size

    def give_up(self, at: int, size: int) -> None:
        """Free an area for another patch."""
        self._free = [hole for hole in self._free if hole[1]] + [(at, size)]

    def pixels(self, at: int, count: int) -> bytes:
        """Read ``count`` bytes from ``at`` on."""
        return os.pread(self._to, count, at)


class PatchInFile(NamedTuple):
    """A patch stored in ``file`` at offset ``at``."""

    file: PatchFile
    at: int
    shape: tuple[int, ...]
    box: Box
    scale: float

    @property
    def size(self) -> int:
        """Size of the pixels in bytes."""
        return int(np.prod(self.shape))

    def give_up(self) -> None:
        """Free the area in the file; the patch cannot be read any more."""
        self.file.give_up(self.at, self.size)

    def read(self) -> FacePatch:
        """Read the patch."""
        pixels = np.frombuffer(self.file.pixels(self.at, self.size), np.uint8)
        return FacePatch(pixels.reshape(self.shape), self.box, self.scale)
