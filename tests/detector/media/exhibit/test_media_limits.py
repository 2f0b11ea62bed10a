"""Files of absurd size, length or count, and files of two formats, are refused early."""

from __future__ import annotations

import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import cornered, numbered, write_clip
from PIL import Image, PngImagePlugin
from sounds import hum, write_film, write_recording

from detector.errors import MediaError
from detector.media import open as media_open
from detector.media.acceptance import InputLimits
from detector.media.open import open_media
from language import translation


def refusal_of(path: Path, bounds: InputLimits | None = None) -> str:
    with pytest.raises(MediaError) as refused, open_media(path, bounds) as reader:  # noqa: PT012
        list(reader.frames(8))
    return str(refused.value)


def make_png(width: int, height: int) -> bytes:
    """A PNG of one colour that claims a size, in a few hundred bytes; its rows are those of a small one."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(min(width, 1000) * 30))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("bounds") / "clip.mp4", [numbered(n) for n in range(20)])


@pytest.mark.parametrize(
    "size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (100_000, 2_000), (17_000, 9_000)]
)
def test_huge_picture_is_refused(tmp_path, monkeypatch, size):
    """It is refused by its header: FFmpeg and Pillow decode a PNG whole to tell its size or its EXIF."""
    monkeypatch.setattr(media_open, "open_container", None)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", None)
    (tmp_path / "bomb.png").write_bytes(make_png(*size))
    assert "more than can be examined" in refusal_of(tmp_path / "bomb.png")


def test_narrow_strip_is_refused(tmp_path):
    Image.fromarray(np.zeros((10, 2000, 3), np.uint8)).save(tmp_path / "strip.png")
    assert "2000×10 pixels, a strip" in refusal_of(tmp_path / "strip.png")


def test_growing_frames_are_refused(clip):
    """The picture's size stands in the container and again in the video: FFmpeg refuses the second."""
    words = refusal_of(clip, InputLimits(pixels=100))
    assert "more than can be examined" in words


def test_too_many_frames_are_refused(tmp_path, clip):
    assert "more than 15 frames" in refusal_of(clip, InputLimits(frames=15))
    # A container that does not say how many it has is counted as it is read.
    plain = write_clip(tmp_path / "clip.mkv", [numbered(n) for n in range(20)])
    assert "more than 15 frames" in refusal_of(plain, InputLimits(frames=15))


def test_claimed_length_of_years_is_refused(tmp_path):
    path = write_clip(tmp_path / "years.mkv", [numbered(n) for n in range(20)])
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3  # Matroska's Duration: a double, in milliseconds
    path.write_bytes(data[:at] + struct.pack(">d", 1000 * 86400 * 300.0) + data[at + 8 :])
    assert "300 days by its timestamps; at most 24 hours" in refusal_of(path)


@pytest.mark.parametrize("name", ["a.mkv", "a.flv"])
def test_a_length_of_years_of_the_sound_alone_is_none_of_the_pictures(tmp_path, clip, name):
    tone = write_recording(tmp_path / "a.mp3", hum(0.5), codec="libmp3lame", rate=44_100)
    path = write_film(tmp_path / name, clip, tone, delay=1e6)
    with open_media(path) as reader:
        assert reader.expected_duration > 900_000, "the file states it"
        assert len(list(reader.every_frame())) == 20


def test_jumping_clock_is_refused(tmp_path):
    pts = [*range(10), 25 * 86400 * 2]
    path = write_clip(
        tmp_path / "jump.mkv", [numbered(n) for n in range(11)], pts=pts, time_base=Fraction(1, 25)
    )
    assert "2 days by its timestamps" in refusal_of(path)


def test_length_within_limits_is_accepted(clip):
    with open_media(clip, InputLimits(frames=20, seconds=1)) as reader:
        assert len(list(reader.every_frame())) == 20


def test_recording_without_its_table_is_refused(tmp_path):
    data = write_clip(tmp_path / "a.mp4", map(numbered, range(5))).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    assert "lacks its table of contents" in refusal_of(path)
    for cut in (data[: data.rindex(b"moov") + 40], b"\0\0\0\x1cftypheic" + data[12:200]):
        path.write_bytes(cut)
        assert "lacks its table" not in refusal_of(path)


