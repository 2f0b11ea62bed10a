"""Photos: one upright frame each, in every pixel format."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pillow_heif
import pytest
from clips import UPRIGHT, cornered, corners, numbered
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo
from reading import read, refusal

from detector.media import colour
from detector.media.open import open_media
from detector.metadata.exhibit import collect_facts
from detector.schema.analysis import MediaKind


def write_pq(path: Path, pixels: NDArray[np.uint16]) -> None:
    """A photo in PQ with the primaries of BT.2020, of RGB pixels of 16 bits."""
    height, width = pixels.shape[:2]
    if path.suffix == ".heic":
        picture = pillow_heif.from_bytes("RGB;16", (width, height), pixels.tobytes())
        picture.save(
            path, quality=95, color_primaries=9, transfer_characteristics=colour.PQ, matrix_coefficients=9
        )
        return
    with av.open(str(path), "w", format="avif") as container:
        stream = container.add_stream("libsvtav1", rate=1, options={"preset": "12", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = colour.PQ, 9, 9
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb48le")))
        container.mux(stream.encode())


class TestPhotos:
    # What was done to the upright picture for it to be stored under this EXIF orientation.
    STORED = {
        1: None,
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }

    @pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp"])
    def test_a_photo_is_one_frame_without_duration(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        assert cv2.imwrite(str(path), cornered()[:, :, ::-1])
        with open_media(path) as reader:
            (frame,) = reader.frames(8)
            assert corners(frame.image) == UPRIGHT
            assert (frame.time, reader.duration, reader.frame_rate) == (0, 0, None)
            assert reader.kind is MediaKind.IMAGE
            assert not reader.variable_frame_rate
            (again,) = reader.at({frame.pts})
            assert np.array_equal(again.image, frame.image)

    def test_lossless_photos_keep_their_pixels(self, tmp_path: Path) -> None:
        picture = numbered(5)
        for name in ("photo.png", "photo.webp"):
            Pillow.fromarray(picture).save(tmp_path / name, lossless=True)
        assert np.array_equal(read(tmp_path / "photo.png")[0][0].image, picture)
        # Lossless WebP is RGB inside, so nothing is lost here either.
        assert np.array_equal(read(tmp_path / "photo.webp")[0][0].image, picture)

    @pytest.mark.parametrize("name", ["photo.heic", "photo.avif"])
    def test_high_dynamic_range_is_converted(self, tmp_path: Path, name: str) -> None:
        """203 cd/m² is 0.58 in PQ (ITU-R BT.2408); what is half as bright is a middle grey."""
        coded = np.repeat(np.linspace(0, 0.58, 320)[None, :, None], 3, axis=2).repeat(320, axis=0)
        write_pq(tmp_path / name, np.round(coded * 65535).astype(np.uint16))
        (frame,) = read(tmp_path / name)[0]
        left, middle, right = (frame.image[:, at].mean() for at in (4, 160, 315))
        assert left < 10 and 20 < middle < 120 and 205 < right < 250

    @pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "in jpeg.tif"])
    def test_an_orientation_in_xmp_alone_turns_nothing(self, tmp_path: Path, name: str) -> None:
        """As browsers show it."""
        path, picture = tmp_path / name, Pillow.fromarray(cornered())
        xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
        if name == "in jpeg.tif":
            picture.save(path, compression="jpeg", tiffinfo={700: xmp})
        elif name == "a.png":
            text = PngInfo()
            text.add_itxt("XML:com.adobe.xmp", xmp.decode())
            picture.save(path, pnginfo=text)
        else:
            picture.save(path, xmp=xmp, quality=95)
        with Pillow.open(path) as seen:
            assert seen.getexif()[0x0112] == 6
        with open_media(path) as reader:
            (frame,) = reader.frames(8)
            photo = collect_facts(reader, path).details.photo
        assert corners(frame.image) == UPRIGHT
        assert photo is not None and photo.orientation is None

    @pytest.mark.parametrize("orientation", STORED)
    def test_exif_orientation(self, tmp_path: Path, orientation: int) -> None:
        """All eight; a mirrored photo may stay mirrored, but stands on its feet."""
        picture = Pillow.fromarray(cornered())
        done = self.STORED[orientation]
        exif = Pillow.Exif()
        exif[0x0112] = orientation
        path = tmp_path / "photo.jpg"
        (picture if done is None else picture.transpose(done)).save(path, exif=exif, quality=95)
        with open_media(path) as reader:
            (frame,) = reader.frames(8)
            mirrored = orientation in {2, 4, 5, 7}
            assert corners(frame.image) in ({UPRIGHT, "GRWB"} if mirrored else {UPRIGHT})
            assert frame.image.shape == (96, 128, 3)
            assert (reader.width, reader.height) == (128, 96)

    def test_png_with_alpha(self, tmp_path: Path) -> None:
        picture = numbered(9)
        alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
        Pillow.fromarray(np.concatenate([picture, alpha], axis=2)).save(tmp_path / "photo.png")
        (frame,), _ = read(tmp_path / "photo.png")
        assert np.array_equal(frame.image, picture)

    def test_png_of_sixteen_bits(self, tmp_path: Path) -> None:
        picture = numbered(9)
        deep = picture[:, :, ::-1].astype(np.uint16) * 257
        assert cv2.imwrite(str(tmp_path / "photo.png"), deep)
        (frame,), _ = read(tmp_path / "photo.png")
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image.astype(int) - picture).max() <= 1

    @pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK"])
    def test_other_kinds_of_pixels(self, tmp_path: Path, mode: str) -> None:
        path = tmp_path / ("photo.jpg" if mode == "CMYK" else "photo.png")
        picture = Pillow.fromarray(cornered()).convert(mode)
        picture.save(path)
        (frame,), _ = read(path)
        shown = np.array(picture.convert("RGB")).astype(int)
        assert frame.image.shape == shown.shape
        assert np.abs(frame.image.astype(int) - shown).mean() < 8

    @pytest.mark.parametrize("orientation", STORED)
    @pytest.mark.parametrize("kind", ["tiff_lzw", "jpeg", "one tile"])
    def test_tiled_and_jpeg_tiffs(self, tmp_path: Path, kind: str, orientation: int) -> None:
        """Black pictures to FFmpeg, which says nothing of it."""
        path = tmp_path / "photo.tif"
        done = self.STORED[orientation]
        picture = Pillow.fromarray(cornered())
        stored = picture if done is None else picture.transpose(done)
        if kind == "one tile":
            path.write_bytes(make_tiled_tiff(np.asarray(stored), orientation))
        else:
            exif = Pillow.Exif()
            exif[0x0112] = orientation
            stored.save(path, exif=exif, compression=kind)
        with open_media(path) as reader:
            (frame,) = reader.frames(8)
            assert np.abs(frame.image.astype(int) - cornered()).mean() < 2
            assert (reader.tally.undecodable, reader.container_format) == (0, "tiff_pipe")

    @pytest.mark.parametrize("colours", [1, 3])
    def test_tiled_tiffs_of_sixteen_bits(self, tmp_path: Path, colours: int) -> None:
        picture = cornered()[:, :, :colours]
        (tmp_path / "photo.tif").write_bytes(make_tiled_tiff(picture.astype(np.uint16) * 257))
        (frame,), _ = read(tmp_path / "photo.tif")
        assert np.array_equal(frame.image[:, :, :colours], picture)

    def test_tiled_tiff_of_numbers_is_refused(self, tmp_path: Path) -> None:
        """What is black and what is white stands nowhere."""
        (tmp_path / "photo.tif").write_bytes(make_tiled_tiff(cornered()[:, :, :1].astype(np.uint32) << 16))
        message = refusal(tmp_path / "photo.tif")
        assert "damaged" not in message and "colours are stored in a format that is not supported" in message

    @pytest.mark.parametrize("kind", ["int32", "float32"])
    def test_tiff_of_numbers_is_not_reported_as_damaged(self, tmp_path: Path, kind: str) -> None:
        Pillow.fromarray(cornered()[:, :, 0].astype(kind)).save(tmp_path / "photo.tif")
        message = refusal(tmp_path / "photo.tif")
        assert "damaged" not in message and "colours are stored in a format that is not supported" in message
        (tmp_path / "photo.tif").write_bytes((tmp_path / "photo.tif").read_bytes()[:5000])
        assert "damaged" in refusal(tmp_path / "photo.tif")

    @pytest.mark.parametrize(("kind", "stated"), [("float16", 3), ("int16", 2), ("int8", 2), ("int16", 5)])
    @pytest.mark.parametrize("colours", [1, 3])
    def test_tiff_of_numbers_is_not_misread(
        self, tmp_path: Path, colours: int, kind: str, stated: int
    ) -> None:
        """FFmpeg would, without a word."""
        pixels = (cornered()[:, :, :colours] // 2).astype(kind)
        (tmp_path / "photo.tif").write_bytes(make_tiled_tiff(pixels, sample_format=stated))
        assert "colours are stored in a format that is not supported" in refusal(tmp_path / "photo.tif")

    def test_tiff_without_sample_format_is_read(self, tmp_path: Path) -> None:
        Pillow.fromarray(cornered()).save(tmp_path / "photo.tif", tiffinfo={339: 4})
        assert np.array_equal(read(tmp_path / "photo.tif")[0][0].image, cornered())

    @pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
    def test_a_tiff_in_cie_lab_is_read(self, tmp_path: Path, compression: str) -> None:
        """FFmpeg knows no such colours."""
        picture = Pillow.fromarray(cornered() // 2 + 40)
        to_lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        lab = ImageCms.applyTransform(picture, to_lab)
        assert lab is not None and lab.mode == "LAB"
        lab.save(tmp_path / "photo.tif", compression=compression)
        (frame,), tally = read(tmp_path / "photo.tif")
        assert tally.undecodable == 0
        # The most vivid colours are beyond eight bits of Lab.
        assert np.abs(frame.image.astype(int) - np.asarray(picture)).mean() < 1.5

    @pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.webp", "several.jpg"])
    def test_only_the_shown_picture_is_read(
        self, tmp_path: Path, astronaut: NDArray[np.uint8], name: str
    ) -> None:
        """FFmpeg reads what lies behind it as frames, 25 a second, of which every third would be sampled."""
        path, alone = tmp_path / name, tmp_path / f"alone {name}"
        first, other = Pillow.fromarray(astronaut), Pillow.fromarray(astronaut[::-1])
        first.save(alone, quality=95)
        if name == "several.jpg":
            first.save(path, "MPO", save_all=True, append_images=[other] * 12, quality=95)
        else:
            other.save(tmp_path / f"other {name}")
            path.write_bytes(alone.read_bytes() + 12 * (tmp_path / f"other {name}").read_bytes())
        (frame,), tally = read(path, 8)
        assert (tally.decoded, tally.frames, tally.undecodable, tally.packets.count) == (1, 1, 0, 1)
        assert np.array_equal(frame.image, read(alone, 8)[0][0].image)
        with open_media(path) as reader:
            (again,) = list(reader.frames(8))
            assert [picture.pts for picture in reader.at({again.pts})] == [again.pts]
            reader.rewind()
            assert len(list(reader.every_frame())) == 1

    def test_one_pixel(self, tmp_path: Path) -> None:
        Pillow.new("RGB", (1, 1), (200, 30, 90)).save(tmp_path / "dot.png")
        (frame,), _ = read(tmp_path / "dot.png")
        assert frame.image.tolist() == [[[200, 30, 90]]]

    def test_absurd_picture_is_refused(self, tmp_path: Path) -> None:
        Pillow.new("1", (40_000, 4_000)).save(tmp_path / "vast.png")
        assert "40000×4000" in refusal(tmp_path / "vast.png")

    def test_truncated_photo_is_refused(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
        data = cv2.imencode(".png", noise)[1].tobytes()
        (tmp_path / "photo.png").write_bytes(data[: len(data) // 3])
        assert "copied only in part" in refusal(tmp_path / "photo.png")


def make_tiled_tiff(pixels: np.ndarray, orientation: int = 1, sample_format: int = 1) -> bytes:
    """A TIFF of one tile, for whose sides multiples of 16 are allowed."""
    height, width, colours = pixels.shape
    bits = struct.pack("<4H", *[8 * pixels.itemsize] * colours, *[0] * (4 - colours))
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    tags = {256: width, 257: height, 258: 8 if colours == 3 else 8 * pixels.itemsize, 259: 1}
    tags |= {262: 2 if colours == 3 else 1, 274: orientation, 277: colours}
    tags |= {322: width, 323: height, 324: 16, 325: len(data), 339: sample_format}
    directory = struct.pack("<H", len(tags))
    for tag, value in tags.items():
        kind = 4 if tag in {324, 325} else 3
        directory += struct.pack("<HHII", tag, kind, colours if tag == 258 else 1, value)
    return b"II*\0" + struct.pack("<I", 16 + len(data)) + bits + data + directory + bytes(4)
