"""References between pictures in headers of H.264 and HEVC."""

from __future__ import annotations

import random
from pathlib import Path

import av
import pytest
from clips import numbered, write_clip

from detector.media.stream.nal_units import PictureReferences, reference_reader

_X264 = {"crf": "20", "preset": "veryfast", "sc_threshold": "0", "g": "60", "keyint_min": "60"}


def read_references(path: Path, without: frozenset[int] = frozenset()) -> list[PictureReferences]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        reader = reference_reader(stream.codec_context.name, stream.codec_context.extradata)
        assert reader is not None
        packets = [packet for packet in container.demux(stream) if packet.size]
        references = [reader.read(memoryview(packet)) for n, packet in enumerate(packets) if n not in without]
    assert None not in references
    return [reference for reference in references if reference is not None]


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.mkv", "a.avi"])
@pytest.mark.parametrize("profile", ["high", "baseline", "high444"])
def test_h264_references(tmp_path: Path, name: str, profile: str) -> None:
    options = _X264 | {"profile": profile, "bf": "0" if profile == "baseline" else "2", "b-pyramid": "none"}
    if profile != "baseline":
        options["x264-params"] = "cqm=jvt"  # with scaling lists
    pix_fmt = "yuv444p" if profile == "high444" else "yuv420p"
    path = write_clip(tmp_path / name, map(numbered, range(150)), options=options, pix_fmt=pix_fmt)
    references = read_references(path)
    assert len(references) == 150 and not any(reference.follows_lost for reference in references)
    assert any(not reference.is_referenced for reference in references) is (profile != "baseline")
    for number in (4, 60, 61, 100):
        numbers = [
            n
            for n, reference in enumerate(read_references(path, frozenset({number})))
            if reference.follows_lost
        ]
        assert numbers == ([number] if references[number].is_referenced else [])


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_intra_refresh(tmp_path: Path, name: str) -> None:
    options = _X264 | {"bf": "0", "x264-params": "intra-refresh=1"}
    references = read_references(write_clip(tmp_path / name, map(numbered, range(150)), options=options))
    begins = [n for n, reference in enumerate(references) if reference.begins_refresh]
    ends = [n for n, reference in enumerate(references) if reference.ends_refresh]
    assert begins == [60, 120]
    assert len(ends) == 2 and all(0 < end - begin < 60 for begin, end in zip(begins, ends, strict=True))


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_hevc_references(tmp_path: Path, name: str) -> None:
    path = write_clip(
        tmp_path / name,
        map(numbered, range(60)),
        codec="libx265",
        options={"x265-params": "log-level=0:keyint=30:bframes=3:b-adapt=0"},
    )
    references = read_references(path)
    assert 20 < sum(not reference.is_referenced for reference in references) < 40
    assert references[0].is_referenced and not any(reference.follows_lost for reference in references)


@pytest.mark.parametrize("told_by", ["the box", "the stream"])
@pytest.mark.parametrize(("layer", "is_referenced"), [(1, True), (2, False), (3, True)])
def test_hevc_temporal_layers(told_by: str, layer: int, is_referenced: bool) -> None:
    """A type that none of its own layer refers to harms nobody only in the highest one (TRAIL_N, of two)."""
    picture = b"\0\0\0\3" + bytes((0, layer, 0x80))
    extradata, packet = b"\1" + bytes(20) + bytes((2 << 3 | 3,)) + b"\0", picture
    if told_by == "the stream":  # sps_max_sub_layers_minus1 of a sequence parameter set
        extradata, packet = b"", b"\0\0\1" + bytes((33 << 1, 1, 1 << 1)) + b"\0\0\1" + picture[4:] + b"\0"
    reader = reference_reader("hevc", extradata)
    assert reader is not None
    assert reader.read(memoryview(packet)) == PictureReferences(is_referenced)


def test_noise_is_ignored() -> None:
    draw = random.Random(1)
    for codec in ("h264", "hevc"):
        for length in range(200):
            reader = reference_reader(codec, draw.randbytes(length % 60))
            assert reader is not None
            reader.read(memoryview(b"\0\0\1" + draw.randbytes(length)))
            reader.read(memoryview(draw.randbytes(length)))


def test_other_codecs_are_not_supported() -> None:
    assert reference_reader("vp9", None) is None
