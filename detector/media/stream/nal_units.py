"""Parse NAL units (ITU-T H.264 7.3.1, H.265 7.3.1.1) and their references without decoding pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from typing import NamedTuple, Protocol

_SEQUENCE_HEADER = {"h264": 7, "hevc": 33}  # NAL unit types of sequence parameter sets
_SLICE, _LAST_SLICE = 1, 5  # NAL unit types of slices of a picture, whole or in partitions
_KINDS = {0: 2, 1: 3, 2: 1}  # slice_type modulo 5 (table 7-6): P, B, I; as FFmpeg's AVPictureType
_HEADER = 24  # bytes of a slice that contain its first numbers


def sequence_headers(head: bytes, codec: str) -> list[bytes]:
    """Return the sequence parameter sets (ITU-T H.264 7.3.2.1, H.265 7.3.2.2) at the start of a packet.

    ``codec`` is ``h264`` or ``hevc``. Units follow start codes or a length of four bytes; the first unit that
    fits neither, or is cut by the end of ``head``, ends the search.
    """
    if head[:4] == b"\0\0\0\1" or head[:3] == b"\0\0\1":
        units = re.split(rb"\x00\x00\x00?\x01", head)[1:-1]
    else:
        complete = takewhile(lambda span: span[0] < span[1] <= len(head), _by_lengths(head, 4))
        units = [head[start:end] for start, end in complete]
    shift, mask = (0, 31) if codec == "h264" else (1, 63)
    return [
        unit.rstrip(b"\0") for unit in units if unit and unit[0] >> shift & mask == _SEQUENCE_HEADER[codec]
    ]


def length_size_of(extradata: bytes | None) -> int | None:
    """Return the bytes that state the length of a NAL unit, by an ``avcC`` box (ISO/IEC 14496-15), if any."""
    return (extradata[4] & 3) + 1 if extradata and len(extradata) > 4 and extradata[0] == 1 else None


def unreferenced_kind(packet: memoryview, length_size: int) -> int | None:
    """Return FFmpeg's number of the kind of a picture to which no other refers; None for other pictures.

    The ``nal_ref_idc`` of its slices states this (ITU-T H.264 7.4.1). ``length_size`` comes from
    :func:`length_size_of`.
    """
    kind, end = None, 0
    for start, end in _by_lengths(packet, length_size):
        unit = bytes(packet[start : min(end, start + _HEADER)])
        if not unit or not _SLICE <= unit[0] & 31 <= _LAST_SLICE:
            continue
        if unit[0] & 31 != _SLICE or unit[0] & 0x60:
            return None
        if kind is None:
            bits = Bits(unit[1:])
            with suppress(ValueError):
                bits.number()  # first_mb_in_slice
                kind = _KINDS.get(bits.number() % 5)  # slice_type
    return kind if end == len(packet) else None


def split_units(
    packet: memoryview, length_size: int | None, slices: range, shift: int
) -> Iterator[memoryview]:
    """Yield the NAL units of a packet, which follow their lengths or start codes (annex B).

    The type of a unit is in its first byte, shifted left by ``shift`` bits. The end of slices, types in
    ``slices``, is not searched for.
    """
    if length_size is not None:
        yield from (packet[start:end] for start, end in _by_lengths(packet, length_size))
        return
    data = bytes(packet)
    start = data.find(b"\0\0\1")
    while 0 <= start < len(data) - 3:
        is_slice = data[start + 3] >> shift & (63 if shift else 31) in slices
        end = -1 if is_slice else data.find(b"\0\0\1", start + 3)
        yield packet[start + 3 : len(data) if end < 0 else end]
        start = end


def _by_lengths(packet: bytes | memoryview, length_size: int) -> Iterator[tuple[int, int]]:
    """Yield the stated start and end of units that follow their lengths; the last may exceed the packet."""
    end = 0
    while end + length_size < len(packet):
        start = end + length_size
        end = start + int.from_bytes(packet[end:start])
        yield start, end


class Bits:
    """Reads the bits of a unit in order; raises ValueError at their end."""

    def __init__(self, data: bytes) -> None:
        data = data.replace(b"\0\0\3", b"\0\0")
        self._bits, self._at = f"{int.from_bytes(data):0{8 * len(data)}b}" if data else "", 0

    def take(self, count: int) -> int:
        """Read an unsigned number of ``count`` bits."""
        if self._at + count > len(self._bits):
            raise ValueError
        self._at += count
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def number(self) -> int:
        """Read an unsigned Exp-Golomb number (9.1)."""
        zeros = self._bits.find("1", self._at) - self._at
        if not 0 <= zeros <= 32:
            raise ValueError
        self._at += zeros
        return self.take(zeros + 1) - 1

    def signed(self) -> int:
        """Read a signed Exp-Golomb number (9.1.1)."""
        number = self.number()
        return (number + 1) // 2 if number % 2 else -(number // 2)


_SLICES = range(_SLICE, _LAST_SLICE + 1)
_IDR, _MESSAGE, _SEQUENCE, _PICTURE = 5, 6, 7, 8
_RECOVERY_POINT = 6  # type of a supplemental enhancement message (D.1.8)
_HEVC_SLICES, _HEVC_SEQUENCE = range(32), 33
_REFERENCED = 16  # even HEVC types below it are pictures to which none of their layer refers
_HVCC = 21  # the byte of an ``hvcC`` box with length size and number of temporal layers
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_MOST = 4096  # bytes read of a unit that is no slice


class PictureReferences(NamedTuple):
    """What the headers of one packet state about its picture."""

    is_referenced: bool
    """Whether others may refer to it."""
    follows_lost: bool = False
    """Whether a reference picture before it is missing."""
    begins_refresh: bool = False
    """Whether it begins an intra refresh, spread over several pictures."""
    ends_refresh: bool = False
    """Whether it completes the refresh that began last."""


class ReferenceReader(Protocol):
    """Reads the headers of all packets of a stream, in decoding order."""

    detects_loss: bool
    """Whether it notices lost pictures."""

    def read(self, packet: memoryview) -> PictureReferences | None:
        """Return what is known about the packet's picture; None if it has none that makes sense."""


