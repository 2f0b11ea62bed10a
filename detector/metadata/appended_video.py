"""A video behind a JPEG, as motion photos have it: an MP4 that begins after the picture's end mark."""

from __future__ import annotations

import mmap
import re
from typing import BinaryIO

_START, _END = 0xD8, 0xD9  # ISO/IEC 10918-1, table B.1
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment
# The next marker that is neither a stuffed byte nor a restart of the scan.
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
# ISO/IEC 14496-12: the box's size, its type, and a brand.
_FILE_TYPE = re.compile(rb"\x00\x00[\x00-\x03].ftyp[ -~]{4}", re.DOTALL)


def appended_video(file: BinaryIO) -> int | None:
    """How many bytes of a JPEG belong to a video behind its picture; None where there is none."""
    try:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # empty, or no file of its own
        return None
    with data:
        end = _end_of_jpeg(data)
        found = _FILE_TYPE.search(data, end) if end is not None else None
        return len(data) - found.start() if found else None


def _end_of_jpeg(data: mmap.mmap) -> int | None:
    """Behind the end mark of the first picture; None where it has none."""
    if data[:2] != bytes([0xFF, _START]):
        return None
    place = 2
    while (marker := _MARKER.search(data, place)) is not None:
        kind, place = marker[1][0], marker.end()
        if kind == _END:
            return place
        if kind not in _ALONE:  # what a segment holds may look like markers
            place += int.from_bytes(data[place : place + 2], "big")
    return None
