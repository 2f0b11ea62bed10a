"""How a picture is turned upright: what EXIF says of a photo, and the display matrix of a video."""

from __future__ import annotations

import math
from typing import BinaryIO

import av
import numpy as np
import PIL.Image
from PIL import ExifTags

from detector.media.exhibit.limits import Bounds
from detector.media.pictures.photo_file import exif_of, open_photo

# Clockwise quarter turns, 0 to 3, and whether to mirror left to right before them.
Orientation = tuple[int, bool]
UPRIGHT: Orientation = (0, False)
# EXIF 2.3, tag 0x0112.
EXIF_ORIENTATIONS: dict[int, Orientation] = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (1, False),
    7: (1, True),
    8: (3, False),
}


def photo_orientation(file: BinaryIO, bounds: Bounds) -> Orientation:
    """What a photo's EXIF says; PyAV cannot read it off frames that carry it.

    Raises :class:`MediaError` for a photo beyond ``bounds``, by its header: FFmpeg decodes a PNG whole to
    find out its size, and Pillow to find its EXIF.
    """
    try:
        with open_photo(file) as photo:
            bounds.refuse_picture(*photo.size)
            if photo.format == "PNG" and "exif" not in photo.info:
                photo.load()  # it may come after the pixels
            return EXIF_ORIENTATIONS.get(exif_of(photo).get(ExifTags.Base.Orientation, 1), UPRIGHT)
    except (OSError, SyntaxError, ValueError, RuntimeError, MemoryError, PIL.Image.DecompressionBombError):
        # MemoryError: Pillow asks for as much as a chunk claims to hold.
        return UPRIGHT  # not a photo, or one whose EXIF is damaged: what matters is whether it decodes


def display_orientation(frame: av.VideoFrame) -> Orientation:
    """What a video's display matrix says.

    Read from the display matrix, nine fixed-point numbers of which the first two rows carry
    a column (a, b) and (c, d): x' = ax + cy, y' = bx + dy, with y downwards.
    """
    data = frame.side_data.get(av.sidedata.sidedata.Type.DISPLAYMATRIX)
    if data is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32)[:9].tolist()
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return round(math.degrees(math.atan2(b, a)) / 90) % 4, mirrored
