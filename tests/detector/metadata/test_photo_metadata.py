"""Facts of photos (EXIF, tables, thumbnails, texts) and the anomalies that follow."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
from made_thumbnails import with_thumbnail
from PIL import ExifTags
from PIL.TiffImagePlugin import IFDRational

from detector.media.open import open_media
from detector.metadata.anomalies import find_anomalies
from detector.metadata.embedded_pictures import likeness
from detector.metadata.embedded_text import xmp_texts
from detector.metadata.exhibit import collect_facts, exif_time, iso_time, media_facts
from detector.metadata.photo import nearest_table, standard_tables
from detector.schema.metadata import Details

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def read_facts(path: Path) -> tuple[Details, list[str]]:
    with open_media(path) as reader:
        list(reader.frames(8))
        media = media_facts(reader, path.name, path.stat().st_size, "0" * 64)
        details = collect_facts(reader, path).details
    return details, [anomaly.kind for anomaly in find_anomalies(media, details, NOW)]


@pytest.fixture
def portrait(astronaut: np.ndarray) -> PIL.Image.Image:
    return PIL.Image.fromarray(astronaut)


class TestJpeg:
    @pytest.mark.parametrize(
        ("how", "subsampling", "progressive"),
        [({"subsampling": 0}, "4:4:4", False), ({"subsampling": 2, "progressive": True}, "4:2:0", True)],
    )
    def test_encoding(
        self, tmp_path: Path, portrait: PIL.Image.Image, how: dict, subsampling: str, progressive: bool
    ) -> None:
        portrait.save(tmp_path / "a.jpg", quality=83, **how)
        photo = read_facts(tmp_path / "a.jpg")[0].photo
        assert photo is not None
        assert (photo.format, photo.subsampling, photo.progressive) == ("JPEG", subsampling, progressive)
        assert [(t.quality, t.exact) for t in photo.tables] == [(83, True), (83, True)]

    def test_qualities_are_distinguished(self) -> None:
        """The highest three differ; low ones saturate at 255."""
        for quality in range(20, 101):
            table = nearest_table(tuple(standard_tables()[quality - 1, 0].astype(int)), colour=False)
            assert (table.quality, table.exact) == (quality, True)

    def test_custom_table(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        own = [[min(255, 3 + i // 3) for i in range(64)]] * 2
        exif = PIL.Image.Exif()
        exif[ExifTags.Base.Software] = "Camera firmware 1.0"
        portrait.save(tmp_path / "a.jpg", qtables=own, exif=exif)
        details, kinds = read_facts(tmp_path / "a.jpg")
        assert details.photo is not None and not details.photo.tables[0].exact
        assert 60 < details.photo.tables[0].quality < 100
        assert kinds == ["unusual compression tables"]

    def test_grey(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        portrait.convert("L").save(tmp_path / "a.jpg")
        photo = read_facts(tmp_path / "a.jpg")[0].photo
        assert photo is not None and (photo.mode, photo.subsampling, len(photo.tables)) == ("L", None, 1)


class TestExif:
    def test_camera_tags(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        exif = PIL.Image.Exif()
        exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Maker", "Model 3"
        exif[ExifTags.Base.DateTime] = "2024:05:06 07:08:09"
        exif[ExifTags.Base.Orientation] = 6
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.OffsetTime] = "+02:00"
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(
            {1: "N", 2: (52.0, 31.0, 12.0), 3: "W", 4: (13.0, 24.0, 0.0)}
        )
        portrait.save(tmp_path / "a.jpg", exif=exif)
        details, kinds = read_facts(tmp_path / "a.jpg")
        assert {("Make", "Maker"), ("Model", "Model 3")} <= {(t.name, t.value) for t in details.tags}
        assert [(m.name, m.utc) for m in details.times] == [("DateTime", "2024-05-06T05:08:09Z")]
        assert details.location == "52.52000, -13.40000"
        assert details.photo is not None and details.photo.orientation == 6
        assert kinds == []

    def test_an_editor_and_times_years_apart(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        exif = PIL.Image.Exif()
        exif[ExifTags.Base.Software] = "Adobe Photoshop 25.1 (Windows)"
        exif[ExifTags.Base.DateTime] = "2025:01:01 00:00:00"
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        inner[ExifTags.Base.DateTimeOriginal] = "2020:01:01 00:00:00"
        inner[ExifTags.Base.OffsetTime] = inner[ExifTags.Base.OffsetTimeOriginal] = "+00:00"
        portrait.save(tmp_path / "a.jpg", exif=exif)
        assert read_facts(tmp_path / "a.jpg")[1] == ["editing software", "creation times disagree"]

    def test_no_metadata_at_all(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        portrait.save(tmp_path / "a.png")
        details, kinds = read_facts(tmp_path / "a.png")
        assert (details.tags, details.times, details.location, kinds) == ((), (), None, [])
        assert details.photo is not None and details.photo.tables == () and details.photo.thumbnail is None

    @pytest.mark.parametrize(
        "block",
        [b"", b"MM", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 400, b"\0" * 60_000],
    )
    def test_damaged_exif(self, tmp_path: Path, portrait: PIL.Image.Image, block: bytes) -> None:
        portrait.save(tmp_path / "a.jpg", exif=b"Exif\0\0" + block)
        assert read_facts(tmp_path / "a.jpg")[0].photo is not None

    def test_hostile_values(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        exif = PIL.Image.Exif()
        exif[ExifTags.Base.Software] = "\u202ecod" + "x" * 30_000
        exif[ExifTags.Base.DateTime] = "0000:00:00 00:00:00"
        exif.get_ifd(ExifTags.IFD.GPSInfo).update({2: (IFDRational(1, 0), 0.0, 0.0), 4: (1.0, 1.0, 1.0)})
        portrait.save(tmp_path / "a.jpg", exif=exif)
        details, _ = read_facts(tmp_path / "a.jpg")
        assert all(len(tag.value) <= 300 and tag.value.isprintable() for tag in details.tags)
        assert details.times[0].utc is None
        assert details.location == "a GPS block without a readable position"


class TestThumbnail:
    @pytest.mark.parametrize("side", [64, 160, 320])
    def test_own_thumbnail_matches(self, tmp_path: Path, portrait: PIL.Image.Image, side: int) -> None:
        path = with_thumbnail(portrait, portrait.resize((side, side)), tmp_path / "a.jpg")
        details, kinds = read_facts(path)
        assert details.photo is not None and details.photo.thumbnail is not None
        assert details.photo.thumbnail.width == side
        assert details.photo.thumbnail.correlation > 0.98
        assert kinds == []

    def test_padded_and_turned_thumbnails_match(self, portrait: PIL.Image.Image) -> None:
        wide = portrait.crop((0, 60, 512, 348))
        barred = PIL.Image.new("L", (160, 120))
        barred.paste(wide.convert("L").resize((160, 90)), (0, 15))
        turned = wide.transpose(PIL.Image.Transpose.ROTATE_90).convert("L")
        assert likeness(barred, wide.convert("L")) > 0.98
        assert likeness(wide.convert("L").resize((160, 90)), turned) > 0.98

    def test_foreign_thumbnail_differs(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        import skimage.data

        other = PIL.Image.fromarray(skimage.data.camera()).convert("RGB").resize((160, 160))
        details, kinds = read_facts(with_thumbnail(portrait, other, tmp_path / "a.jpg"))
        assert details.photo.thumbnail.correlation < 0.5
        assert kinds == ["thumbnail differs"]

    def test_flat_thumbnail_is_ignored(self) -> None:
        flat = PIL.Image.new("L", (64, 64), 90)
        assert likeness(flat, flat) is None

    def test_thumbnail_outside_the_block_is_ignored(self, tmp_path: Path, portrait: PIL.Image.Image) -> None:
        path = with_thumbnail(portrait, portrait.resize((64, 64)), tmp_path / "a.jpg")
        data = path.read_bytes()
        path.write_bytes(data.replace(struct.pack(">HHI", 0x0201, 4, 1) + struct.pack(">I", 44),
                                      struct.pack(">HHI", 0x0201, 4, 1) + b"\xff\xff\xff\xff"))  # fmt: skip
        details, _ = read_facts(path)
        assert details.photo is not None and details.photo.thumbnail is None


def test_texts_of_a_png(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    texts = PIL.PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a face, Steps: 20, Sampler: Euler, Stable Diffusion")
    texts.add_itxt("Software", "GIMP\u202e", zip=True)
    portrait.save(tmp_path / "a.png", pnginfo=texts)
    details, kinds = read_facts(tmp_path / "a.png")
    assert ("Software", "GIMP\\u202e") in {(t.name, t.value) for t in details.tags}
    assert kinds == ["editing software", "generating software"]


def test_several_pictures_are_reported(tmp_path: Path, portrait: PIL.Image.Image) -> None:
    portrait.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[portrait.rotate(9)])
    assert "more than one picture" in read_facts(tmp_path / "a.jpg")[1]


def test_xmp_is_read_by_pattern() -> None:
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a "a">]><rdf xmp:CreatorTool="Adobe Photoshop 25.0" stEvt:softwareAgent="X">'
    )
    assert [(t.name, t.value) for t in xmp_texts(bomb)] == [
        ("CreatorTool", "Adobe Photoshop 25.0"),
        ("softwareAgent", "X"),
    ]
    assert xmp_texts("<xmp:CreateDate>2020-01-01</xmp:CreateDate>")[0].value == "2020-01-01"
    assert len(xmp_texts(b'xmp:CreatorTool="%d" ' * 9 % tuple(range(9)) * 5000)) == 9


@pytest.mark.parametrize(
    ("written", "offset", "utc"),
    [
        ("2024:05:06 07:08:09", "+02:00", "2024-05-06T05:08:09Z"),
        ("2024:05:06 07:08:09", "", None),
        ("2024:13:06 07:08:09", "+00:00", None),
        ("0001:01:01 00:00:00", "+14:00", None),
    ],
)
def test_exif_times(written: str, offset: str, utc: str | None) -> None:
    assert exif_time(written, offset) == utc


def test_iso_times() -> None:
    assert iso_time("2024-05-06T07:08:09.5+02:00") == "2024-05-06T05:08:09Z"
    assert iso_time("2024-05-06T07:08:09") is None
    assert iso_time("yesterday") is None
    assert iso_time("0001-01-01T00:00:00+14:00") is None
