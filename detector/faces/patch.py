"""The pixels around one face, from which every framing and every view of it is cut.

A patch holds the frame's own pixels, without resampling unless the face is larger than any network needs, so
that crops made of it later are those the frame itself would have given.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from detector.faces.framing import HEAD_PER_BOX
from detector.faces.pasted import bounds_of_photo
from detector.media.frame import Image
from detector.schema.analysis import Box

MARGIN = 1.2  # head squares kept around a face
LARGEST = 480  # px; larger patches are reduced to this


class FacePatch(NamedTuple):
    """RGB pixels around a face, its box in them, and how many of them are one pixel of the frame."""

    image: Image
    box: Box
    scale: float


def reach_of(box: Box) -> float:
    """How far a patch goes from the middle of ``box``, in px."""
    x0, y0, x1, y1 = box
    return MARGIN * HEAD_PER_BOX * float(np.sqrt((x1 - x0) * (y1 - y0))) / 2


def cut_patch(image: Image, box: Box) -> FacePatch:
    """The part of ``image`` (RGB) around ``box``."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    half = reach_of(box)
    # Moved inside like the head's square itself, so that it keeps what that needs at a frame's edge.
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
    """The same of a photograph, which may be pasted into a larger picture: nothing beyond its edges."""
    left, top, right, bottom = bounds_of_photo(image, box, reach_of(box))
    x0, y0, x1, y1 = box
    return cut_patch(image[top:bottom, left:right], (x0 - left, y0 - top, x1 - left, y1 - top))


def encode(image: Image) -> bytes:
    """RGB pixels to a JPEG of nearly highest quality without chroma subsampling, some 60 kB."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        98,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def decode(data: bytes) -> Image:
    """RGB pixels of an encoded picture."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
