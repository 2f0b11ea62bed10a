"""A photo with a thumbnail in its EXIF."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import PIL.Image


def with_thumbnail(picture: PIL.Image.Image, thumb: PIL.Image.Image, path: Path) -> Path:
    """A JPEG whose EXIF (big-endian TIFF) holds ``thumb`` in its second directory, as cameras write it."""
    small = io.BytesIO()
    thumb.save(small, "JPEG", quality=80)
    data = small.getvalue()
    first = struct.pack(">H", 0) + struct.pack(">I", 14)
    entries = struct.pack(">HHII", 0x0201, 4, 1, 14 + 2 + 24 + 4) + struct.pack(
        ">HHII", 0x0202, 4, 1, len(data)
    )
    block = b"MM\0*" + struct.pack(">I", 8) + first + struct.pack(">H", 2) + entries + b"\0" * 4 + data
    picture.save(path, quality=90, exif=b"Exif\0\0" + block)
    return path
