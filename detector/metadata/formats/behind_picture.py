"""What lies in a photo file behind the picture that viewers show: further pictures, and a video.

Motion photos have an MP4 behind a JPEG, or in a box of a HEIF file. Pictures joined byte by byte are whole
files, each behind the other. Of TIFF nothing is told: its parts lie anywhere.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from typing import BinaryIO

from detector.media.exhibit.signatures import is_boxed_picture

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA  # ISO/IEC 10918-1, table B.1
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment
# The next marker that is neither a stuffed byte nor a restart of the scan.
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
# ISO/IEC 14496-12: the box's size, its type, and a brand.
_FILE_TYPE = re.compile(rb"\x00\x00[\x00-\x03].ftyp[ -~]{4}", re.DOTALL)
_MOTION = b"mpvd"  # the box that holds a motion photo's video
_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF....WEBP|BM....\0\0\0\0..\0\0", re.DOTALL
)  # BMP: four reserved bytes, and pixels that begin in the first 64 kB
# A hostile file could be read over and over again.
_MOST_PARTS = 1 << 16
_MOST_PICTURES, _MOST_BROKEN = 1000, 16


@dataclass(frozen=True)
class BehindPicture:
    """How many whole pictures, and how many bytes of a video."""

    pictures: int = 0
    video: int | None = None


def behind_picture(file: BinaryIO) -> BehindPicture:
    """What lies behind the first picture of an open photo file; nothing where its end is not known."""
    try:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # empty, or no file of its own
        return BehindPicture()
    with data:
        if is_boxed_picture(data[:16]):
            return BehindPicture(video=_video_in_boxes(data))
        end = _end_of_picture(data, 0)
        if end is None:
            return BehindPicture()
        found = _FILE_TYPE.search(data, end)
        stop, video = (found.start(), len(data) - found.start()) if found else (len(data), None)
        return BehindPicture(_pictures(data, end, stop), video)


def _pictures(data: mmap.mmap, place: int, stop: int) -> int:
    found = broken = 0
    while found < _MOST_PICTURES and broken < _MOST_BROKEN:
        start = _PICTURE.search(data, place, stop)
        if start is None:
            break
        end = _end_of_picture(data, start.start())
        whole = end is not None and start.end() < end <= stop
        place = end if end is not None and whole else start.end()
        found += whole
        broken += not whole
    return found


def _end_of_picture(data: mmap.mmap, at: int) -> int | None:
    """Behind the end of a JPEG, PNG, WebP or BMP that begins at ``at``; None where it has none."""
    head = data[at : at + 12]
    if head[:2] == bytes([0xFF, _START]):
        return _end_of_jpeg(data, at)
    if head.startswith(_PNG):
        return _end_of_png(data, at)
    if head[:4] == b"RIFF":
        return at + 8 + (int.from_bytes(head[4:8], "little") + 1) // 2 * 2
    if head[:2] == b"BM":
        return at + int.from_bytes(head[2:6], "little")
    return None


def _end_of_jpeg(data: mmap.mmap, at: int) -> int | None:
    """Behind the end mark of the picture.

    Of one behind the first, segments have to follow one another up to its scan: three bytes may be chance.
    """
    place, anywhere = at + 2, at == 0
    for _ in range(_MOST_PARTS):
        marker = (_MARKER.search if anywhere else _MARKER.match)(data, place)
        if marker is None:
            return None
        kind, place = marker[1][0], marker.end()
        if kind == _END:
            return place if anywhere else None
        anywhere |= kind == _SCAN
        if kind not in _ALONE:  # what a segment holds may look like markers
            place += int.from_bytes(data[place : place + 2], "big")
    return None


def _end_of_png(data: mmap.mmap, at: int) -> int | None:
    place = at + len(_PNG)
    for _ in range(_MOST_PARTS):
        kind = data[place + 4 : place + 8]
        if len(kind) < 4:
            return None
        place += 12 + int.from_bytes(data[place : place + 4], "big")
        if kind == b"IEND":
            return place
    return None


def _video_in_boxes(data: mmap.mmap) -> int | None:
    """What a motion photo's box holds, or what lies behind an AVIF or HEIF picture as a file of its own."""
    place = 0
    for _ in range(_MOST_PARTS):
        size, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        stop = min(place + size, len(data)) if size else len(data)
        if kind == _MOTION:
            return max(0, stop - place - head)
        if kind == b"ftyp" and place:
            return len(data) - place
        if stop < place + head:
            break
        place = stop
    return None
