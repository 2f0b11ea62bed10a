"""Videos that players show differently: crops, Dolby Vision, interlacing."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from clips import box, numbered, write_clip

from detector.media.containers import display_sizes
from detector.media.open import open_media
from detector.metadata.anomalies import find_anomalies
from detector.metadata.exhibit import collect_facts, media_facts
from detector.schema.metadata import Picture

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KINDS = {"players are to crop the picture", "colours of Dolby Vision", "interlaced pictures"}


def read_picture(path: Path) -> tuple[Picture, dict[str, str]]:
    with open_media(path) as reader:
        list(reader.frames(8))
        media, details = media_facts(reader, path.name, 1, "0" * 64), collect_facts(reader, path).details
    assert details.picture is not None
    observations = {anomaly.kind: anomaly.observation for anomaly in find_anomalies(media, details, NOW)}
    return details.picture, {kind: observation for kind, observation in observations.items() if kind in KINDS}


def write_with_box(path: Path, kind: bytes, contents: bytes) -> Path:
    """A clip in whose sample description a box was put; its table of contents is the last of its parts."""
    data = write_clip(path, map(numbered, range(4))).read_bytes()
    added = struct.pack(">I4s", 8 + len(contents), kind) + contents
    at = box(data, b"avcC") - 8
    changed = bytearray(data[:at] + added + data[at:])
    for around in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        start = data.index(around, data.index(b"moov")) - 4
        struct.pack_into(">I", changed, start, int.from_bytes(data[start : start + 4]) + len(added))
    path.write_bytes(changed)
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_mp4_crop_is_reported(tmp_path: Path, name: str) -> None:
    clap = struct.pack(">8i", 100, 1, 160, 2, -10, 1, 0, 1)
    picture, observations = read_picture(write_with_box(tmp_path / name, b"clap", clap))
    assert picture.shown == (100, 80)
    assert "show 100×80 px of each picture" in observations["players are to crop the picture"]


@pytest.mark.parametrize(("side", "shown"), [(b"\x54\xaa", (160, 66)), (b"\x54\xdd", (130, 96))])
def test_matroska_crop_is_reported(tmp_path: Path, side: bytes, shown: tuple[int, int]) -> None:
    path = write_clip(tmp_path / "a.mkv", map(numbered, range(4)))
    data, unit = path.read_bytes(), b"\x54\xb2\x81\x04"  # an element beside the size, of no account here
    assert data.count(unit) == 1 and read_picture(path)[0].shown is None
    path.write_bytes(data.replace(unit, side + b"\x81\x1e"))
    picture, observations = read_picture(path)
    assert picture.shown == shown and list(observations) == ["players are to crop the picture"]


def test_truncated_matroska_has_no_crop(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "a.mkv", map(numbered, range(4))).read_bytes()
    data = data.replace(b"\x54\xb2\x81\x04", b"\x54\xaa\x81\x1e")
    whole = display_sizes(io.BytesIO(data))
    assert whole == {0: (160, 66)}
    assert all(display_sizes(io.BytesIO(data[:cut])) in ({}, whole) for cut in range(600))
    spoilt = data.replace(b"\xb0\x81\xa0", b"\xb0\x81\x00")
    assert spoilt != data and display_sizes(io.BytesIO(spoilt)) == {}


@pytest.mark.parametrize("clap", [(160, 1, 96, 1), (100, 0, 80, 1)])
def test_invalid_crop_is_ignored(tmp_path: Path, clap: tuple[int, ...]) -> None:
    contents = struct.pack(">8i", *clap, 0, 1, 0, 1)
    picture, observations = read_picture(write_with_box(tmp_path / "a.mp4", b"clap", contents))
    assert (picture.shown, observations) == (None, {})


@pytest.mark.parametrize(("kind", "profile", "base"), [(b"dvcC", 5, 0), (b"dvvC", 8, 4), (b"dvvC", 10, 0)])
def test_dolby_vision_without_base_colours_is_reported(
    tmp_path: Path, kind: bytes, profile: int, base: int
) -> None:
    flags = profile << 9 | 5 << 3 | 0b101
    contents = struct.pack(">BBHB", 1, 0, flags, base << 4) + bytes(19)
    picture, observations = read_picture(write_with_box(tmp_path / "a.mp4", kind, contents))
    assert picture.dolby_vision == f"{profile}.{base}"
    assert list(observations) == ([] if base else ["colours of Dolby Vision"])


@pytest.mark.parametrize("cut", [3, 10, 20])
def test_truncated_description_is_ignored(tmp_path: Path, cut: int) -> None:
    picture, observations = read_picture(write_with_box(tmp_path / "a.mp4", b"clap", bytes(cut)))
    assert (picture.shown, observations) == (None, {})


@pytest.mark.parametrize("interlaced", [True, False])
def test_interlacing_is_reported(tmp_path: Path, interlaced: bool) -> None:
    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.options = {"crf": "12", "x264-params": "tff=1"} if interlaced else {"crf": "12"}
        for number in range(25):
            picture = numbered(number)
            picture[1::2] = numbered(number + 1)[1::2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    picture_facts, observations = read_picture(path)
    assert picture_facts.interlaced == (1.0 if interlaced else None)
    assert list(observations) == (["interlaced pictures"] if interlaced else [])
    assert not interlaced or "100 % of the sampled frames" in observations["interlaced pictures"]
