"""Pictures in a photo file besides the main one: the EXIF thumbnail, appended pictures and a motion video."""

from __future__ import annotations

import io
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from detector.media.acceptance import is_boxed_picture
from detector.schema.metadata import Thumbnail

# Thresholds beyond which thumbnail and picture differ, as measured in docs/exhibit.md.
LEAST_LIKENESS = 0.9  # correlation of the whole
MOST_DIFFERENCE = 0.35  # of one part
_LONGEST_SIDE = 1024
_SMALL = 48  # px of a side when both are compared as a whole
_CELLS, _CELL = 8, 12  # cells a side, and px of a cell, when parts are compared
_LEAST_CROP = 24  # px of a crop's shorter side in the thumbnail
_SCALES = np.geomspace(0.97, 0.3, 40)  # side of a crop relative to the thumbnail
_SEARCH_SIDE = 160  # px of the thumbnail's longer side when a crop is searched for

Grey = NDArray[np.float32]


def compare_thumbnail(data: bytes, image: PIL.Image.Image) -> Thumbnail | None:
    """Compare the JPEG thumbnail in ``data`` with ``image``, which is decoded at a reduced size."""
    # JPEG only: Pillow must not open arbitrary formats.
    with PIL.Image.open(io.BytesIO(data), formats=("JPEG",)) as small:
        if max(small.size) > _LONGEST_SIDE:
            return None
        width, height = small.size
        thumb = small.convert("L")
    image.draft("L", (2 * _CELLS * _CELL, 2 * _CELLS * _CELL))
    picture = image.convert("L")
    correlation = likeness(thumb, picture)
    difference = cropped = None
    if correlation is not None and correlation >= LEAST_LIKENESS:
        difference = greatest_difference(thumb, picture)
    elif correlation is not None:
        cropped = share_shown(thumb, picture)
    return Thumbnail(
        width=width, height=height, correlation=correlation, difference=difference, cropped=cropped
    )


def likeness(thumb: PIL.Image.Image, picture: PIL.Image.Image) -> float | None:
    """Return the best correlation of two reduced grey pictures; None if one of them is flat."""
    correlations = [_correlation(a, b) for a, b in _pairs(thumb, picture, _SMALL)]
    return round(max(correlations), 3) if correlations else None


def greatest_difference(thumb: PIL.Image.Image, picture: PIL.Image.Image) -> float | None:
    """Return the difference of the least similar of 8 × 8 parts, relative to the thumbnail's contrast.

    Tones are matched by rank first, and a part may be displaced by one pixel.
    """
    pairs = list(_pairs(thumb, picture, _CELLS * _CELL))
    if not pairs:
        return None
    # Smoothing removes what sharpening and compression change.
    small, large = (
        cv2.GaussianBlur(grey, (0, 0), 1.5) for grey in max(pairs, key=lambda pair: _correlation(*pair))
    )
    # Give each pixel of the picture the tone of the same rank in the thumbnail.
    toned = np.empty_like(large)
    toned.ravel()[np.argsort(large, axis=None, kind="stable")] = np.sort(small, axis=None)
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    rest = np.min([np.abs(small - np.roll(toned, shift, (0, 1))) for shift in shifts], axis=0)
    cells = (rest**2).reshape(_CELLS, _CELL, _CELLS, _CELL).mean(axis=(1, 3))
    return round(float(np.sqrt(cells.max()) / small.std()), 3)


def share_shown(thumb: PIL.Image.Image, picture: PIL.Image.Image) -> float | None:
    """Return the share of the thumbnail's area of which the picture is a crop; None if it is no crop."""
    thumb = thumb.copy()
    thumb.thumbnail((_SEARCH_SIDE, _SEARCH_SIDE))
    whole = np.asarray(thumb, np.float32)
    best, share = LEAST_LIKENESS, None
    for scale in _SCALES:
        side = min(scale * thumb.width / picture.width, scale * thumb.height / picture.height)
        size = round(picture.width * side), round(picture.height * side)
        if min(size) < _LEAST_CROP:
            break
        part = np.asarray(picture.resize(size, PIL.Image.Resampling.BOX), np.float32)
        if part.std() <= 1:
            continue
        similarity = float(cv2.matchTemplate(whole, part, cv2.TM_CCOEFF_NORMED).max())
        if best <= similarity <= 1:
            best, share = similarity, size[0] * size[1] / (thumb.width * thumb.height)
    return None if share is None else round(share, 3)