def test_encrypted_pictures_are_refused(tmp_path):
    """FFmpeg says that the codec is the one below, and decodes noise or nothing."""
    key = "0123456789abcdef" * 2
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": key, "encryption_kid": key}
    path = write_clip(tmp_path / "a.mp4", map(numbered, range(5)), container_options=options, sound=True)
    assert "The pictures are encrypted" in refusal_of(path)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", b"avc1"), ("a.mkv", b"V_MPEG4/ISO/AVC")])
def test_unknown_codec_is_reported(tmp_path, name, codec):
    path = write_clip(tmp_path / name, map(numbered, range(5)), sound=True)
    path.write_bytes(path.read_bytes().replace(codec, codec[:-3] + b"XYZ"))
    assert "use an unknown codec" in refusal_of(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "a playlist, which only names other files"),
        (b"\xef\xbb\xbf  #EXTM3U\nfile:///etc/passwd\n", "a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "a list of files for FFmpeg"),
        (b"<?xml version='1.0'?><MPD></MPD>", "an XML text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "a drawing (SVG)"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"\x7fELF\x02\x01", "a program"),
        (b"\0\0\0\1\x67\x64\0\x1f", "a bare stream of H.264, HEVC or MPEG-2, without times"),
        (b"\0\0\0\1\x40\x01\x0c", "a bare stream of H.264, HEVC or MPEG-2, without times"),
        (b"\0\0\1\xb3\x2d\0", "a bare stream of H.264, HEVC or MPEG-2, without times"),
        (b"\x1f\x07\0\x3f", "a bare DV stream"),
        (b"DHAV\xfd\0", "a file in the format of Dahua recorders"),
        (b"\0\0\0\x18styp", "a part of a stream (DASH, HLS) without its beginning"),
        (b"\0\0\1\0moof", "a part of a stream (DASH, HLS) without its beginning"),
    ],
)
def test_other_types_are_named(tmp_path, content, words):
    (tmp_path / "clip.mp4").write_bytes(content)
    assert words in refusal_of(tmp_path / "clip.mp4")


def test_misleading_first_bytes_are_refused(tmp_path, clip):
    """A file that starts as a picture, and that FFmpeg is talked into reading as a video."""
    data = bytearray(clip.read_bytes())
    data[4:8] = b"\x89PNG"  # where 'ftyp' stood: what follows is still found to be a mov
    head = b"\x89PNG\r\n\x1a\n"
    path = tmp_path / "both.png"
    # An empty box of a made-up kind whose size is the PNG's first four bytes cannot be; a free box can.
    path.write_bytes(head + data)
    words = refusal_of(path)
    assert "begins as a PNG" in words or "cannot be read" in words or "No frame" in words


def test_pipes_and_devices_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "a device or a pipe" in refusal_of(tmp_path / "pipe.mp4")
    assert "a device or a pipe" in refusal_of(Path("/dev/zero"))


def test_photo_is_opened_in_accepted_formats_only(tmp_path):
    """Pillow opens some kinds by running other programs; it is not asked about those."""
    (tmp_path / "x.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    assert "a PostScript document" in refusal_of(tmp_path / "x.jpg")
    Image.fromarray(cornered()).save(tmp_path / "good.jpg")
    with open_media(tmp_path / "good.jpg") as reader:
        assert len(list(reader.frames(8))) == 1


@pytest.mark.parametrize(
    ("seconds", "message"), [(300 * 86_400, "300 Tage"), (100_000, "28 Stunden"), (7_000, "7000 Sekunden")]
)
def test_limit_message_is_translated(seconds: float, message: str) -> None:
    with pytest.raises(MediaError) as refused:
        InputLimits(seconds=10.0).refuse_length(seconds)
    with translation.speaking("de"):
        assert f"{message}; höchstens 10 Sekunden" in translation.translated(str(refused.value))
