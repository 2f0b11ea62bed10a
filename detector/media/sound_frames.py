"""Headers of frames of sound that follow each other without a container: MPEG audio, AAC and AC-3."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

FrameTest = Callable[[bytes, int], tuple[int, object] | None]
"""From data and an offset to the length of the frame there, and what all frames of a stream share."""

_ID3, _ID3_HEADER, _ID3_FOOTER = b"ID3", 10, 0x10
_APE, _APE_HEADER, _APE_HAS_HEADER = b"APETAGEX", 32, 1 << 31


class MpegFrame(NamedTuple):
    """The header of a frame of MPEG audio (ISO/IEC 11172-3, 13818-3)."""

    length: int  # bytes
    version: int  # 3 for MPEG-1, 2 for MPEG-2, 0 for MPEG-2.5
    layer: int
    rate: int  # hertz
    bit_rate: int
    samples: int
    is_mono: bool


# kbit/s by index: MPEG-1 by layer, then layer I of MPEG-2, then its layers II and III.
_BIT_RATES = (
    (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_HERTZ = (44_100, 48_000, 32_000)  # of MPEG-1; half in MPEG-2, a quarter in MPEG-2.5
_MPEG_1, _RESERVED = 3, 1
_MONO = 3


def mpeg_frame(data: bytes, at: int = 0) -> MpegFrame | None:
    """Return the frame header of MPEG audio at ``at``; None for none, or for one of free bit rate."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    index, hertz, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version == _RESERVED or layer == 4 or not 0 < index < 15 or hertz == 3:
        return None
    table = layer - 1 if version == _MPEG_1 else 3 if layer == 1 else 4
    bit_rate = 1000 * _BIT_RATES[table][index]
    rate = _HERTZ[hertz] // {3: 1, 2: 2, 0: 4}[version]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != _MPEG_1 else 1152
    if layer == 1:
        length = (12 * bit_rate // rate + padding) * 4
    else:
        length = samples // 8 * bit_rate // rate + padding
    return MpegFrame(length, version, layer, rate, bit_rate, samples, data[at + 3] >> 6 == _MONO)


_SAMPLES_OF_XING, _VBRI = {(3, False): 36, (3, True): 21, (2, False): 21, (2, True): 13}, 36


def stated_frames(data: bytes) -> tuple[int, MpegFrame] | None:
    """Return the number of frames that the first frame of an MP3 states (Xing, Info or VBRI), and that frame.

    ``data`` begins with the frame. None if nothing is stated.
    """
    first = mpeg_frame(data)
    if first is None:
        return None
    at = _SAMPLES_OF_XING[first.version or 2, first.is_mono]
    if data[at : at + 4] in (b"Xing", b"Info") and data[at + 7 : at + 8] and data[at + 7] & 1:
        count = int.from_bytes(data[at + 8 : at + 12])
    elif data[_VBRI : _VBRI + 4] == b"VBRI":
        count = int.from_bytes(data[_VBRI + 14 : _VBRI + 18])
    else:
        return None
    return (count, first) if count else None


def mpeg_layers(*layers: int) -> FrameTest:
    """Return a test for frames of these layers of MPEG audio."""

    def frame(data: bytes, at: int) -> tuple[int, object] | None:
        header = mpeg_frame(data, at)
        if header is None or header.layer not in layers:
            return None
        return header.length, (header.version, header.layer, header.rate)

    return frame


def adts_frame(data: bytes, at: int) -> tuple[int, object] | None:
    """Return length and parameters of the ADTS frame of AAC (ISO/IEC 13818-7) at ``at``; None for none."""
    if len(data) < at + 7 or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0 or data[at + 2] >> 2 & 15 > 12:
        return None
    length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    return (length, (data[at + 1] & 0xF8, data[at + 2] >> 2)) if length > 7 else None


def loas_frame(data: bytes, at: int) -> tuple[int, object] | None:
    """Return the length of the LOAS frame of AAC (ISO/IEC 14496-3, 1.7.2) at ``at``; None for none."""
    if len(data) < at + 3 or data[at] != 0x56 or data[at + 1] & 0xE0 != 0xE0:
        return None
    length = (data[at + 1] & 0x1F) << 8 | data[at + 2]
    return (length + 3, None) if length else None


# ETSI TS 102 366, table 4.13: kbit/s by code; words of 16 bits in a frame follow from the sampling rate.
_AC3_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_HERTZ = (48_000, 44_100, 32_000)


def ac3_frame(data: bytes, at: int) -> tuple[int, object] | None:
    """Return length and sampling rate of the frame of AC-3 or E-AC-3 (ETSI TS 102 366) at ``at``."""
    if len(data) < at + 6 or data[at : at + 2] != b"\x0b\x77":
        return None
    hertz, revision = data[at + 4] >> 6, data[at + 5] >> 3
    if 10 < revision <= 16:  # E-AC-3
        return 2 * (((data[at + 2] & 7) << 8 | data[at + 3]) + 1), hertz
    code = data[at + 4] & 63
    if revision > 10 or hertz == 3 or code >= 2 * len(_AC3_RATES):
        return None
    words = _AC3_RATES[code >> 1] * 96_000 // _AC3_HERTZ[hertz]
    return 2 * (words + (code & 1 if hertz == 1 else 0)), hertz


_IN_A_ROW, _IN_A_ROW_LATER = 2, 4  # frames that cannot be chance at the first byte, and behind it
_LARGEST = 8192  # bytes: no frame is longer


def first_frame(data: bytes, test: FrameTest) -> int | None:
    """Return where frames begin that follow each other; None if they do not.

    They may be preceded by zeros and by the rest of a frame, as in what was cut out of a stream.
    """
    if _frames_in_a_row(data, 0, test, _IN_A_ROW):
        return 0
    start = len(data) - len(data.lstrip(b"\0"))
    for at in range(start, min(start + _LARGEST, len(data))):
        if _frames_in_a_row(data, at, test, _IN_A_ROW_LATER):
            return at
    return None


def _frames_in_a_row(data: bytes, at: int, test: FrameTest, least: int) -> bool:
    kind: object = None
    for number in range(least):
        frame = test(data, at)
        if frame is None or number and frame[1] != kind:
            return False
        length, kind = frame
        at += length
    return True


def behind_tags(data: bytes) -> int:
    """Return the length of the ID3v2 and APEv2 tags that a file begins with; it may exceed the data."""
    at = 0
    while True:
        head = data[at : at + _APE_HEADER]
        if head[:3] == _ID3 and len(head) >= _ID3_HEADER and head[3] in (2, 3, 4) and max(head[6:10]) < 0x80:
            size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            at += _ID3_HEADER * (2 if head[5] & _ID3_FOOTER else 1) + size
        elif head[:8] == _APE and int.from_bytes(head[20:24], "little") & _APE_HAS_HEADER:
            at += _APE_HEADER + int.from_bytes(head[12:16], "little")
        else:
            return at
