"""Photos in other colour spaces are examined in the colours that browsers show."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import ImageCms

from detector.media import colour
from detector.media.colour import _PRIMARIES, _SRGB, _profile
from detector.media.open import open_media
from detector.metadata.anomalies import photo_anomalies
from detector.metadata.exhibit import add_metadata, media_facts
from detector.schema.metadata import Photo
from reports.exhibit.encoding import _photo

SWAPPED = (*_SRGB[:2], *_SRGB[6:8], *_SRGB[4:6], *_SRGB[2:4])
PROPHOTO = (0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)
OTHERS = {
    "swapped": _profile(SWAPPED, None),
    "Display P3": _profile(_PRIMARIES[12], None),
    "ProPhoto": _profile(PROPHOTO, 1.8),
    "linear": _profile(_SRGB, 1.0),
}


def convert_to_profile(picture: PIL.Image.Image, profile: bytes) -> PIL.Image.Image:
    """What a file with this profile holds, to be seen as ``picture``."""
    given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    made = ImageCms.profileToProfile(picture, ImageCms.createProfile("sRGB"), given)
    assert made is not None
    return made


def examine(path: Path) -> tuple[NDArray[np.uint8], Photo]:
    with open_media(path) as reader:
        (frame,) = reader.frames(8)
        (again,) = reader.at({frame.pts})
        assert np.array_equal(again.image, frame.image)
        assert reader.tally.undecodable == 0
        media = media_facts(reader, path.name, 1, "0" * 64)
        photo = add_metadata(media, reader, path)[0].details.photo
    assert photo is not None
    return frame.image, photo


def mean_difference(shown: NDArray[np.uint8], picture: PIL.Image.Image) -> float:
    return float(np.abs(shown.astype(int) - np.asarray(picture.convert("RGB"))).mean())


def write_with_chunk(picture: PIL.Image.Image, path: Path, kind: bytes, data: bytes) -> Path:
    """A PNG with a chunk before its pixels."""
    made = io.BytesIO()
    picture.save(made, "PNG")
    png = made.getvalue()
    at = png.index(b"IDAT") - 4
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(png[:at] + chunk + png[at:])
    return path


@pytest.fixture
def portrait(astronaut: NDArray[np.uint8]) -> PIL.Image.Image:
    return PIL.Image.fromarray(astronaut[200:351, 100:300])


@pytest.mark.parametrize("profile", OTHERS)
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "tiles.tif", "a.heic", "a.avif"])
def test_colours_are_converted_to_srgb(
    tmp_path: Path, portrait: PIL.Image.Image, name: str, profile: str
) -> None:
    pillow_heif.register_heif_opener()
    given = OTHERS[profile]
    options = {"compression": "jpeg"} if name == "tiles.tif" else {"lossless": True} if "webp" in name else {}
    held = convert_to_profile(portrait, given)
    held.save(tmp_path / name, icc_profile=given, quality=97, **options)
    shown, photo = examine(tmp_path / name)
    assert photo.colours == "converted"
    # What is lost where few numbers are left for dark colours, and in subsampled ones.
    assert mean_difference(shown, portrait) < (2 if name in {"a.png", "a.tif", "a.webp"} else 6)
    assert mean_difference(np.asarray(held), portrait) > 1.2 * mean_difference(shown, portrait)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.heic", "a.avif"])
def test_srgb_picture_is_unchanged(tmp_path: Path, portrait: PIL.Image.Image, name: str) -> None:
    pillow_heif.register_heif_opener()
    portrait.save(tmp_path / name)
    plain, photo = examine(tmp_path / name)
    assert photo.colours is None
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (usual, _profile(_SRGB, None)):
        portrait.save(tmp_path / name, icc_profile=profile)
        shown, photo = examine(tmp_path / name)
        assert photo.colours is None and photo.colour_profile is not None
        assert np.array_equal(shown, plain)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_grey_profile(tmp_path: Path, portrait: PIL.Image.Image, name: str) -> None:
    grey = portrait.convert("L")
    grey.save(tmp_path / name, icc_profile=make_grey_profile(1.0), quality=97)
    shown, photo = examine(tmp_path / name)
    assert photo.colours == "converted"
    assert np.array_equal(shown[:, :, 0], shown[:, :, 2])
    lighter = np.asarray(grey) / 255
    coded = np.where(lighter <= 0.0031308, 12.92 * lighter, 1.055 * lighter ** (1 / 2.4) - 0.055)
    assert np.abs(shown[:, :, 0] - 255 * coded).mean() < 2


def test_png_colour_chunks(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    path, plain = tmp_path / "a.png", np.asarray(portrait)
    linear = convert_to_profile(portrait, OTHERS["linear"])
    gama = struct.pack(">I", 100_000)
    shown, photo = examine(write_with_chunk(linear, path, b"gAMA", gama))
    assert photo.colours == "converted" and mean_difference(shown, portrait) < 2
    # As libpng: that of sRGB, though its curve is another.
    shown, photo = examine(write_with_chunk(portrait, path, b"gAMA", struct.pack(">I", 45_455)))
    assert photo.colours is None and np.array_equal(shown, plain)
    # sRGB and profiles come before it.
    write_with_chunk(portrait, path, b"gAMA", gama)
    png = path.read_bytes()
    at = png.index(b"gAMA") - 4
    srgb = struct.pack(">I", 1) + b"sRGB\0" + struct.pack(">I", zlib.crc32(b"sRGB\0"))
    path.write_bytes(png[:at] + srgb + png[at:])
    assert np.array_equal(examine(path)[0], plain)
    shown, photo = examine(
        write_with_chunk(
            convert_to_profile(portrait, OTHERS["Display P3"]), path, b"cICP", bytes([12, 13, 0, 1])
        )
    )
    assert photo.colours == "converted" and mean_difference(shown, portrait) < 1
    shown, photo = examine(write_with_chunk(portrait, path, b"cICP", bytes([1, 13, 0, 1])))
    assert photo.colours is None and np.array_equal(shown, plain)
    shown, photo = examine(write_with_chunk(portrait, path, b"cICP", bytes([9, colour.PQ, 0, 1])))
    assert photo.colours is None and mean_difference(shown, portrait) > 5


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_codes_without_a_profile(tmp_path: Path, portrait: PIL.Image.Image, kind: str) -> None:
    held, path = (
        convert_to_profile(portrait.crop((0, 0, 200, 150)), OTHERS["Display P3"]),
        tmp_path / f"a.{kind}",
    )
    if kind == "heic":
        several = pillow_heif.from_pillow(held)
        several.save(path, quality=97, color_primaries=12, transfer_characteristics=13)
    else:
        with av.open(str(path), "w", format="avif") as container:
            stream = container.add_stream("libsvtav1", rate=1, options={"preset": "12", "crf": "10"})
            stream.width, stream.height, stream.pix_fmt = 200, 150, "yuv420p"
            context = stream.codec_context
            context.color_trc, context.color_primaries, context.colorspace = 13, 12, 6
            container.mux(stream.encode(av.VideoFrame.from_image(held)))
            container.mux(stream.encode())
    shown, photo = examine(path)
    assert photo.colours == "converted"
    assert mean_difference(shown, portrait.crop((0, 0, 200, 150))) < 3


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_profile_is_used(tmp_path: Path, portrait: PIL.Image.Image, name: str) -> None:
    """FFmpeg hands out no inks. The profile is one by which the paper is blue."""
    picture = portrait.convert("CMYK")
    picture.save(tmp_path / f"plain {name}", quality=95)
    plain, photo = examine(tmp_path / f"plain {name}")
    assert photo.colours is None and mean_difference(plain, portrait) < 3
    picture.save(tmp_path / name, quality=95, icc_profile=make_ink_profile())
    shown, photo = examine(tmp_path / name)
    assert (photo.colours, photo.mode) == ("converted", "CMYK")
    light = np.asarray(portrait.convert("L")) > 200
    assert (shown[light][:, 2].astype(int) - shown[light][:, 0]).mean() > 40
    with open_media(tmp_path / name) as reader:
        assert reader.container_format == {"a.jpg": "jpeg_pipe", "a.tif": "tiff_pipe"}[name]


@pytest.mark.parametrize("profile", ["nonsense", "cut", "of greys", "of inks", "empty"])
def test_unusable_profile_is_reported(tmp_path: Path, portrait: PIL.Image.Image, profile: str) -> None:
    data = {
        "nonsense": bytes(range(256)) * 3,
        "cut": OTHERS["swapped"][:200],
        "of greys": make_grey_profile(1.0),
        "of inks": make_ink_profile(),
        "empty": b"\0",
    }[profile]
    portrait.save(tmp_path / "a.png", icc_profile=data)
    with open_media(tmp_path / "a.png") as reader:
        (frame,) = reader.frames(8)
        media = media_facts(reader, "a.png", 1, "0" * 64)
        media, _ = add_metadata(media, reader, tmp_path / "a.png")
    assert np.array_equal(frame.image, np.asarray(portrait))
    assert media.details is not None and media.details.photo is not None
    assert media.details.photo.colours == "unusable"
    (seen,) = photo_anomalies(media.details)
    assert seen.kind == "unusable colour profile"
    (fact,) = [fact for fact in _photo(media.details.photo) if fact.name == "Colour profile"]
    assert "unusable" in fact.note


@pytest.mark.parametrize(
    "chunk",
    [
        (b"gAMA", struct.pack(">I", 1)),
        (b"gAMA", b"\0\0\0\0"),
        (b"gAMA", b"\xff\xff\xff\xff"),
        (b"cICP", bytes([77, 99, 0, 1])),
        (b"cICP", b"\1"),
        (b"cHRM", bytes(32)),
    ],
)
def test_invalid_chunks_change_nothing(
    tmp_path: Path, portrait: PIL.Image.Image, chunk: tuple[bytes, bytes]
) -> None:
    shown, _ = examine(write_with_chunk(portrait, tmp_path / "a.png", *chunk))
    assert np.array_equal(shown, np.asarray(portrait))


def make_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    at, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    header = struct.pack(">I4xI", at + len(body), 0x02400000) + kind + space + connection
    white = struct.pack(">3i", 63190, 65536, 54061)
    return (header.ljust(36, b"\0") + b"acsp" + bytes(28) + white).ljust(128, b"\0") + table + body


def make_grey_profile(gamma: float) -> bytes:
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return make_profile(b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


def make_ink_profile() -> bytes:
    """Four inks that only darken a blue paper (ICC.1:2001-04, 6.5.8: two values of each ink)."""
    ramp = bytes(range(256))
    corners = b""
    for inks in range(16):
        darkest = bin(inks).count("1")
        corners += bytes([max(0, 220 - 70 * darkest), 128, max(60, 128 - 60 + 15 * darkest)])
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + 4 * ramp + corners + 3 * ramp
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return make_profile(b"CMYK", b"Lab ", {b"wtpt": white, b"A2B0": table})
