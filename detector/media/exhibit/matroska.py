"""How players are to crop the pictures of a Matroska or WebM file, which FFmpeg does not tell (RFC 9559).

Elements are read by their own lengths, up to the first one that makes no sense.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

_EBML, _SEGMENT, _CLUSTER, _TRACKS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B
_TRACK, _VIDEO, _WIDTH, _HEIGHT = 0xAE, 0xE0, 0xB0, 0xBA
_FROM_HEIGHT, _FROM_WIDTH = (0x54AA, 0x54BB), (0x54CC, 0x54DD)  # PixelCrop: bottom and top, left and right
_HEADER = 12  # bytes that an element's number and length take at most
_MOST_ELEMENTS, _MOST_READ = 1000, 1 << 20


def shown_sizes(file: BinaryIO) -> dict[int, tuple[int, int]]:
    """By number of a track, width and height of the part of its pictures that players are to show, if any."""
    tracks = _tracks(file)
    if tracks is None:
        return {}
    found = {}
    for number, track in enumerate(each for kind, each in _elements(tracks) if kind == _TRACK):
        for kind, video in _elements(track):
            values = dict(_elements(video)) if kind == _VIDEO else {}
            width, height = (_cropped(values, *of) for of in ((_WIDTH, _FROM_WIDTH), (_HEIGHT, _FROM_HEIGHT)))
            if width > 0 and height > 0 and not values.keys().isdisjoint((*_FROM_WIDTH, *_FROM_HEIGHT)):
                found[number] = width, height
    return found


def _cropped(values: dict[int, bytes], side: int, ends: tuple[int, int]) -> int:
    """What is left of a ``side`` without what is cropped at both its ``ends``, in px."""
    length, *cut = (int.from_bytes(values.get(each, b"")) for each in (side, *ends))
    return length - sum(cut)


def _tracks(file: BinaryIO) -> bytes | None:
    at = 0
    for _ in range(_MOST_ELEMENTS):
        file.seek(at)
        read = _header(file.read(_HEADER), 0)
        if read is None or read[0] == _CLUSTER or not at and read[0] != _EBML:
            return None
        kind, length, start = read
        if kind == _TRACKS:
            file.seek(at + start)
            return file.read(min(length, _MOST_READ))
        at += start + (0 if kind == _SEGMENT else length)
    return None


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and contents of each whole element of a row of them."""
    at = 0
    while (read := _header(data, at)) is not None:
        kind, length, start = read
        at = start + length
        if at > len(data):
            return
        yield kind, data[start:at]


def _header(data: bytes, at: int) -> tuple[int, int, int] | None:
    """An element's number with its marker, its length, and where its contents start; None where none is."""
    read = []
    for most in (4, 8):
        size = 9 - data[at].bit_length() if at < len(data) else 9
        if size > most or at + size > len(data):
            return None
        read.append((int.from_bytes(data[at : at + size]), 1 << 7 * size))
        at += size
    (kind, _), (length, marker) = read
    return kind, length - marker, at
