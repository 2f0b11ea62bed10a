"""What headers of packets say of references: to which pictures no other refers, and where one is missing.

A lost picture of H.264 shows by the numbers of those that follow (``frame_num``, ITU-T H.264 7.4.3); FFmpeg
predicts these from what it has left, and says nothing. Of HEVC it shows none until the next key frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from detector.media.stream.nal_units import Bits, length_size_of, units

_SLICES = range(1, 6)  # types of NAL units
_IDR, _MESSAGE, _SEQUENCE, _PICTURE = 5, 6, 7, 8
_RECOVERY_POINT = 6  # type of a supplemental enhancement message (D.1.8)
_HEVC_SLICES, _HEVC_SEQUENCE = range(32), 33
_REFERENCED = 16  # below it, types of HEVC that are even are of pictures without references to them
_HVCC = 21  # the byte of an ``hvcC`` box that tells lengths and layers
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_HEAD = 24  # bytes of a slice in which its number lies
_MOST = 4096  # bytes read of any other unit


class PictureReferences(NamedTuple):
    """What the headers of one packet say of its picture."""

    referred: bool
    """Whether others may refer to it."""
    follows_lost: bool = False
    """Whether a picture to which others refer is missing before it."""
    begins_refresh: bool = False
    """Whether it begins a refresh by blocks that are coded by themselves, spread over several pictures."""
    ends_refresh: bool = False
    """Whether the refresh that began last is complete with it."""


class ReferenceReader(Protocol):
    """Give it all packets of a stream, in order of decoding."""

    finds_lost: bool
    """Whether it notices lost pictures."""

    def read(self, packet: memoryview) -> PictureReferences | None:
        """What is known of the packet's picture; None where it has none, or none that makes sense."""


def reference_reader(codec: str, extradata: bytes | None) -> ReferenceReader | None:
    """What reads the headers of a codec; None of those of which nothing is told."""
    if codec == "h264":
        return _H264(extradata or b"")
    return _Hevc(extradata or b"") if codec == "hevc" else None


class _Hevc:
    """Of the highest layer in time some types of pictures are no references (ITU-T H.265, 7.4.2.2)."""

    finds_lost = False

    def __init__(self, extradata: bytes) -> None:
        boxed = len(extradata) > _HVCC and extradata[0] == 1  # ISO/IEC 14496-15, 8.3.3.1
        self._length_size = (extradata[_HVCC] & 3) + 1 if boxed else None
        # Of a stream that does not say so in its header, by the first sequence parameter set.
        self._layers = extradata[_HVCC] >> 3 & 7 if boxed else 0

    def read(self, packet: memoryview) -> PictureReferences | None:
        for unit in units(packet, self._length_size, _HEVC_SLICES, 1):
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
    finds_lost = True

    def __init__(self, extradata: bytes) -> None:
        self._length_size = length_size_of(extradata)
        # By their ids: bits of the number, whether planes are coded apart, whether numbers may be left out.
        self._sequences: dict[int, tuple[int, bool, bool]] = {}
        self._pictures: dict[int, int] = {}  # and which of these a set of one picture belongs to
        self._last: int | None = None  # of the last picture to which others refer
        self._refresh: tuple[int, int] | None = None  # the number at which it began, and pictures it takes
        for unit in _units_of_extradata(extradata):
            self._note(unit)

    def read(self, packet: memoryview) -> PictureReferences | None:
        takes = None
        for unit in units(packet, self._length_size, _SLICES, 0):
            if not unit:
                continue
            kind = unit[0] & 31
            if kind in _SLICES:
                try:
                    return self._references(bytes(unit[:_HEAD]), takes)
                except (ValueError, KeyError):
                    return None
            if kind == _MESSAGE:
                takes = _recovery(bytes(unit[1:_MOST])) if takes is None else takes
            self._note(bytes(unit[:_MOST]))
        return None

    def _note(self, unit: bytes) -> None:
        """The parameter sets that numbers are read by."""
        kind = unit[0] & 31 if unit else 0
        try:
            if kind == _SEQUENCE:
                name, *known = _sequence(Bits(unit[1:]))
                self._sequences[name] = (known[0], bool(known[1]), bool(known[2]))
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
        length, apart, gaps = self._sequences[self._pictures[bits.number()]]
        bits.take(2 if apart else 0)
        number, count = bits.take(length), 1 << length
        referred = bool(head[0] & 0x60)
        follows_lost = (
            head[0] & 31 != _IDR
            and self._last is not None
            and not gaps
            and number not in (self._last, (self._last + 1) % count)
        )
        if referred:
            self._last = number
        elif follows_lost:
            self._last = (number - 1) % count
        if head[0] & 31 == _IDR:  # numbers begin anew
            self._refresh = None
        begins = takes is not None and takes > 0 and self._refresh is None
        if begins and takes:
            self._refresh = number, takes
        ends = self._refresh is not None and (number - self._refresh[0]) % count >= self._refresh[1]
        if ends:
            self._refresh = None
        return PictureReferences(referred, follows_lost, begins, ends)


def _sequence(bits: Bits) -> tuple[int, int, int, int]:
    """Id, bits of ``frame_num``, and two flags of a sequence parameter set (7.3.2.1.1)."""
    profile, _, name = bits.take(8), bits.take(16), bits.number()
    apart = 0
    if profile in _HIGH_PROFILES:
        chroma = bits.number()
        apart = bits.take(1) if chroma == 3 else 0
        bits.number(), bits.number(), bits.take(1)
        if bits.take(1):
            for rank in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _pass_scaling_list(bits, 16 if rank < 6 else 64)
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
    return name, length, apart, bits.take(1)


def _pass_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _recovery(messages: bytes) -> int | None:
    """After how many pictures a recovery point (D.1.8) says that all is right; None without one."""
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
    """Parameter sets of an ``avcC`` box (ISO/IEC 14496-15), or of a header as in annex B."""
    if length_size_of(extradata) is None:
        yield from map(bytes, units(memoryview(extradata), None, _SLICES, 0))
        return
    at = 5
    for mask in (31, 255):
        count = extradata[at] & mask if at < len(extradata) else 0
        at += 1
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2])
            yield extradata[at + 2 : at + 2 + length]
            at += 2 + length
