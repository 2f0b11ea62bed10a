"""Tell whether a container holds all the parts that it names, so that a file was not cut off.

Counts and durations in headers are no promise of pictures: recorders count repetitions of the picture before,
and let the last picture stay. Whoever cuts a file off leaves a part that breaks off, or one that is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from detector.media.acceptance import MATROSKA
from detector.media.containers import CLUSTER, EBML, HEADER_MATROSKA, SEGMENT, element_header, file_properties

_RIFF_HEADER = 12  # bytes: RIFF, length, form
_LIST, _INDEX_ENTRY = 12, 16  # bytes of a list's header, and of an entry in an index of indexes
_BLOCKS, _MOST_ELEMENTS = (0xA3, 0xA0), 1 << 17  # of Matroska (RFC 9559): SimpleBlock and BlockGroup
_MOST_PARTS, _LARGEST_HEADER = 4096, 1 << 20  # of an AVI
_TAG_HEADER, _TAG_KINDS = 11, (8, 9, 18)  # of FLV: bytes; sound, picture, script


def holds_all_parts(file: BinaryIO, demuxer: str) -> bool:
    """Return whether a file holds all parts that it names; False where its container cannot tell."""
    test = _TESTS.get(demuxer)
    return test is not None and test(file, file.seek(0, 2))


def _is_whole_avi(file: BinaryIO, end: int) -> bool:
    """Test each RIFF part, and the indexes in the header (OpenDML AVI File Format Extensions 1.02)."""
    at, header = 0, b""
    for _ in range(_MOST_PARTS):
        file.seek(at)
        riff = file.read(_RIFF_HEADER)
        if len(riff) < _RIFF_HEADER or riff[:4] != b"RIFF" or riff[8:] not in (b"AVI ", b"AVIX"):
            break  # some programs append data of their own
        if at == 0:
            header = file.read(_LARGEST_HEADER)
        length = int.from_bytes(riff[4:8], "little")
        if not length or at + 8 + length > end:
            return False
        at += 8 + length + length % 2
    return at > 0 and all(offset + size <= end for offset, size in _avi_indexes(header))


def _avi_indexes(header: bytes) -> Iterator[tuple[int, int]]:
    """Yield offset and length of each index that the streams of an AVI name in their index of indexes."""
    stop = 8 + int.from_bytes(header[4:8], "little") if header[8:12] == b"hdrl" else 0
    at = _LIST
    while at + 8 <= min(stop, len(header)):
        kind, length = header[at : at + 4], int.from_bytes(header[at + 4 : at + 8], "little")
        if kind == b"LIST":  # its contents are chunks as well
            at += _LIST
            continue
        data = header[at + 8 : at + 8 + length]
        if kind == b"indx" and len(data) >= 24 and data[3] == 0:
            used = 24 + int.from_bytes(data[4:8], "little") * _INDEX_ENTRY
            for entry in range(24, min(len(data), used) - _INDEX_ENTRY + 1, _INDEX_ENTRY):
                offset, size = struct.unpack_from("<QI", data, entry)
                yield offset, size
        at += 8 + length + length % 2


def _is_whole_matroska(file: BinaryIO, end: int) -> bool:
    """Test the length of the segment (RFC 9559), which recorders write last; streams state none."""
    at = 0
    for wanted in (EBML, SEGMENT):
        file.seek(at)
        header = element_header(file.read(HEADER_MATROSKA), 0)
        if header is None or header[0] != wanted:
            return False
        _, length, start = header
        at += start + length
    return at <= end


def last_block(file: BinaryIO) -> int:
    """Return the byte offset of the last block of a Matroska file; its length if that cannot be determined.

    At damage inside a block FFmpeg goes on at the next cluster; without one it reports the end of the file.
    """
    end = file.seek(0, 2)
    at, start, stop = 0, 0, end
    for wanted in ((SEGMENT,), (CLUSTER,), _BLOCKS):
        element = _last_element(file, start, stop, wanted)
        if element is None:
            return end
        at, start, stop = element
    return at


def _last_element(file: BinaryIO, at: int, stop: int, wanted: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return the offset of the last element of a kind, and where its contents start and end.

    None if there is none, or if the elements from ``at`` to ``stop`` are too many or not complete.
    """
    last = None
    for _ in range(_MOST_ELEMENTS):
        if at >= stop:
            return last
        file.seek(at)
        header = element_header(file.read(HEADER_MATROSKA), 0)
        if header is None:
            return None
        kind, length, start = header
        if at + start + length > stop:
            return None
        if kind in wanted:
            last = at, at + start, at + start + length
            if kind == SEGMENT:
                return last  # some programs append data of their own
        at += start + length
    return None


def _is_whole_flv(file: BinaryIO, end: int) -> bool:
    """Test that the length after the last tag is that of a tag (Adobe Flash Video File Format 10.1, E.3)."""
    file.seek(max(0, end - 4))
    length = int.from_bytes(file.read(4), "big")
    if not _TAG_HEADER < length <= end - 4:
        return False
    file.seek(end - 4 - length)
    tag = file.read(_TAG_HEADER)
    return tag[0] & 31 in _TAG_KINDS and int.from_bytes(tag[1:4], "big") == length - _TAG_HEADER


def _is_whole_asf(file: BinaryIO, end: int) -> bool:
    properties = file_properties(file)
    return properties is not None and 0 < int.from_bytes(properties[16:24], "little") <= end


_TESTS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "avi": _is_whole_avi,
    MATROSKA: _is_whole_matroska,
    "flv": _is_whole_flv,
    "asf": _is_whole_asf,
}
