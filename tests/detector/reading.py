"""Reading a file whole, its refusal, and a clip of each kind that is accepted."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from clips import numbered, write_clip

from detector.errors import MediaError
from detector.media.frame import Frame
from detector.media.open import open_media
from detector.media.stream.packet_stats import Tally

EVERY_FRAME = 1000.0
FAST = {"b": "2000000", "cpu-used": "8", "deadline": "realtime"}
KINDS = {
    "mp4": ("clip.mp4", "libx264", "yuv420p", {"crf": "12", "g": "20"}),
    "mov": ("clip.mov", "libx264", "yuv420p", {"crf": "12", "g": "20"}),
    "mov of jpegs": ("clip.mov", "mjpeg", "yuvj420p", {}),
    "mkv": ("clip.mkv", "libx264", "yuv420p", {"crf": "12", "g": "20"}),
    "webm": ("clip.webm", "libvpx", "yuv420p", FAST),
    "webm, VP9": ("clip.webm", "libvpx-vp9", "yuv420p", {**FAST, "crf": "10"}),
    "avi": ("clip.avi", "mpeg4", "yuv420p", {"b": "2000000"}),
    "avi, frames reordered": ("clip.avi", "mpeg4", "yuv420p", {"b": "2000000", "bf": "2"}),
    "avi, H.264 reordered": ("clip.avi", "libx264", "yuv420p", {"crf": "12", "bf": "2"}),
}


def read(path: Path, sample_rate: float = EVERY_FRAME) -> tuple[list[Frame], Tally]:
    with open_media(path) as reader:
        return list(reader.frames(sample_rate)), reader.tally


def refusal(path: Path) -> str:
    with pytest.raises(MediaError) as refused:
        read(path)
    message = str(refused.value)
    assert "\n" not in message
    return message


def clip(folder: Path, kind: str, count: int = 30) -> Path:
    path = folder / KINDS[kind][0]
    path.write_bytes(_encoded(kind, count))
    return path


@cache
def _encoded(kind: str, count: int) -> bytes:
    name, codec, pix_fmt, options = KINDS[kind]
    pictures = (numbered(i) for i in range(count))
    with tempfile.TemporaryDirectory() as folder:
        path = write_clip(Path(folder, name), pictures, codec=codec, pix_fmt=pix_fmt, options=options)
        return path.read_bytes()
