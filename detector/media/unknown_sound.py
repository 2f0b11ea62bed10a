"""Refuse sound that cannot be decoded here, by what its container states: encrypted, or of unknown codec."""

from __future__ import annotations

from contextlib import suppress
from typing import BinaryIO

import av

from detector.errors import MediaError
from detector.media.acceptance import MP4
from detector.media.containers import Layout, read_layout
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
_ENCRYPTED = N_(
    "The sound is encrypted for copy protection: only programs with the key can play it. Ask the owner "
    "of the key for a recording without encryption, and keep the original."
)
_HEAD = 1 << 16
_EXTENSIBLE = 0xFFFE


def refuse_undecodable(
    file: BinaryIO, container: av.container.InputContainer, stream: av.AudioStream | None
) -> None:
    """Raise :class:`MediaError` if ``stream``, which a player plays, is encrypted.

    FFmpeg would decode it to noise. Likewise for a file that has sound, but none in a codec that is known
    here; ``stream`` is None then.
    """
    streams = container.streams.audio
    if not streams:
        return
    place = file.tell()
    layout = _layout(file) if container.format.name == MP4 else Layout()
    if stream is not None:
        file.seek(place)
        if stream.index in layout.encrypted:
            raise MediaError(_ENCRYPTED)
        return
    codec = layout.sound_formats.get(streams[0].index) or _wave_format(file)
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


def _layout(file: BinaryIO) -> Layout:
    """Return the layout of an MP4; an empty one where it cannot be read, as of metadata."""
    file.seek(0)
    with suppress(Exception):  # whatever is written in it, FFmpeg has read what it needs
        return read_layout(file)
    return Layout()


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
