"""What codecs are called in sentences, by FFmpeg's names of them."""

from __future__ import annotations

_NAMES = {
    "h264": "H.264",
    "hevc": "HEVC",
    "av1": "AV1",
    "libdav1d": "AV1",  # its decoder, by which older analyses call it
    "vp8": "VP8",
    "vp9": "VP9",
    "mpeg2video": "MPEG-2",
    "mpeg4": "MPEG-4 part 2",
    "prores": "ProRes",
    "mjpeg": "motion JPEG",
    "mpeg1video": "MPEG-1",
    "h263": "H.263",
    "flv1": "Sorenson H.263",
    "msmpeg4v3": "Microsoft MPEG-4 version 3",
    "wmv1": "Windows Media Video 7",
    "wmv2": "Windows Media Video 8",
    "wmv3": "Windows Media Video 9",
    "vc1": "VC-1",
    "dvvideo": "DV",
    "gif": "GIF",
    "webp": "WebP",
}


def codec_name(codec: str) -> str:
    """The codec as standards and makers write it; FFmpeg's name of one that is not known here."""
    return _NAMES.get(codec, codec)
