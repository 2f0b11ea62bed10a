"""Marks of ``invisible-watermark``, written by the library itself."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from clips import numbered, write_clip
from imwatermark import WatermarkDecoder, WatermarkEncoder

from detector.marks.dwt_dct import (
    FRAME_PIXELS,
    LEAST_SIDE,
    PAYLOADS,
    Payload,
    PixelMark,
    decode_as_library,
    find_pixel_mark,
)
from detector.marks.search import MarkWatch
from detector.media.frame import Image
from detector.media.open import open_media

XL = PAYLOADS[0]


@pytest.fixture(scope="module")
def scene(astronaut: Image) -> Image:
    return cv2.resize(astronaut, (768, 768), interpolation=cv2.INTER_CUBIC)


def write_mark(image: Image, payload: Payload, *, floats: bool = False, red_first: bool = False) -> Image:
    """Mark a picture with the library as programs do: floats or 8 bits, blue or red first."""
    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", payload.bits.astype(int).tolist())
    given = np.ascontiguousarray(image if red_first else image[:, :, ::-1])
    marked = encoder.encode(given.astype(np.float32) if floats else given, "dwtDct")
    pixels = np.clip(np.round(marked), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels if red_first else pixels[:, :, ::-1])


def as_jpeg(image: Image, quality: int, subsampling: str = "4:4:4") -> Image:
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(PIL.Image.open(file))


def read_mark(image: Image) -> PixelMark:
    mark = find_pixel_mark(image)
    assert mark is not None
    return mark


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload.program}, {len(payload.bits)}")
@pytest.mark.parametrize("floats", [False, True], ids=["8 bits", "floats"])
def test_each_mark_is_read_bit_by_bit(scene: Image, payload: Payload, floats: bool) -> None:
    mark = read_mark(write_mark(scene, payload, floats=floats))
    assert (mark.program, mark.length, mark.shifted) == (payload.program, len(payload.bits), False)
    assert mark.matched >= 0.98 * mark.length
    assert mark.chance < 1e-6


def test_floats_are_not_read_as_the_library_reads_them(scene: Image) -> None:
    """Its own decoder sees 8 bits, where the mark of Stable Diffusion XL is another."""
    marked = write_mark(scene, XL, floats=True)
    by_library = WatermarkDecoder("bits", 48).decode(marked[:, :, ::-1].copy())
    assert np.count_nonzero(by_library == XL.bits) < 42
    assert read_mark(marked).matched == 48


def test_a_mark_is_read_with_red_and_blue_exchanged(scene: Image) -> None:
    assert read_mark(write_mark(scene, XL, floats=True, red_first=True)).program == XL.program


@pytest.mark.parametrize("quality", [98, 95, 90, 85])
@pytest.mark.parametrize("floats", [False, True], ids=["8 bits", "floats"])
def test_a_mark_outlasts_compression_without_subsampling(scene: Image, quality: int, floats: bool) -> None:
    mark = read_mark(as_jpeg(write_mark(scene, XL, floats=floats), quality))
    assert (mark.program, mark.matched >= 42) == (XL.program, True)


def test_strong_compression_removes_a_mark(scene: Image) -> None:
    assert find_pixel_mark(as_jpeg(write_mark(scene, XL), 80, "4:2:0")) is None


@pytest.mark.parametrize(
    ("top", "left"), [(8, 0), (0, 8), (3, 0), (0, 5), (13, 27), (111, 70)], ids=lambda pixels: str(pixels)
)
@pytest.mark.parametrize("payload", [XL, PAYLOADS[1]], ids=lambda payload: payload.program)
def test_a_mark_is_read_after_cropping(scene: Image, payload: Payload, top: int, left: int) -> None:
    mark = read_mark(write_mark(scene, payload, floats=True)[top : top + 600, left : left + 640])
    assert (mark.program, mark.shifted) == (payload.program, True)
    assert mark.matched >= 47


def test_a_mark_is_read_with_a_border_around_it(scene: Image) -> None:
    framed = cv2.copyMakeBorder(
        write_mark(scene, XL), 21, 30, 13, 0, cv2.BORDER_CONSTANT, value=(250, 250, 250)
    )
    assert read_mark(framed).program == XL.program


def test_of_a_large_picture_the_middle_is_read(scene: Image) -> None:
    large = np.tile(scene, (3, 2, 1))
    assert read_mark(write_mark(large, XL)).shifted is False
    frame = find_pixel_mark(write_mark(large, XL), FRAME_PIXELS)
    assert frame is not None and frame.program == XL.program


def test_marks_of_others_are_none_of_these(scene: Image) -> None:
    other = np.random.default_rng(4).random(48) < 0.5
    assert find_pixel_mark(write_mark(scene, Payload("somebody's", other))) is None


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((LEAST_SIDE - 1, 900, 3), np.uint8),
        np.zeros((LEAST_SIDE, LEAST_SIDE, 3), np.uint8),
        np.full((500, 300, 3), 255, np.uint8),
        np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 2, 3)),
        np.random.default_rng(2).integers(0, 256, (70, 3000, 3), np.uint8),
    ],
    ids=["too small", "black", "white", "ramp", "noise"],
)
def test_plain_pictures_carry_no_mark(picture: Image) -> None:
    assert find_pixel_mark(picture) is None


def test_the_picture_itself_carries_no_mark(scene: Image) -> None:
    assert find_pixel_mark(scene) is None


def watch(path: Path) -> MarkWatch:
    with open_media(path) as reader:
        marks = MarkWatch(reader)
        for frame in reader.frames(8):
            marks.process_frame(frame)
    return marks


def test_of_a_video_a_frame_a_second_is_searched(tmp_path: Path, scene: Image) -> None:
    marked = write_mark(scene, XL)
    plain_at = (0, 4, 11)  # frames of 5 a second
    pictures = [scene if number in plain_at else marked for number in range(12)]
    path = write_clip(
        tmp_path / "marked.mkv",
        pictures,
        time_base=Fraction(1, 5),
        rate=5,
        codec="libx264rgb",
        pix_fmt="rgb24",
        options={"qp": "0"},
    )
    marks = watch(path)
    (declared,) = marks.declarations()
    assert marks.search.frames == 3
    assert declared.hidden is not None and declared.hidden.frames == 2


def test_of_an_animation_each_picture_is_searched(tmp_path: Path) -> None:
    first, *others = (PIL.Image.fromarray(numbered(number)) for number in range(12))
    first.save(tmp_path / "short.gif", save_all=True, append_images=others, duration=200)
    assert watch(tmp_path / "short.gif").search.frames == 12


def test_library_and_decoder_agree_bit_by_bit(astronaut: Image) -> None:
    """200 pictures of many sizes, half of them marked, many with coefficients on the edge of two bits."""
    random = np.random.default_rng(78)
    for number in range(200):
        width, height = random.integers(257, 290, 2).tolist()
        top, left = random.integers(0, 200, 2).tolist()
        picture = cv2.resize(astronaut[top : top + 300, left : left + 300], (width, height))
        if number % 4 == 1:
            picture = (picture // 32 * 32).astype(np.uint8)
        if number % 2:
            picture = write_mark(picture, PAYLOADS[number % len(PAYLOADS)], floats=number % 3 == 0)
        length = (32, 48, 64, 136)[number // 2 % 4]
        expected = WatermarkDecoder("bits", length).decode(picture[:, :, ::-1].copy())
        assert decode_as_library(picture, length).tolist() == expected.tolist(), number
