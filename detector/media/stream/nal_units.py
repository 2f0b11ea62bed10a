"""NAL units (ITU-T H.264 7.3.1, H.265 7.3.1.1) in packets and their headers, read without decoding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile

_SEQUENCE_HEADER = {"h264": 7, "hevc": 33}  # types of NAL units: sequence parameter sets
_SLICE, _LAST_SLICE = 1, 5  # types of NAL units: slices of a picture, whole or in partitions
_KINDS = {0: 2, 1: 3, 2: 1}  # slice_type modulo 5 (table 7-6): P, B, I; as FFmpeg's AVPictureType
_HEADER = 24  # bytes of a slice that its first two numbers lie in


def sequence_headers(head: bytes, codec: str) -> list[bytes]:
    """Sequence parameter sets (ITU-T H.264 7.3.2.1, H.265 7.3.2.2) at the start of a packet.

    ``codec`` is ``h264`` or ``hevc``. Units come behind start codes or behind their length in four bytes;
    the first unit that fits neither, or is cut by the end of ``head``, ends the search.
    """
    found = []
    if head[:4] == b"\0\0\0\1" or head[:3] == b"\0\0\1":
        candidates = re.split(rb"\x00\x00\x00?\x01", head)[1:-1]
    else:
        whole = takewhile(lambda place: place[0] < place[1] <= len(head), _by_lengths(head, 4))
        candidates = [head[start:end] for start, end in whole]
    for unit in candidates:
        if unit and _unit_type(unit, codec) == _SEQUENCE_HEADER[codec]:
            found.append(unit.rstrip(b"\0"))
    return found


def _unit_type(unit: bytes, codec: str) -> int:
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63


def length_size_of(extradata: bytes | None) -> int | None:
    """How many bytes state the length of a NAL unit, by an ``avcC`` box (ISO/IEC 14496-15), if it is one."""
    return (extradata[4] & 3) + 1 if extradata and len(extradata) > 4 and extradata[0] == 1 else None


def unreferenced_kind(packet: memoryview, length_size: int) -> int | None:
    """FFmpeg's number of the kind of a picture to which no other refers; None for all other pictures.

    Whether others do is the ``nal_ref_idc`` of its slices (ITU-T H.264 7.4.1).
    ``length_size`` is as from :func:`length_size_of`.
    """
    kind, end = None, 0
    for start, end in _by_lengths(packet, length_size):
        unit = bytes(packet[start : min(end, start + _HEADER)])
        if not unit or not _SLICE <= unit[0] & 31 <= _LAST_SLICE:
            continue
        if unit[0] & 31 != _SLICE or unit[0] & 0x60:
            return None
        kind = _slice_kind(unit[1:]) if kind is None else kind
    return kind if end == len(packet) else None


def _slice_kind(header: bytes) -> int | None:
    """The kind by ``slice_type``, the second Exp-Golomb number (9.1) of a slice's header."""
    bits = Bits(header)
    try:
        bits.number()  # first_mb_in_slice
        return _KINDS.get(bits.number() % 5)
    except ValueError:
        return None


def units(packet: memoryview, length_size: int | None, slices: range, shift: int) -> Iterator[memoryview]:
    """The NAL units of a packet, each behind its length or a start code (annex B).

    The type of a unit lies in its first byte, ``shift`` bits from the last; of ``slices`` the length is not
    sought.
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
    """Where units that follow their lengths begin and end, as stated: the last may end beyond the packet."""
    end = 0
    while end + length_size < len(packet):
        start = end + length_size
        end = start + int.from_bytes(packet[end:start])
        yield start, end


class Bits:
    """Bits of a unit, from the first one on. Raises ValueError where they end."""

    def __init__(self, data: bytes) -> None:
        data = data.replace(b"\0\0\3", b"\0\0")
        self._bits, self._at = f"{int.from_bytes(data):0{8 * len(data)}b}" if data else "", 0

    def take(self, count: int) -> int:
        """A number of so many bits."""
        if self._at + count > len(self._bits):
            raise ValueError
        self._at += count
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def number(self) -> int:
        """An Exp-Golomb number (9.1)."""
        zeros = self._bits.find("1", self._at) - self._at
        if not 0 <= zeros <= 32:
            raise ValueError
        self._at += zeros
        return self.take(zeros + 1) - 1

    def signed(self) -> int:
        """One with a sign (9.1.1)."""
        number = self.number()
        return (number + 1) // 2 if number % 2 else -(number // 2)
