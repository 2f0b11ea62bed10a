"""Read how a photo is encoded and tagged, with Pillow, without decoding the picture."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
from PIL import ExifTags, ImageCms, JpegImagePlugin, TiffImagePlugin

from detector.media.acceptance import PHOTOS
from detector.media.photos import exif_of, open_photo
from detector.metadata.embedded_pictures import AppendedContent, compare_thumbnail, read_appended_content
from detector.metadata.embedded_text import (
    EmbeddedText,
    PngTexts,
    embedded_texts,
    png_texts,
    user_comment,
    xmp_tags,
    xmp_texts,
)
from detector.metadata.packets import extended_xmp, gif_xmp, iim_texts
from detector.metadata.unreadable import MetadataReaders
from detector.schema.metadata import Photo, Table, Tag, Thumbnail, clean_text, tags_of


def nearest_table(values: tuple[int, ...], colour: bool) -> Table:
    """Return the libjpeg quality whose table is nearest by mean ratio, and whether it is identical."""
    given = np.log(np.maximum(np.array(values, np.float64), 1))
    known = standard_tables()[:, int(colour)]
    errors = np.abs(np.log(known) - given).mean(axis=1)
    best = int(errors.argmin())
    return Table(quality=best + 1, exact=bool((known[best] == values).all()))


@lru_cache(maxsize=1)
def standard_tables() -> np.ndarray:
    """Return libjpeg's tables (100, 2, 64): quality 1 to 100, luminance and colour, in Pillow's order."""
    out = np.empty((100, 2, 64))
    tiny = PIL.Image.new("RGB", (8, 8))
    for quality in range(1, 101):
        file = io.BytesIO()
        tiny.save(file, "JPEG", quality=quality)
        with PIL.Image.open(file, formats=PHOTOS) as image:
            assert isinstance(image, JpegImagePlugin.JpegImageFile)
            out[quality - 1] = image.quantization[0], image.quantization[1]
    out.flags.writeable = False
    return out


# Pillow's exceptions for damaged files. It allocates as much memory as a chunk claims to hold.
_DAMAGE = (
    OSError, RuntimeError, SyntaxError, ValueError, TypeError, KeyError, MemoryError,
    PIL.Image.DecompressionBombError,
)  # fmt: skip

_EXIF_NAMES = (
    "Make", "Model", "Software", "ProcessingSoftware", "HostComputer", "ImageDescription", "Artist",
    "Copyright", "DateTime", "DateTimeOriginal", "DateTimeDigitized", "OffsetTime", "OffsetTimeOriginal",
    "OffsetTimeDigitized", "SubsecTimeOriginal", "LensModel", "BodySerialNumber", "UserComment",
)  # fmt: skip
_SAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_XMP_KEYWORD = "XML:com.adobe.xmp"  # of a PNG text chunk
_LARGEST_THUMBNAIL = 1 << 18
_MOST_PAGES = 1000


@dataclass
class PhotoFacts:
    """A photo's encoding, its tags, and the texts that these were cut from."""

    photo: Photo | None = None
    tags: list[Tag] = field(default_factory=list)
    texts: list[EmbeddedText] = field(default_factory=list)


def read_photo(file: BinaryIO, readers: MetadataReaders | None = None) -> PhotoFacts:
    """Read the facts of an open image file; ``readers`` is given the parts that cannot be read."""
    readers = readers or MetadataReaders()
    png = readers.read("PNG text", lambda: png_texts(file), PngTexts())
    in_png = list(png.texts)
    file.seek(0)
    with warnings.catch_warnings(action="ignore"), ExitStack() as stack:
        image = readers.read("photo", lambda: stack.enter_context(open_photo(file)), None)
        if image is None:
            return _facts(None, [], in_png, readers)
        exif = readers.read("EXIF", lambda: _exif(image, png.exif), None)
        readers.read("EXIF", lambda: _refuse_damaged_exif(png.exif or image.info.get("exif")), None)
        packet = next((text.value for text in in_png if text.name == _XMP_KEYWORD), None)
        xmp = readers.read("XMP", lambda: _xmp(image, file, packet), [])
        comment = image.info.get("comment") if image.format != "PNG" else None  # of a JPEG or GIF
        comments = embedded_texts(f"{image.format} comment", {"comment": comment}) if comment else []
        iim = readers.read("IPTC", lambda: iim_texts(image), [])
        facts = _facts(exif, xmp, [*in_png, *comments, *iim], readers)
        jpeg = image if isinstance(image, JpegImagePlugin.JpegImageFile) else None
        nothing = AppendedContent()
        appended = readers.read("appended pictures", lambda: read_appended_content(file), nothing)
        facts.photo = Photo(
            format=clean_text(image.format or "unknown", 20),
            mode=image.mode,
            frames=max(_pictures(image), 1 + appended.pictures),  # an MPO counts its appended pictures itself
            orientation=_integer(exif.get(ExifTags.Base.Orientation)) if exif is not None else None,
            progressive=bool(image.info.get("progressive")) if jpeg else None,
            subsampling=_subsampling(jpeg) if jpeg else None,
            tables=tuple(
                nearest_table(tuple(values), colour=number > 0)
                for number, values in (sorted(jpeg.quantization.items())[:4] if jpeg else ())
                if len(values) == 64
            ),
            colour_profile=_profile(image.info.get("icc_profile")),
            thumbnail=readers.read("EXIF, thumbnail", lambda: _thumbnail(image, exif), None)
            if jpeg
            else None,
            appended_video=appended.video,
        )
        return facts


