"""Boxes, chunks, elements and packets of sound files: what the fuzzer changes sizes of, swaps and loses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from detector.media.sound_frames import adts_frame, behind_tags, mpeg_frame


class Part(NamedTuple):
    """A box, chunk or element: where it starts and ends, and where its size stands in how many bytes."""

    start: int
    end: int
    size_at: int
    size_bytes: int
    little: bool


def parts(name: str, data: bytes) -> list[Part]:
    """The boxes, chunks or elements of a sound file."""
    kind = name.partition("-")[0]
    if kind in ("mp4", "mov", "heic", "avif", "m4a"):
        return list(_boxes(data, 0, len(data)))
    if kind in ("avi", "webp", "wav"):
        return list(_riff(data, 0, len(data)))
    if kind in ("mkv", "webm", "mka"):
        return list(_ebml(data, 0, len(data)))
    if kind in _READERS:
        return list(_READERS[kind](data))
    return []


_INSIDE = {
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"udta", b"moof", b"traf", b"mvex"),
    *(b"iprp", b"ipco"),
}
_BEFORE_BOXES = {b"stsd": 8, b"meta": 4, b"iinf": 6}  # bytes that some boxes have before those inside


def _boxes(data: bytes, at: int, end: int) -> Iterator[Part]:
    while at + 8 <= end:
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8 or at + size > end:
            return
        yield Part(at, at + size, at, 4, False)
        name = data[at + 4 : at + 8]
        if name in _INSIDE or name in _BEFORE_BOXES:
            yield from _boxes(data, at + 8 + _BEFORE_BOXES.get(name, 0), at + size)
        at += size


def _riff(data: bytes, at: int, end: int) -> Iterator[Part]:
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        stop = at + 8 + size + size % 2
        if stop > end + 1:
            return
        yield Part(at, min(stop, end), at + 4, 4, True)
        if data[at : at + 4] in (b"RIFF", b"LIST"):
            yield from _riff(data, at + 12, min(stop, end))
        at = stop


def _png(data: bytes) -> Iterator[Part]:
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield Part(at, at + 12 + size, at, 4, False)
        at += 12 + size


def _jpeg(data: bytes) -> Iterator[Part]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        yield Part(at, at + 2 + size, at + 2, 2, False)
        at += 2 + size


_MASTERS = {
    0x18538067,
    0x1549A966,
    0x1654AE6B,
    0xAE,
    0xE0,
    0x1F43B675,
    0x1C53BB6B,
    0xBB,
    0x114D9B74,
    0x1A45DFA3,
    0xA0,
}


def _ebml(data: bytes, at: int, end: int) -> Iterator[Part]:
    while at < end:
        width = 9 - data[at].bit_length()
        number = int.from_bytes(data[at : at + width], "big")
        size_at = at + width
        if size_at >= end or not data[size_at] or width > 4:
            return
        size_bytes = 9 - data[size_at].bit_length()
        size = int.from_bytes(data[size_at : size_at + size_bytes], "big") & (1 << 7 * size_bytes) - 1
        start, stop = size_at + size_bytes, size_at + size_bytes + size
        if size == (1 << 7 * size_bytes) - 1 or stop > end:
            stop = end
        yield Part(at, stop, size_at, size_bytes, False)
        if number in _MASTERS:
            yield from _ebml(data, start, stop)
        at = stop


def _tiff(data: bytes) -> Iterator[Part]:
    """Entries of the first directory; what is taken for a size is how many values one has."""
    at = int.from_bytes(data[4:8], "little")
    for number in range(int.from_bytes(data[at : at + 2], "little")):
        entry = at + 2 + 12 * number
        yield Part(entry, entry + 12, entry + 4, 4, True)


def _transport(data: bytes) -> Iterator[Part]:
    for at in range(0, len(data) - 187, 188):
        yield Part(at, at + 188, at + 4, 1, False)  # of the adaptation field, where there is one


def _program(data: bytes) -> Iterator[Part]:
    """Packets of a program stream that say their length."""
    at = 0
    while (at := data.find(b"\0\0\1", at)) >= 0 and at + 6 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 6], "big")
        if data[at + 3] >= 0xBB and at + 6 + size <= len(data):
            yield Part(at, at + 6 + size, at + 4, 2, False)
            at += 6 + size
        else:
            at += 4


def _flash(data: bytes) -> Iterator[Part]:
    at = 13
    while at + 15 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        yield Part(at, min(len(data), at + 15 + size), at + 1, 3, False)
        at += 15 + size


def _objects(data: bytes) -> Iterator[Part]:
    """Objects of a Windows Media file, those in its header too."""
    at = 0
    while at + 24 <= len(data):
        size = int.from_bytes(data[at + 16 : at + 24], "little")
        if size < 24:
            return
        yield Part(at, min(len(data), at + size), at + 16, 8, True)
        at += 30 if at == 0 else size


def _pages(data: bytes) -> Iterator[Part]:
    """Pages of an Ogg file; what is taken for a size is how many segments one has."""
    at = 0
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        segments = data[at + 27 : at + 27 + data[at + 26]]
        end = at + 27 + len(segments) + sum(segments)
        yield Part(at, min(end, len(data)), at + 26, 1, True)
        at = end


def _caf(data: bytes) -> Iterator[Part]:
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 12], "big")
        yield Part(at, min(len(data), at + 12 + size), at + 4, 8, False)
        at += 12 + size


def _flac(data: bytes) -> Iterator[Part]:
    at = 4
    while at + 4 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        yield Part(at, min(len(data), at + 4 + size), at + 1, 3, False)
        if data[at] & 0x80:  # the last one before the frames
            return
        at += 4 + size


def _mpeg_frames(data: bytes) -> Iterator[Part]:
    """Frames of an MP3; what is taken for a size is the byte of bit and sampling rate."""
    at = behind_tags(data)
    while frame := mpeg_frame(data, at):
        yield Part(at, min(len(data), at + frame.length), at + 2, 1, False)
        at += frame.length


def _adts_frames(data: bytes) -> Iterator[Part]:
    at = 0
    while frame := adts_frame(data, at):
        yield Part(at, min(len(data), at + frame[0]), at + 4, 1, False)
        at += frame[0]


_AMR_FRAMES = (13, 14, 16, 18, 20, 21, 27, 32, 6)  # bytes by mode (RFC 4867)


def _amr_frames(data: bytes) -> Iterator[Part]:
    at = 6
    while at < len(data) and (mode := data[at] >> 3 & 15) < len(_AMR_FRAMES):
        yield Part(at, min(len(data), at + _AMR_FRAMES[mode]), at, 1, False)
        at += _AMR_FRAMES[mode]


_READERS: dict[str, Callable[[bytes], Iterator[Part]]] = {
    "png": _png,
    "jpg": _jpeg,
    "tiff": _tiff,
    "ts": _transport,
    "mpg": _program,
    "flv": _flash,
    "wmv": _objects,
    "ogg": _pages,
    "caf": _caf,
    "flac": _flac,
    "mp3": _mpeg_frames,
    "aac": _adts_frames,
    "amr": _amr_frames,
}
