"""Names of codecs in sentences."""

from __future__ import annotations

import av
import pytest

from detector.schema import codec_names
from detector.schema.codec_names import codec_name


@pytest.mark.parametrize(
    ("codec", "name"),
    [("wmv2", "Windows Media Video 8"), ("gif", "GIF"), ("libdav1d", "AV1"), ("no_such", "no_such")],
)
def test_codecs_of_accepted_files_have_their_makers_names(codec: str, name: str) -> None:
    assert codec_name(codec) == name


def test_what_ffmpeg_decodes_has_a_name() -> None:
    """Of the codecs in files that people hand in; those of games keep FFmpeg's name."""
    named = {
        "rawvideo": "uncompressed video",
        "msvideo1": "Microsoft Video 1",
        "ffv1": "FFV1",
        "dnxhd": "DNxHD (VC-3)",
        "cfhd": "CineForm",
        "qtrle": "QuickTime Animation",
        "huffyuv": "HuffYUV",
        "utvideo": "Ut Video",
        "svq3": "Sorenson Video 3",
        "pcm_s16le": "PCM (s16le)",
    }
    assert {codec: codec_name(codec) for codec in named} == named
    known = {av.codec.Codec(name, "r").canonical_name for name in av.codecs_available if _decodes(name)}
    assert set(codec_names._NAMES) - known <= {"libdav1d"}  # no name of a codec that there is not


def _decodes(name: str) -> bool:
    try:
        return bool(av.codec.Codec(name, "r"))
    except ValueError:
        return False
