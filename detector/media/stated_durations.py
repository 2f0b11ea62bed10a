"""Tell durations that a file states from those that FFmpeg measures or estimates.

Where a file states none, FFmpeg takes the last time stamp, or divides the size by a bit rate. That is no
statement, so nothing is missing where the content lasts longer or shorter.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import BinaryIO

from detector.media.acceptance import MATROSKA, MP4
from detector.media.behind_end import sound_end
from detector.media.containers import INFO, elements, file_properties, read_element
from detector.media.sound_frames import behind_tags, first_frame, mpeg_layers, stated_frames


class DurationSource(Enum):
    """Where FFmpeg has the duration of a file from."""

    STATED = "stated"
    CLOCK = "clock"
    """The last time stamp."""
    ESTIMATE = "estimate"
    """The file's size and a bit rate, or nothing."""


def duration_source(file: BinaryIO, demuxer: str) -> DurationSource:
    """Return where FFmpeg has the duration of an open file from that it reads with ``demuxer``."""
    if demuxer in _BY_HEADER:
        return DurationSource.STATED
    if (test := _TESTS.get(demuxer)) is not None and test(file):
        return DurationSource.STATED
    return DurationSource.CLOCK if demuxer in _BY_CLOCK else DurationSource.ESTIMATE


# Formats whose headers or indexes always count samples, frames or time, and FFmpeg reports them exactly.
_BY_HEADER = frozenset(
    {
        MP4, "gif", "webp", "caf", "iff", "tta", "ape", "tak", "dsf", "nistsphere",
        "flac", "wve", "avr", "hcom",
    }
)  # fmt: skip
_BY_CLOCK = frozenset({"mpegts", "mpeg", "ogg", "flv"})
_HEAD = 1 << 16
_DURATION = 0x4489  # of Matroska, RFC 9559
_MOST_CHUNKS = 1000
_UNKNOWN = 0xFFFFFFFF
# Programs that cannot go back to the header write sizes in bytes, and lengths of streams, from here on.
_PLACEHOLDERS, _PLACEHOLDERS_OF_AVI = 0x7F000000, 1 << 30
_SIZED = (1, 3, 6, 7)  # WAVE formats whose duration is their size: PCM, float, A-law, µ-law
_EXTENSIBLE = 0xFFFE


def stated_mp3_seconds(file: BinaryIO) -> float | None:
    """Return the seconds that the first frame of an MP3 states (Xing, Info, VBRI); None if it states none."""
    file.seek(0)
    file.seek(behind_tags(file.read(_HEAD)))
    data = file.read(_HEAD)
    start = first_frame(data, mpeg_layers(3))
    stated = None if start is None else stated_frames(data[start:])
    if stated is None:
        return None
    count, frame = stated
    return count * frame.samples / frame.rate


def _matroska(file: BinaryIO) -> bool:
    """Return whether the segment's Info has a Duration, which live recordings lack."""
    info = read_element(file, INFO)
    return info is not None and any(kind == _DURATION and any(value) for kind, value in elements(info))


def _wave(file: BinaryIO) -> bool:
    """Return whether the size of the samples is stated, or for compressed ones their number (``fact``)."""
    file.seek(0)
    head = file.read(12)
    order = "big" if head[:4] == b"RIFX" else "little"
    kind, has_count = 0, False
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            return False
        name, size = chunk[:4], int.from_bytes(chunk[4:], order)  # type: ignore[arg-type]
        if name == b"data":
            is_sized = 0 < size < _PLACEHOLDERS
            if head[:4] in (b"RF64", b"BW64"):
                is_sized = sound_end(file).is_stated
            return is_sized if kind in _SIZED else has_count
        content = file.read(min(size, 40))
        if name == b"fmt ":
            kind = int.from_bytes(content[:2], order)  # type: ignore[arg-type]
            if kind == _EXTENSIBLE:
                kind = int.from_bytes(content[24:26], order)  # type: ignore[arg-type]
        elif name == b"fact":
            has_count = any(content[:4])
        file.seek(size - len(content) + size % 2, 1)
    return False


def _avi(file: BinaryIO) -> bool:
    """Return whether the header of each stream states its length."""
    file.seek(0)
    _, *headers = file.read(_HEAD).split(b"strh")
    lengths = [int.from_bytes(header[36:40], "little") for header in headers]
    return bool(lengths) and all(0 < length < _PLACEHOLDERS_OF_AVI for length in lengths)


def _aiff(file: BinaryIO) -> bool:
    file.seek(4)
    return 0 < int.from_bytes(file.read(4)) < _PLACEHOLDERS


def _au(file: BinaryIO) -> bool:
    file.seek(8)
    return int.from_bytes(file.read(4)) not in (0, _UNKNOWN)


def _wavpack(file: BinaryIO) -> bool:
    file.seek(0)
    file.seek(behind_tags(file.read(_HEAD)) + 12)
    return int.from_bytes(file.read(4), "little") not in (0, _UNKNOWN)


def _flv(file: BinaryIO) -> bool:
    """Return whether ``onMetaData`` has a duration (Adobe Flash Video File Format Specification, E.5)."""
    file.seek(0)
    _, name, value = file.read(_HEAD).partition(b"\0\x08duration\0")
    return bool(name) and any(value[:8])


_TESTS: dict[str, Callable[[BinaryIO], bool]] = {
    "mp3": lambda file: stated_mp3_seconds(file) is not None,
    MATROSKA: _matroska,
    "wav": _wave,
    "w64": lambda file: sound_end(file).is_stated,
    "au": _au,
    "avi": _avi,
    "aiff": _aiff,
    "wv": _wavpack,
    "flv": _flv,
    "asf": lambda file: file_properties(file) is not None,
}