def _xmp(image: PIL.Image.Image, file: BinaryIO, in_png: str | None) -> list[EmbeddedText]:
    """Return the texts of all XMP packets of a picture; ``in_png`` is that of a PNG's text chunk."""
    packet = in_png or image.info.get("xmp") or b""
    packets = [packet]
    if isinstance(packet, bytes) and isinstance(image, JpegImagePlugin.JpegImageFile):
        packets.append(extended_xmp(image.applist, packet))
    elif image.format == "GIF":
        packets.append(gif_xmp(file))
    return list(dict.fromkeys(text for packet in packets for text in xmp_texts(packet)))


def _pictures(image: PIL.Image.Image) -> int:
    """Count the pictures of a file up to the first damaged one; in a TIFF up to a limit."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        try:
            return max(1, int(getattr(image, "n_frames", 1) or 1))
        except (*_DAMAGE, EOFError):
            return 1
    count = 1
    with contextlib.suppress(*_DAMAGE, EOFError):
        while count < _MOST_PAGES:
            image.seek(count)
            count += 1
    with contextlib.suppress(*_DAMAGE, EOFError):
        image.seek(0)
    return count


def _facts(
    exif: PIL.Image.Exif | None,
    xmp: list[EmbeddedText],
    others: list[EmbeddedText],
    readers: MetadataReaders,
) -> PhotoFacts:
    values: dict[str, object] = {}
    tags: list[Tag] = []
    if exif is not None:
        first_ifd: dict[int, Any] = readers.read("EXIF", lambda: dict(exif), {})
        further: dict[int, Any] = readers.read("EXIF", lambda: _ifd(exif, ExifTags.IFD.Exif), {})
        for ifd in (first_ifd, further):
            for name in _EXIF_NAMES:
                value = ifd.get(ExifTags.Base[name])
                if value not in (None, "", b"") and not isinstance(value, dict):
                    values.setdefault(name, user_comment(value) if name == "UserComment" else value)
        if gps := readers.read("EXIF", lambda: _ifd(exif, ExifTags.IFD.GPSInfo), {}):
            tags = [Tag(place="EXIF", name="GPSInfo", value=_gps(gps))]
    tags = [*tags_of("EXIF", values), *tags, *xmp_tags(xmp)]
    shown = [text for text in others if text.name != _XMP_KEYWORD]
    for text in shown:
        tags += tags_of(text.place, {text.name: text.value})
    return PhotoFacts(tags=tags, texts=[*embedded_texts("EXIF", values), *xmp, *shown])


def _exif(image: PIL.Image.Image, in_png: bytes | None) -> PIL.Image.Exif | None:
    if in_png is None:
        return exif_of(image)
    exif = PIL.Image.Exif()
    exif.load(in_png)
    return exif


def _refuse_damaged_exif(block: object) -> None:
    """Raise where Pillow reads as much of a damaged block as it can."""
    if not isinstance(block, bytes):
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Corrupt EXIF")
        exif = PIL.Image.Exif()
        exif.load(block)
        exif.get_ifd(ExifTags.IFD.Exif)


def _ifd(exif: PIL.Image.Exif, which: ExifTags.IFD) -> dict[int, Any]:
    return dict(exif.get_ifd(which))


def _gps(gps: dict[int, Any]) -> str:
    """Return latitude and longitude in degrees, or a note if they make no sense."""
    try:
        parts = []
        for value, side, minus in ((2, 1, "S"), (4, 3, "W")):
            degrees, minutes, seconds = (float(part) for part in gps[value])
            angle = degrees + minutes / 60 + seconds / 3600
            if not math.isfinite(angle):
                raise ValueError
            parts.append(f"{-angle if str(gps.get(side, '')).strip() == minus else angle:.5f}")
        return ", ".join(parts)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return "a GPS block without a readable position"


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _subsampling(image: JpegImagePlugin.JpegImageFile) -> str | None:
    if image.mode == "L":
        return None
    try:
        return _SAMPLING.get(JpegImagePlugin.get_sampling(image))
    except _DAMAGE:
        return None


def _profile(data: object) -> str | None:
    if not isinstance(data, bytes) or not data:
        return None
    try:
        return clean_text(ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(data))), 80)
    except (ImageCms.PyCMSError, *_DAMAGE):
        return "unreadable"


def _thumbnail(image: PIL.Image.Image, exif: PIL.Image.Exif | None) -> Thumbnail | None:
    block = image.info.get("exif")
    if exif is None or not isinstance(block, bytes):
        return None
    first = _ifd(exif, ExifTags.IFD.IFD1)
    offset, length = _integer(first.get(0x0201)), _integer(first.get(0x0202))
    if offset is None or length is None or not 0 < length <= _LARGEST_THUMBNAIL or offset < 0:
        return None
    start = 6 if block[:6] == b"Exif\0\0" else 0
    return compare_thumbnail(block[start + offset : start + offset + length], image)
