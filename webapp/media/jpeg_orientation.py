"""What a JPEG's EXIF says of its orientation, as browsers read it: by the letter."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from detector.media.pictures.orientation import EXIF_ORIENTATIONS, UPRIGHT, Orientation

_APP1, _START_OF_SCAN = 0xE1, 0xDA  # ISO/IEC 10918-1, table B.1
_ORIENTATION, _SHORT = 0x0112, 3  # EXIF 2.3, 4.6
_MOST_SEGMENTS = 4096


def browsers_turn(file: BinaryIO) -> Orientation | None:
    """How browsers turn an open JPEG; None where they may read differently what it says."""
    stated = [value for block in _exif_blocks(file) for value in _orientations(block)]
    if not stated:
        return UPRIGHT
    if len(stated) > 1 or stated[0] is None:
        return None
    return EXIF_ORIENTATIONS.get(stated[0], UPRIGHT)


def _exif_blocks(file: BinaryIO) -> Iterator[bytes]:
    """Contents of the segments that hold EXIF, before the first scan."""
    file.seek(2)
    for _ in range(_MOST_SEGMENTS):
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == _START_OF_SCAN:
            return
        data = file.read(max(0, int.from_bytes(head[2:], "big") - 2))
        if head[1] == _APP1 and data.startswith(b"Exif\0"):
            yield data[6:]


def _orientations(block: bytes) -> list[int | None]:
    """Those in the first directory of a block; None for one that is not a single number of 16 bits."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return []
    found: list[int | None] = []
    try:
        (at,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, numbers, value = struct.unpack_from(order + "HHIH", block, entry)
            if tag == _ORIENTATION:
                found.append(value if (kind, numbers) == (_SHORT, 1) else None)
    except struct.error:
        pass  # the block ends early
    return found