def reference_reader(codec: str, extradata: bytes | None) -> ReferenceReader | None:
    """Return a reader for the headers of a codec; None for codecs that are not supported."""
    if codec == "h264":
        return _H264(extradata or b"")
    return _Hevc(extradata or b"") if codec == "hevc" else None


class _Hevc:
    """Recognises sub-layer non-reference pictures of the highest temporal layer (ITU-T H.265, 7.4.2.2)."""

    detects_loss = False

    def __init__(self, extradata: bytes) -> None:
        boxed = len(extradata) > _HVCC and extradata[0] == 1  # ISO/IEC 14496-15, 8.3.3.1
        self._length_size = (extradata[_HVCC] & 3) + 1 if boxed else None
        # Without the box, the first sequence parameter set states it.
        self._layers = extradata[_HVCC] >> 3 & 7 if boxed else 0

    def read(self, packet: memoryview) -> PictureReferences | None:
        for unit in split_units(packet, self._length_size, _HEVC_SLICES, 1):
            if len(unit) < 3:
                continue
            kind = unit[0] >> 1 & 63
            if kind == _HEVC_SEQUENCE:
                self._layers = (unit[2] >> 1 & 7) + 1
            if kind in _HEVC_SLICES:
                unreferenced = kind < _REFERENCED and kind % 2 == 0
                return PictureReferences(not (unreferenced and unit[1] & 7 == self._layers))
        return None


