"""How a still image is encoded and tagged, read by Pillow without decoding the picture.

Only where EXIF holds a thumbnail is the picture decoded once more, at an eighth of its size.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
from PIL import ExifTags, ImageCms, JpegImagePlugin

from detector.media.signatures import PHOTOS
from detector.media.text import clean, tags_of
from detector.schema.metadata import Photo, Table, Tag, Thumbnail

# What Pillow raises on damaged files, beside OSError.
# MemoryError: Pillow asks for as much as a chunk claims to hold.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    MemoryError,
    PIL.Image.DecompressionBombError,
)

_EXIF_WANTED = {
    tag: tag.name
    for tag in (
        ExifTags.Base.Make,
        ExifTags.Base.Model,
        ExifTags.Base.Software,
        ExifTags.Base.ProcessingSoftware,
        ExifTags.Base.HostComputer,
        ExifTags.Base.ImageDescription,
        ExifTags.Base.Artist,
        ExifTags.Base.Copyright,
        ExifTags.Base.DateTime,
        ExifTags.Base.DateTimeOriginal,
        ExifTags.Base.DateTimeDigitized,
        ExifTags.Base.OffsetTime,
        ExifTags.Base.OffsetTimeOriginal,
        ExifTags.Base.OffsetTimeDigitized,
        ExifTags.Base.SubsecTimeOriginal,
        ExifTags.Base.LensModel,
        ExifTags.Base.BodySerialNumber,
        ExifTags.Base.UserComment,
    )
}
_SAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_MOST_TEXT = 1 << 16  # bytes of XMP searched
_XMP_NAMES = ("CreatorTool", "HistorySoftwareAgent", "softwareAgent", "CreateDate", "ModifyDate")
_XMP = re.compile(
    rb"(?:xmp|xap|stEvt|exif|photoshop):("
    + "|".join(_XMP_NAMES).encode()
    + rb")\s*(?:=\s*[\"']|>)([^<\"']{1,400})"
)
_LARGEST_THUMBNAIL = 1 << 18
_SMALL = 48  # px, the side at which thumbnail and picture are compared


@dataclass
class Read:
    """A photo's encoding and its tags."""

    photo: Photo | None = None
    tags: list[Tag] = field(default_factory=list)


def read_photo(file: BinaryIO) -> Read:
    """Facts of an open image file; what is damaged is left out."""
    with warnings.catch_warnings(action="ignore"):
        try:
            image = PIL.Image.open(file, formats=PHOTOS)
        except _DAMAGE:
            return Read()
        with image:
            read = Read()
            exif = _exif(image)
            read.tags = [*_exif_tags(exif), *xmp_tags(image.info.get("xmp", b"")), *_texts(image)]
            jpeg = image if isinstance(image, JpegImagePlugin.JpegImageFile) else None
            read.photo = Photo(
                format=clean(image.format or "unknown", 20),
                mode=image.mode,
                frames=max(1, int(getattr(image, "n_frames", 1) or 1)),
                orientation=_whole(exif.get(ExifTags.Base.Orientation)) if exif is not None else None,
                progressive=bool(image.info.get("progressive")) if jpeg else None,
                subsampling=_subsampling(jpeg) if jpeg else None,
                tables=tuple(_tables(jpeg)) if jpeg else (),
                colour_profile=_profile(image.info.get("icc_profile")),
                thumbnail=_thumbnail(image, exif) if jpeg else None,
            )
            return read


def _exif(image: PIL.Image.Image) -> PIL.Image.Exif | None:
    try:
        return image.getexif()
    except _DAMAGE:
        return None


def _exif_tags(exif: PIL.Image.Exif | None) -> list[Tag]:
    if exif is None:
        return []
    found: dict[str, object] = {}
    for ifd in (dict(exif), _ifd(exif, ExifTags.IFD.Exif)):
        for number, name in _EXIF_WANTED.items():
            value = ifd.get(number)
            if value not in (None, "", b"") and not isinstance(value, dict):
                found.setdefault(name, value)
    tags = tags_of("EXIF", found)
    gps = _ifd(exif, ExifTags.IFD.GPSInfo)
    if gps:
        tags.append(Tag(place="EXIF", name="GPSInfo", value=_gps(gps)))
    return tags


def _ifd(exif: PIL.Image.Exif, which: ExifTags.IFD) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(which))
    except _DAMAGE:
        return {}


def _gps(gps: dict[int, Any]) -> str:
    """Latitude and longitude in degrees where they make sense, else that the block is there."""
    try:
        parts = []
        for value, side, minus in ((2, 1, "S"), (4, 3, "W")):
            degrees, minutes, seconds = (float(part) for part in gps[value])
            whole = degrees + minutes / 60 + seconds / 3600
            if not math.isfinite(whole):
                raise ValueError
            parts.append(f"{-whole if str(gps.get(side, '')).strip() == minus else whole:.5f}")
        return ", ".join(parts)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return "a GPS block without a readable position"


