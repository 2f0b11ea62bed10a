"""Sound behind the end that a file states for it: read where it is of the same sound, else counted.

A header may state too short an end by mistake or on purpose, and recordings may be joined byte by byte.
Players stop at the stated end; what lies behind belongs to the exhibit all the same.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, cast

import av
import numpy as np

from detector.media.acceptance import MP4
from detector.media.sound_frames import adts_frame, behind_tags, mpeg_frame

_TRACE = 8  # bytes behind the last chunk that count for nothing, such as padding
_MOST_CHUNKS = 1000
_SAMPLE = 1 << 20  # bytes that are looked at to tell sound from other data
# Bits a byte: compressed and encrypted data has 8; sixteen bits of sound at full scale have less than 7.8.
_MOST_ENTROPY, _LEAST_SAMPLE = 7.9, 4096
_FOREIGN = (
    b"ID3",
    b"OggS",
    b"fLaC",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"%PDF",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"#!AMR",
)


class _Kind(NamedTuple):
    """A container of chunks: how their headers are written, and which hold format and samples."""

    starts: tuple[bytes, ...]
    form: bytes
    """At byte 8; empty for a file that begins with its first chunk there."""
    first: int
    """Byte of the first chunk."""
    header: str
    unknown: tuple[int, ...]
    """Lengths of a chunk of samples that goes on to the end of the file."""
    aligned: int
    """Chunks begin at a multiple of so many bytes."""
    described: bytes
    sound: bytes
    before: int
    """Bytes of the chunk of samples before the first of them."""
    counts_header: bool = False
    """Whether the length of a chunk is that of its header as well."""


_WAVE64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_WAVE64_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the GUIDs of other chunks
_WAVE64 = _Kind(
    (_WAVE64_RIFF,), b"", 40, "<16sQ", (0, 24, 2**64 - 1), 8,
    b"fmt " + _WAVE64_END, b"data" + _WAVE64_END, 0, True,
)  # fmt: skip
_LARGE_WAVE = _Kind((b"RF64", b"BW64"), b"WAVE", 12, "<4sI", (2**32 - 1,), 2, b"fmt ", b"data", 0)
_KINDS = (
    _Kind((b"RIFF",), b"WAVE", 12, "<4sI", (0, 2**32 - 1), 2, b"fmt ", b"data", 0),
    _LARGE_WAVE,
    _Kind((b"FORM",), b"AIF", 12, ">4sI", (0,), 2, b"COMM", b"SSND", 8),
    _Kind((b"caff",), b"", 8, ">4sQ", (2**64 - 1,), 1, b"desc", b"data", 4),
    _WAVE64,
)
_LONGEST_START = 16
# The chunk ds64 comes first, and states the sizes of the file and of the samples, and their count
# (EBU Tech 3306).
_LARGE_SIZES, _LARGE_HEAD = struct.Struct("<QQQ"), 20
_PACKET_TABLE = b"pakt"  # of a CAF whose packets have different lengths


class _Chunk(NamedTuple):
    name: bytes
    start: int
    """Of its contents, as is `end`."""
    end: int
    is_stated: bool = True


@dataclass
class SoundEnd:
    """Where the sound of a file ends by its header, and what lies behind."""

    pieces: list[tuple[int, int]] = field(default_factory=list)
    """Byte ranges of all that is of the same sound, in order."""
    taken: int = 0
    """Bytes of them behind the stated end."""
    unread: int = 0
    """Bytes behind the stated end that are nothing known."""
    is_stated: bool = True
    """Whether the header states an end, unlike that of a recording that was sent while it was made."""


def sound_end(file: BinaryIO) -> SoundEnd:
    """Look behind the stated end of the sound of a WAV, Wave64, AIFF or CAF; the position stays."""
    place = file.tell()
    try:
        return _sound_end(file)
    finally:
        file.seek(place)


def whole_sound(file: BinaryIO) -> BinaryIO:
    """Return a file from which FFmpeg reads the sound behind the stated end as well; ``file`` without any.

    Neither does FFmpeg read a Wave64 or RF64 that states no end.
    """
    end, place = sound_end(file), file.tell()
    file.seek(0)
    kind = _kind(file.read(_LONGEST_START))
    file.seek(place)
    is_refused = bool(end.pieces) and not end.is_stated and kind in (_WAVE64, _LARGE_WAVE)
    if kind is None or not (end.taken or is_refused):
        return file
    samples = next(
        chunk for chunk in _chunks(file, kind, kind.first, _size(file)) if chunk.name == kind.sound
    )
    head = struct.calcsize(kind.header)
    length = kind.before + sum(stop - start for start, stop in end.pieces)
    file.seek(0)
    before = file.read(samples.start - head)
    if kind is _WAVE64:
        before = before[:16] + struct.pack("<Q", samples.start + length) + before[24:]
        length += head
    elif kind is _LARGE_WAVE:
        sizes = _LARGE_SIZES.pack(samples.start + length, length, 0)
        before = before[:_LARGE_HEAD] + sizes + before[_LARGE_HEAD + _LARGE_SIZES.size :]
        length = kind.unknown[0]
    elif length >= 2**32 and kind.header.endswith("I"):
        length = kind.unknown[-1]
    stated = struct.pack(kind.header, kind.sound, length)
    file.seek(samples.start)
    first = before + stated + file.read(kind.before)
    file.seek(place)
    joined = _JoinedFile(file, first, end.pieces)
    joined.seek(place)
    return cast(BinaryIO, joined)


def _sound_end(file: BinaryIO) -> SoundEnd:
    size = _size(file)
    file.seek(0)
    kind = _kind(file.read(_LONGEST_START))
    result = SoundEnd()
    if kind is None:
        return result
    at, described = 0, b""
    while at < size:
        file.seek(at)
        again = file.read(_LONGEST_START)
        if at and _kind(again) != kind:
            break
        chunks = list(_chunks(file, kind, at + kind.first, size))
        contents = {chunk.name: chunk for chunk in reversed(chunks)}
        if kind.sound not in contents or kind.described not in contents or _PACKET_TABLE in contents:
            break
        description = _read(file, contents[kind.described])
        if at and not _same(kind, description, described):
            break
        described = described or description
        samples = contents[kind.sound]
        result.is_stated &= samples.is_stated
        result.pieces.append((samples.start + kind.before, min(samples.end, size)))
        result.taken += (min(samples.end, size) - samples.start - kind.before) if at else 0
        at = chunks[-1].end + -chunks[-1].end % kind.aligned
        if chunks[-1] is samples and at < size and _continues(file, kind, samples.end, size):
            result.pieces[-1] = (result.pieces[-1][0], size)
            result.taken += size - samples.end
            at = size
    if at and size - at > _TRACE:
        result.unread = size - at
    return result


def _kind(head: bytes) -> _Kind | None:
    return next(
        (kind for kind in _KINDS if head.startswith(kind.starts) and head[8:].startswith(kind.form)), None
    )


def _same(kind: _Kind, description: bytes, other: bytes) -> bool:
    """Return whether two descriptions are those of one kind of sound; AIFF counts its samples there."""
    if kind.described == b"COMM":
        return description[:2] + description[6:] == other[:2] + other[6:]
    return description == other


def _chunks(file: BinaryIO, kind: _Kind, at: int, size: int) -> Iterator[_Chunk]:
    """Yield the chunks from ``at`` on, as long as they look like some."""
    head, begin = struct.calcsize(kind.header), at - kind.first
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        data = file.read(head)
        if len(data) < head:
            return
        name, length = struct.unpack(kind.header, data)
        is_sound = name == kind.sound
        if not all(0x20 <= byte < 0x7F for byte in name[:4]) or name in (*kind.starts,):
            return
        start = at + head
        if is_sound and kind is _LARGE_WAVE and length in kind.unknown:
            length = _large_length(file, begin)
        is_stated = not is_sound or length not in kind.unknown
        end = start + length - (head if kind.counts_header else 0) if is_stated else size
        if end < start:
            return
        if end > size + 1 and not is_sound:
            return
        yield _Chunk(name, start, min(end, size), is_stated)
        at = end + -(end - start) % kind.aligned
        if at >= size:
            return


def _large_length(file: BinaryIO, begin: int) -> int:
    """Return the length of the samples that an RF64 states in 64 bits; 2³² - 1 where it states none."""
    file.seek(begin + _LARGE_HEAD - 8)
    data = file.read(8 + _LARGE_SIZES.size)
    if not data.startswith(b"ds64") or len(data) < 8 + _LARGE_SIZES.size:
        return _LARGE_WAVE.unknown[0]
    length = int(_LARGE_SIZES.unpack_from(data, 8)[1])
    return _LARGE_WAVE.unknown[0] if length in (0, 2**64 - 1) else length


def _continues(file: BinaryIO, kind: _Kind, at: int, size: int) -> bool:
    """Return whether what lies behind the samples is more of them: neither a file nor compressed data."""
    file.seek(at)
    data = file.read(min(_SAMPLE, size - at))
    if size - at <= _TRACE or any(
        data[skipped:].startswith((*_FOREIGN, *kind.starts)) for skipped in (0, -at % kind.aligned)
    ):
        return False
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    shares = counts[counts > 0] / len(data)
    entropy = -float((shares * np.log2(shares)).sum())
    return len(data) < _LEAST_SAMPLE or entropy < _MOST_ENTROPY and math.isfinite(entropy)


def _read(file: BinaryIO, chunk: _Chunk) -> bytes:
    file.seek(chunk.start)
    return file.read(min(chunk.end - chunk.start, 4096))


# Frames that follow each other without a container, so that every byte belongs to one or to a tag.
_FRAMES = frozenset({"mp3", "aac", "ac3", "eac3", "dts", "amr", "flac"})
# Those whose packets fill the file to its end, but for tags, while headers lie between them.
_TO_THE_END = frozenset({"flv", "wv", "tta", "voc", "au"})
_ID3V1, _APE, _APE_FOOTER = 128, b"APETAGEX", 32
_LEAST_UNREAD = 1000  # bytes; less is padding, or a header between frames
_MOST_GAPS = 1000
_MOST_FLAC_SAMPLES = 65_535  # of a frame
_FRAME_HEADER, _LARGEST_FRAME = 16, 8192  # bytes


class PacketBytes:
    """Adds up which bytes of a file its packets hold."""

    def __init__(self) -> None:
        self._gaps: list[tuple[int, int]] = []
        self._end: int | None = None
        self._largest = 0

    def add(self, packet: av.Packet, container: str) -> None:
        """Add the next packet of a file of a format that FFmpeg calls so."""
        position = packet.pos
        if container not in _FRAMES | _TO_THE_END or not packet.size or position is None or position < 0:
            return
        if self._end is not None and position > self._end and len(self._gaps) < _MOST_GAPS:
            self._gaps.append((self._end, position))
        self._end = max(self._end or 0, position + self._frame(packet, container))

    def _frame(self, packet: av.Packet, container: str) -> int:
        """Return the bytes of a packet that belong to its frame: FFmpeg adds what lies behind."""
        size = packet.size
        if container == "flac":  # whose frames do not state their length
            usual, self._largest = self._largest, max(self._largest, size)
            return usual if usual and size > _uncompressed(packet) else size
        header = bytes(packet)[:_FRAME_HEADER]
        if container == "mp3":
            frame = mpeg_frame(header)
            length = frame.length if frame else 0
        elif container == "aac":
            length = (adts_frame(header, 0) or (0, None))[0]
        else:
            return size
        return min(size, length) if length or size > _LARGEST_FRAME else size

    def unread(self, file: BinaryIO, container: str) -> int:
        """Return how many bytes between and behind the packets are neither tags nor anything known.

        ``container`` is FFmpeg's name of the format. Of containers that know no end, 0.
        """
        if container == MP4:
            return _second_film(file)
        if container not in _FRAMES | _TO_THE_END or self._end is None:
            return sound_end(file).unread
        gaps = self._gaps if container in _FRAMES else []
        unread = 0
        for start, stop in (*gaps, (self._end, _size(file) - _tags_at_end(file))):
            file.seek(start)
            data = file.read(min(_SAMPLE, max(0, stop - start)))
            unread += max(0, stop - start - behind_tags(data))
        return unread if unread >= _LEAST_UNREAD else 0


def _uncompressed(packet: av.Packet) -> int:
    """Return the bytes that a frame of FLAC exceeds by no more than its header."""
    context = packet.stream.codec_context
    seconds = (packet.duration or 0) * packet.time_base
    samples = round(seconds * context.sample_rate) or _MOST_FLAC_SAMPLES
    return 4 * samples * context.channels + 64


def _tags_at_end(file: BinaryIO) -> int:
    """Return the length of ID3v1 and APEv2 tags at the end of a file."""
    length, size = 0, _size(file)
    file.seek(max(0, size - _ID3V1))
    if file.read(3) == b"TAG":
        length = _ID3V1
    file.seek(max(0, size - length - _APE_FOOTER))
    footer = file.read(_APE_FOOTER)
    if footer.startswith(_APE):
        length += int.from_bytes(footer[12:16], "little") + _APE_FOOTER
    return min(length, size)


def _second_film(file: BinaryIO) -> int:
    """Return the bytes from the second film of an MP4 on, which no player reads; 0 for a single one."""
    at, size, films, begins = 0, _size(file), 0, 0
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        if length < 8:
            break
        if head[4:8] == b"ftyp" and at:
            begins = at
        films += head[4:8] == b"moov"
        if films == 2:
            return size - (begins or at)
        at += length
    return 0


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


class _JoinedFile(io.RawIOBase):
    """Bytes followed by ranges of a file."""

    def __init__(self, file: BinaryIO, first: bytes, pieces: list[tuple[int, int]]) -> None:
        self._file, self._first, self._pieces, self._at = file, first, pieces, 0
        self._size = len(first) + sum(stop - start for start, stop in pieces)

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the first byte")
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        size = self._size if size < 0 else size
        parts: list[bytes] = []
        before = 0
        for start, stop in ((None, len(self._first)), *self._pieces):
            length = stop - (start or 0)
            inside = self._at - before
            if size > 0 and 0 <= inside < length:
                if start is None:
                    data = self._first[inside : inside + size]
                else:
                    self._file.seek(start + inside)
                    data = self._file.read(min(size, length - inside))
                parts.append(data)
                self._at += len(data)
                size -= len(data)
            before += length
        return b"".join(parts)