class _H264:
    detects_loss = True

    def __init__(self, extradata: bytes) -> None:
        self._length_size = length_size_of(extradata)
        # Sequence parameter sets by id: bits of frame_num, separate_colour_plane_flag, gaps_in_frame_num.
        self._sequences: dict[int, tuple[int, bool, bool]] = {}
        self._pictures: dict[int, int] = {}  # picture parameter set id -> sequence parameter set id
        self._last: int | None = None  # frame_num of the last reference picture
        self._refresh: tuple[int, int] | None = None  # frame_num at its start, and its length in pictures
        for unit in _units_of_extradata(extradata):
            self._note(unit)

    def read(self, packet: memoryview) -> PictureReferences | None:
        takes = None
        for unit in split_units(packet, self._length_size, _SLICES, 0):
            if not unit:
                continue
            kind = unit[0] & 31
            if kind in _SLICES:
                try:
                    return self._references(bytes(unit[:_HEADER]), takes)
                except (ValueError, KeyError):
                    return None
            if kind == _MESSAGE:
                takes = _recovery(bytes(unit[1:_MOST])) if takes is None else takes
            self._note(bytes(unit[:_MOST]))
        return None

    def _note(self, unit: bytes) -> None:
        """Store a parameter set."""
        kind = unit[0] & 31 if unit else 0
        try:
            if kind == _SEQUENCE:
                name, length, separate, gaps = _sequence(Bits(unit[1:]))
                self._sequences[name] = length, bool(separate), bool(gaps)
            elif kind == _PICTURE:
                bits = Bits(unit[1:])
                name = bits.number()
                self._pictures[name] = bits.number()
        except ValueError:
            pass

    def _references(self, head: bytes, takes: int | None) -> PictureReferences:
        bits = Bits(head[1:])
        bits.number()  # first_mb_in_slice
        bits.number()  # slice_type
        length, separate, gaps = self._sequences[self._pictures[bits.number()]]
        bits.take(2 if separate else 0)
        number, count = bits.take(length), 1 << length
        is_referenced = bool(head[0] & 0x60)
        follows_lost = (
            head[0] & 31 != _IDR
            and self._last is not None
            and not gaps
            and number not in (self._last, (self._last + 1) % count)
        )
        if is_referenced:
            self._last = number
        elif follows_lost:
            self._last = (number - 1) % count
        if head[0] & 31 == _IDR:  # frame_num restarts
            self._refresh = None
        begins = takes is not None and takes > 0 and self._refresh is None
        if begins and takes:
            self._refresh = number, takes
        ends = self._refresh is not None and (number - self._refresh[0]) % count >= self._refresh[1]
        if ends:
            self._refresh = None
        return PictureReferences(is_referenced, follows_lost, begins, ends)


def _sequence(bits: Bits) -> tuple[int, int, int, int]:
    """Return id, bits of ``frame_num``, and two flags of a sequence parameter set (7.3.2.1.1)."""
    profile, _, name = bits.take(8), bits.take(16), bits.number()
    separate = 0
    if profile in _HIGH_PROFILES:
        chroma = bits.number()
        separate = bits.take(1) if chroma == 3 else 0
        bits.number(), bits.number(), bits.take(1)
        if bits.take(1):
            for rank in range(12 if chroma == 3 else 8):
                if bits.take(1):  # skip a scaling list
                    last = following = 8
                    for _ in range(16 if rank < 6 else 64):
                        if following:
                            following = (last + bits.signed()) % 256
                        last = following or last
    length = bits.number() + 4
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.take(1), bits.signed(), bits.signed()
        for _ in range(min(bits.number(), 255)):
            bits.signed()
    bits.number()
    if length > 16:
        raise ValueError
    return name, length, separate, bits.take(1)


def _recovery(messages: bytes) -> int | None:
    """Return the pictures after which a recovery point (D.1.8) promises recovery; None without one."""
    data, at = messages.replace(b"\0\0\3", b"\0\0"), 0
    while at + 2 < len(data):
        values = []
        for _ in range(2):  # type and size
            value = 0
            while at < len(data) and data[at] == 255:
                value, at = value + 255, at + 1
            if at >= len(data):
                return None
            values.append(value + data[at])
            at += 1
        if values[0] == _RECOVERY_POINT:
            try:
                return Bits(data[at : at + values[1]]).number()
            except ValueError:
                return None
        at += values[1]
    return None


def _units_of_extradata(extradata: bytes) -> Iterator[bytes]:
    """Yield the parameter sets of an ``avcC`` box (ISO/IEC 14496-15) or an annex B header."""
    if length_size_of(extradata) is None:
        yield from map(bytes, split_units(memoryview(extradata), None, _SLICES, 0))
        return
    at = 5
    for mask in (31, 255):
        count = extradata[at] & mask if at < len(extradata) else 0
        at += 1
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2])
            yield extradata[at + 2 : at + 2 + length]
            at += 2 + length
