"""The one table of accepted files: what intake takes by its first bytes the engine reads, and vice versa."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from detector.errors import MediaError
from detector.media.open import open_media
from detector.media.signatures import CONTAINERS, HEAD, container_of, is_accepted, refuse_others
from webapp.errors import IntakeError
from webapp.intake.exhibits import refuse_others as refuse_at_the_door

SIDE = 64


def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), np.uint8)


def video(path: Path, codec: str = "mpeg4", **options: str) -> Path:
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream(codec, rate=5)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture(), format="rgb24")))
        out.mux(stream.encode())
    return path


def photo(path: Path) -> Path:
    assert cv2.imwrite(str(path), picture())
    return path


def boxes(data: bytes) -> dict[bytes, tuple[int, int]]:
    """Where each box of the top level begins and ends."""
    found, at = {}, 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        found[kind] = (at, at + size)
        at += size
    return found


def beginning_with(first: bytes, folder: Path) -> Path:
    """A QuickTime file whose first box is another than `ftyp`; everything else stays where it was."""
    made = video(folder / "made.mp4", **({"movflags": "faststart"} if first == b"moov" else {}))
    data = bytearray(made.read_bytes())
    where = boxes(data)
    _, end = where[b"ftyp"]
    if first == b"moov":
        start, after = where[b"moov"]
        assert start == end
        data = data[start:after] + struct.pack(">I4s", end, b"free") + bytes(end - 8) + data[after:]
    elif first == b"mdat":
        data[:8] = struct.pack(">I4s", where[b"mdat"][1], b"mdat")
    else:
        data[4:8] = first
    path = folder / "begins.mov"
    path.write_bytes(data)
    return path


def taken_by_both(path: Path) -> None:
    refuse_at_the_door(path)
    with open_media(path) as reader:
        found = container_of(path.read_bytes()[:HEAD])
        assert found is not None and reader.container_format in found.demuxers
        assert len(list(reader.frames(5))) >= 1


def refused_by_both(path: Path) -> None:
    with pytest.raises(IntakeError):
        refuse_at_the_door(path)
    with pytest.raises(MediaError), open_media(path) as reader:
        list(reader.frames(5))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mpeg4"), ("a.mov", "mpeg4"), ("a.mkv", "mpeg4"), ("a.webm", "libvpx"), ("a.avi", "mpeg4"),
    ],
)  # fmt: skip
def test_videos(tmp_path: Path, name: str, codec: str) -> None:
    taken_by_both(video(tmp_path / name, codec))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_photos(tmp_path: Path, name: str) -> None:
    taken_by_both(photo(tmp_path / name))


MOV = next(container for container in CONTAINERS if container.boxes)


@pytest.mark.parametrize("first", MOV.boxes)
def test_quicktime_files_without_a_leading_ftyp(tmp_path: Path, first: bytes) -> None:
    path = beginning_with(first, tmp_path)
    assert path.read_bytes()[4:8] == first
    taken_by_both(path)


def test_a_webp_without_riff_is_neither(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.webp")
    path.write_bytes(b"FAKE" + path.read_bytes()[4:])
    refused_by_both(path)


@pytest.mark.parametrize("form", [b"WAVE", b"ACON", b"AVIF", b"webp"])
def test_other_riff_files(tmp_path: Path, form: bytes) -> None:
    path = tmp_path / "a.avi"
    path.write_bytes(b"RIFF" + struct.pack("<I", 56) + form + bytes(52))
    refused_by_both(path)


@pytest.mark.parametrize("brand", [b"avif", b"avis", b"heic", b"mif1"])
def test_picture_files_made_of_boxes(tmp_path: Path, brand: bytes) -> None:
    path = tmp_path / "a.avif"
    path.write_bytes(struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 0, brand) + bytes(64))
    assert not is_accepted(path.read_bytes())
    with pytest.raises(MediaError, match="AVIF or HEIF"):
        refuse_others(path.read_bytes())
    refused_by_both(path)
