"""Transparent pictures are examined as viewers show them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from analyses import media as facts

from detector.media.frame import flatten_transparency
from detector.media.open import open_media
from detector.metadata.anomalies import find_anomalies
from detector.metadata.exhibit import collect_facts
from detector.schema.analysis import MediaKind
from detector.verdict.coverage import unexamined_causes

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def make_erased_picture() -> np.ndarray:
    picture = np.full((96, 128, 4), (200, 60, 40, 255), np.uint8)
    picture[:48, :, 3] = 0
    return picture


def test_half_transparency_is_blended() -> None:
    image, alpha = np.full((1, 3, 3), 100, np.uint8), np.array([[255, 128, 0]], np.uint8)
    assert flatten_transparency(image, alpha, 255)[0, :, 0].tolist() == [100, 177, 255]
    assert flatten_transparency(image, alpha, 0)[0, :, 0].tolist() == [100, 50, 0]
    assert flatten_transparency(image, np.full((1, 3), 255, np.uint8), 255) is image


def make_bitmap(header: int, compression: int, alpha_mask: int, pixels: np.ndarray) -> bytes:
    """A BMP of 32 bits, whose pixels are RGBA, top row first."""
    height, width = pixels.shape[:2]
    body = pixels[::-1, :, [2, 1, 0, 3]].tobytes()
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, 32, compression, len(body), 0, 0, 0, 0)
    if header > 40:
        info = (info + struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, alpha_mask)).ljust(header, b"\0")
    start = 14 + len(info)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + body


@pytest.mark.parametrize(
    ("header", "compression", "mask", "seen"),
    [
        (40, 0, 0, True),
        (108, 0, 0, True),
        (108, 3, 0, True),
        (124, 0, 0xFF000000, True),
        (108, 3, 0xFF000000, False),
        (124, 3, 0xFF000000, False),
    ],
)
def test_bitmap_padding_is_no_transparency(
    tmp_path: Path, header: int, compression: int, mask: int, seen: bool
) -> None:
    (tmp_path / "a.bmp").write_bytes(make_bitmap(header, compression, mask, make_erased_picture()))
    with open_media(tmp_path / "a.bmp") as reader:
        (frame,) = reader.frames(8)
    assert frame.image[10, 10].tolist() == ([200, 60, 40] if seen else [255, 255, 255])
    assert (reader.transparent == 0) is seen


@pytest.mark.parametrize(
    ("mode", "compression"), [("RGBX", "raw"), ("RGBX", "jpeg"), ("RGBA", "raw"), ("LA", "raw")]
)
def test_tiff_extra_channel_may_be_transparency(tmp_path: Path, mode: str, compression: str) -> None:
    picture = PIL.Image.fromarray(make_erased_picture())
    if mode == "RGBX":
        picture = PIL.Image.frombytes("RGBX", picture.size, picture.tobytes())
    picture.convert(mode).save(tmp_path / "a.tif", compression=compression)
    with open_media(tmp_path / "a.tif") as reader:
        (frame,) = reader.frames(8)
    top, bottom = frame.image[10, 10].tolist(), frame.image[90, 10].tolist()
    if mode == "RGBX":
        assert max(abs(a - b) for a, b in zip(top, bottom, strict=True)) < 5
        assert reader.transparent == 0
    else:
        assert top == [255, 255, 255] and bottom != top
        assert reader.transparent == 0.5


@pytest.mark.parametrize(
    "name", ["a.png", "a.webp", "a.tif", "a.avif", "a.gif", "palette.png", "grey.png", "moving.webp"]
)
def test_erased_pixels_are_not_examined(tmp_path: Path, name: str) -> None:
    path, picture = tmp_path / name, PIL.Image.fromarray(make_erased_picture())
    if name == "palette.png":
        picture = picture.quantize(8, method=PIL.Image.Quantize.FASTOCTREE)
    if name == "grey.png":
        picture = picture.convert("LA")
    lossless = {"lossless": True, "exact": True} if name.endswith("webp") else {}
    if name == "moving.webp":
        lossless |= {
            "save_all": True,
            "append_images": [PIL.Image.fromarray(np.roll(make_erased_picture(), 5, 0))],
        }
    picture.save(path, **lossless)
    with open_media(path) as reader:
        frame = next(iter(list(reader.frames(8))))
        details = collect_facts(reader, path).details
    assert (frame.image[:40] >= 254).all()
    assert frame.image[60:].max() < 230
    assert details.picture is not None and details.picture.transparent == pytest.approx(0.5, abs=0.05)
    media = facts(MediaKind.IMAGE, 0.0).model_copy(update={"details": details})
    (finding,) = (
        anomaly for anomaly in find_anomalies(media, details, NOW) if anomaly.kind == "transparent areas"
    )
    assert "% of the picture is fully or partly transparent" in finding.observation
    assert any(
        "are transparent" in words for words in [cause.text for cause in unexamined_causes(media, 0.0)]
    )
    few = details.model_copy(update={"picture": details.picture.model_copy(update={"transparent": 3e-6})})
    (finding,) = (
        anomaly for anomaly in find_anomalies(media, few, NOW) if anomaly.kind == "transparent areas"
    )
    assert finding.observation.startswith("Less than 0.1 % of the picture is fully or partly transparent")


@pytest.mark.parametrize("name", ["a.png", "a.webp", "palette.png"])
def test_opaque_alpha_channel_changes_nothing(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(1)
    whole = PIL.Image.fromarray(rng.integers(0, 255, (64, 80, 3), np.uint8))
    images = []
    for picture in (whole, whole.convert("RGBA")):
        if name == "palette.png":
            picture = whole.quantize(64)
        picture.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
        with open_media(tmp_path / name) as reader:
            (frame,) = reader.frames(8)
            assert reader.transparent == 0
        images.append(frame.image)
    assert np.array_equal(*images)
