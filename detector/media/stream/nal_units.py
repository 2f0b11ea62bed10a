"""Headers of NAL units (ITU-T H.264 7.3.1, H.265 7.3.1.1) in packets, read without decoding anything."""

from __future__ import annotations

import re

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
        units = re.split(rb"\x00\x00\x00?\x01", head)[1:-1]
    else:
        units, at = [], 0
        while at + 4 < len(head):
            length = int.from_bytes(head[at : at + 4], "big")
            if not 0 < length <= len(head) - at - 4:
                break
            units.append(head[at + 4 : at + 4 + length])
            at += 4 + length
    for unit in units:
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
    kind, at = None, 0
    while at + length_size < len(packet):
        length = int.from_bytes(packet[at : at + length_size], "big")
        at += length_size
        unit = bytes(packet[at : at + min(length, _HEADER)])
        at += length
        if not unit or not _SLICE <= unit[0] & 31 <= _LAST_SLICE:
            continue
        if unit[0] & 31 != _SLICE or unit[0] & 0x60:
            return None
        kind = _slice_kind(unit[1:]) if kind is None else kind
    return kind if at == len(packet) else None


def _slice_kind(header: bytes) -> int | None:
    """The kind by ``slice_type``, the second Exp-Golomb number (9.1) of a slice's header."""
    bits = "".join(f"{byte:08b}" for byte in header.replace(b"\0\0\3", b"\0\0"))
    value = at = 0
    for _ in range(2):
        zeros = bits.find("1", at) - at
        if zeros < 0 or at + 2 * zeros + 1 > len(bits):
            return None
        value = int(bits[at + zeros : at + 2 * zeros + 1], 2) - 1
        at += 2 * zeros + 1
    return _KINDS.get(value % 5)
