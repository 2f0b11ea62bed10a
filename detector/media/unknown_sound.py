"""Name a codec of sound that cannot be decoded here, by what its container states."""

from __future__ import annotations

from typing import BinaryIO

import av

from detector.errors import MediaError
from detector.media.acceptance import MP4
from detector.media.containers import read_layout
from detector.schema.formatting import N_

# By sample description of MP4, and by format of WAVE (RFC 2361 and the registry of Microsoft).
_NAMES = {
    "ac-4": "Dolby AC-4",
    "dtsx": "DTS:X",
    "mha1": "MPEG-H 3D Audio",
    "mhm1": "MPEG-H 3D Audio",
    "sawp": "AMR-WB+",
    "sevs": "EVS",
    "ssmv": "SMV",
    "0x0070": "Lernout & Hauspie CELP",
    "0x0075": "VoxWare MetaVoice",
    "0x2048": "Sonic",
}
_HEAD = 1 << 16
_EXTENSIBLE = 0xFFFE


def refuse_unknown_codec(file: BinaryIO, container: av.container.InputContainer) -> None:
    """Raise :class:`MediaError` for a file that has sound, but none in a codec that is known here."""
    streams = container.streams.audio
    if not streams or any(stream.codec_context is not None for stream in streams):
        return
    place = file.tell()
    codec = _mp4_format(file, streams[0].index) if container.format.name == MP4 else _wave_format(file)
    file.seek(place)
    if codec is None:
        raise MediaError(
            N_(
                "The file's sound is in a codec that is not known here. Export it as WAV, and keep the "
                "original."
            )
        )
    raise MediaError(
        N_(
            "The file's sound is in the codec %(codec)s, which cannot be decoded here. Export it as WAV with "
            "a program that plays it, and keep the original."
        )
        % {"codec": _NAMES.get(codec, codec)}
    )


def _mp4_format(file: BinaryIO, track: int) -> str | None:
    file.seek(0)
    return read_layout(file).sound_formats.get(track)


def _wave_format(file: BinaryIO) -> str | None:
    """Return the format of the first sound of a WAV or AVI, such as 0x2048."""
    file.seek(0)
    head = file.read(_HEAD)
    if not head.startswith((b"RIFF", b"RF64", b"BW64")):
        return None
    name, at = (b"fmt ", 0) if head[8:12] == b"WAVE" else (b"strf", head.find(b"auds"))
    at = head.find(name, at) if at >= 0 else -1
    if at < 0:
        return None
    number = int.from_bytes(head[at + 8 : at + 10], "little")
    if number == _EXTENSIBLE:
        number = int.from_bytes(head[at + 32 : at + 34], "little")
    return f"0x{number:04x}"