def _pairs(thumb: PIL.Image.Image, picture: PIL.Image.Image, side: int) -> Iterator[tuple[Grey, Grey]]:
    """Yield thumbnail and picture as squares of ``side`` px, for each way in which they may correspond.

    Cameras pad thumbnails with bars to 4:3, and some turn the picture but not its thumbnail.
    """
    for turned in (picture, picture.transpose(PIL.Image.Transpose.ROTATE_90)):
        for upright in (turned, turned.transpose(PIL.Image.Transpose.ROTATE_180)):
            shape = upright.width / upright.height
            width = min(thumb.width, round(thumb.height * shape))
            height = min(thumb.height, round(thumb.width / shape))
            left, top = (thumb.width - width) // 2, (thumb.height - height) // 2
            for part in (thumb, thumb.crop((left, top, left + width, top + height))):
                if not part.width or not part.height:
                    continue
                a, b = (
                    np.asarray(p.resize((side, side), PIL.Image.Resampling.BOX), np.float32)
                    for p in (part, upright)
                )
                if a.std() > 1 and b.std() > 1:
                    yield a, b


def _correlation(a: Grey, b: Grey) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


_START, _END, _SCAN = 0xD8, 0xD9, 0xDA  # ISO/IEC 10918-1, table B.1
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment
# The next marker that is neither a stuffed byte nor a restart of the scan.
# Fill bytes may precede a marker that must follow directly; to search with them takes quadratic time.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
_NEXT_MARKER = re.compile(rb"\xff++([^\x00\xd0-\xd7\xff])", re.DOTALL)
# ISO/IEC 14496-12: size of the box, its type, and a brand.
_FILE_TYPE = re.compile(rb"\x00\x00[\x00-\x03].ftyp[ -~]{4}", re.DOTALL)
_MOTION = b"mpvd"  # the box that holds a motion photo's video
_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF....WEBP|BM....\0\0\0\0..\0\0", re.DOTALL
)  # BMP: four reserved bytes, and pixels that begin in the first 64 kB
# Bounds, because a hostile file could make the search start over and over again.
_MOST_PARTS = 1 << 16
_MOST_PICTURES, _MOST_BROKEN = 1000, 16


@dataclass(frozen=True)
class AppendedContent:
    """Number of complete pictures and bytes of a video behind the main picture."""

    pictures: int = 0
    video: int | None = None


def read_appended_content(file: BinaryIO) -> AppendedContent:
    """Find what follows the first picture of a photo file; nothing if its end is unknown."""
    try:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # empty, or no real file
        return AppendedContent()
    with data:
        if is_boxed_picture(data[:16]):
            return AppendedContent(video=_video_in_boxes(data))
        end = _end_of_picture(data, 0)
        if end is None:
            return AppendedContent()
        match = _FILE_TYPE.search(data, end)
        stop, video = (match.start(), len(data) - match.start()) if match else (len(data), None)
        return AppendedContent(_pictures(data, end, stop), video)


def _pictures(data: mmap.mmap, place: int, stop: int) -> int:
    count = broken = 0
    while count < _MOST_PICTURES and broken < _MOST_BROKEN:
        start = _PICTURE.search(data, place, stop)
        if start is None:
            break
        end = _end_of_picture(data, start.start())
        whole = end is not None and start.end() < end <= stop
        place = end if end is not None and whole else start.end()
        count += whole
        broken += not whole
    return count


def _end_of_picture(data: mmap.mmap, at: int) -> int | None:
    """Return the end of a JPEG, PNG, WebP or BMP that begins at ``at``; None if it has none."""
    head = data[at : at + 12]
    if head[:2] == bytes([0xFF, _START]):
        return _end_of_jpeg(data, at)
    if head.startswith(_PNG):
        place = at + len(_PNG)
        for _ in range(_MOST_PARTS):
            kind = data[place + 4 : place + 8]
            if len(kind) < 4:
                return None
            place += 12 + int.from_bytes(data[place : place + 4], "big")
            if kind == b"IEND":
                return place
        return None
    if head[:4] == b"RIFF":
        return at + 8 + (int.from_bytes(head[4:8], "little") + 1) // 2 * 2
    if head[:2] == b"BM":
        return at + int.from_bytes(head[2:6], "little")
    return None


def _end_of_jpeg(data: mmap.mmap, at: int) -> int | None:
    # In an appended picture, unlike the first, each segment must follow directly up to the scan, because its
    # three-byte signature may be chance.
    place, anywhere = at + 2, at == 0
    for _ in range(_MOST_PARTS):
        marker = (_MARKER.search if anywhere else _NEXT_MARKER.match)(data, place)
        if marker is None:
            return None
        kind, place = marker[1][0], marker.end()
        if kind == _END:
            return place if anywhere else None
        anywhere |= kind == _SCAN
        if kind not in _BARE_MARKERS:  # skip the contents of the segment, which may look like markers
            place += int.from_bytes(data[place : place + 2], "big")
    return None


def _video_in_boxes(data: mmap.mmap) -> int | None:
    """Return the bytes of a motion photo's video box, or of a file appended to an AVIF or HEIF picture."""
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