def xmp_tags(xmp: bytes | str) -> list[Tag]:
    """The making software and times that an XMP packet names; read by pattern, so no XML is expanded."""
    data = (xmp.encode("utf-8", "replace") if isinstance(xmp, str) else bytes(xmp))[:_MOST_TEXT]
    seen: dict[tuple[str, str], None] = {}
    for match in _XMP.finditer(data):
        name, value = clean(match[1], 60), clean(match[2])
        if value and len(seen) < 32:
            seen.setdefault((name, value))
    return [Tag(place="XMP", name=name, value=value) for name, value in seen]


def _texts(image: PIL.Image.Image) -> Iterator[Tag]:
    """Text chunks of a PNG before its pixels, and a JPEG's comment."""
    if image.format == "PNG":
        named: dict[str, object] = {
            str(name): text
            for name, text in image.info.items()
            if isinstance(text, str) and name != "XML:com.adobe.xmp"
        }
        yield from tags_of("PNG text", named)
        yield from xmp_tags(str(image.info.get("XML:com.adobe.xmp", "")))
    elif image.info.get("comment"):
        yield from tags_of("JPEG comment", {"comment": image.info["comment"]})


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _subsampling(image: JpegImagePlugin.JpegImageFile) -> str | None:
    if image.mode == "L":
        return None
    try:
        return _SAMPLING.get(JpegImagePlugin.get_sampling(image))
    except _DAMAGE:
        return None


def _tables(image: JpegImagePlugin.JpegImageFile) -> Iterator[Table]:
    for number, values in sorted(image.quantization.items())[:4]:
        if len(values) == 64:
            yield nearest_table(tuple(values), colour=number > 0)


def nearest_table(values: tuple[int, ...], colour: bool) -> Table:
    """The libjpeg quality whose table is nearest by mean ratio, and whether it is the very table."""
    given = np.log(np.maximum(np.array(values, np.float64), 1))
    known = standard_tables()[:, int(colour)]
    errors = np.abs(np.log(known) - given).mean(axis=1)
    best = int(errors.argmin())
    return Table(quality=best + 1, exact=bool((known[best] == values).all()))


@lru_cache(maxsize=1)
def standard_tables() -> np.ndarray:
    """libjpeg's tables, (100, 2, 64): quality 1 to 100, luminance and colour, as Pillow orders them."""
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


def _profile(data: object) -> str | None:
    if not isinstance(data, bytes) or not data:
        return None
    try:
        return clean(ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(data))), 80)
    except (ImageCms.PyCMSError, *_DAMAGE):
        return "unreadable"


def _thumbnail(image: PIL.Image.Image, exif: PIL.Image.Exif | None) -> Thumbnail | None:
    block = image.info.get("exif")
    if exif is None or not isinstance(block, bytes):
        return None
    first = _ifd(exif, ExifTags.IFD.IFD1)
    offset, length = _whole(first.get(0x0201)), _whole(first.get(0x0202))
    if offset is None or length is None or not 0 < length <= _LARGEST_THUMBNAIL or offset < 0:
        return None
    start = 6 if block[:6] == b"Exif\0\0" else 0
    try:
        with PIL.Image.open(io.BytesIO(block[start + offset : start + offset + length])) as small:
            if max(small.size) > 1024:
                return None
            width, height = small.size
            thumb = small.convert("L")
        image.draft("L", (image.width // 8, image.height // 8))
        return Thumbnail(width=width, height=height, correlation=likeness(thumb, image.convert("L")))
    except _DAMAGE:
        return None


def likeness(thumb: PIL.Image.Image, picture: PIL.Image.Image) -> float | None:
    """Correlation of two grey pictures, both made small; the best of whole, without bars, and turned.

    Cameras pad thumbnails with bars to 4:3, and some turn the picture but not its thumbnail. None where
    one of them is flat.
    """
    found = []
    for turned in (picture, picture.transpose(PIL.Image.Transpose.ROTATE_90)):
        for upright in (turned, turned.transpose(PIL.Image.Transpose.ROTATE_180)):
            shape = upright.width / upright.height
            width = min(thumb.width, round(thumb.height * shape))
            height = min(thumb.height, round(thumb.width / shape))
            left, top = (thumb.width - width) // 2, (thumb.height - height) // 2
            for part in (thumb, thumb.crop((left, top, left + width, top + height))):
                if not part.width or not part.height:
                    continue
                a, b = (
                    np.asarray(p.resize((_SMALL, _SMALL), PIL.Image.Resampling.BOX), float)
                    for p in (part, upright)
                )
                if a.std() > 1 and b.std() > 1:
                    found.append(float(np.corrcoef(a.ravel(), b.ravel())[0, 1]))
    return round(max(found), 3) if found else None
