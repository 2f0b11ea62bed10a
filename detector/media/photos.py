"""Open photo files with Pillow, restricted to the accepted formats, and determine their orientation."""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

import av
import numpy as np
import PIL.Image
import PIL.ImageFile
from PIL import ExifTags, TiffImagePlugin

from detector.media.acceptance import HEAD_BYTES, PHOTOS, TIFF, InputLimits, NamelessFile, is_boxed_picture

# None, CCITT's three, LZW, deflate's two, PackBits.
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 8, 32773, 32946})
_CIELAB = 8  # of a TIFF's photometric interpretations
_DEEPEST = 16  # bits that FFmpeg reads in a picture with one channel
_TIFF_HEADER = 8  # bytes
_LEVELS, _FLOAT = {1, 4}, 3  # TIFF sample formats: unsigned and undefined (read as unsigned); float
_TIFF_ALPHA = frozenset({1, 2})  # TIFF extra samples: associated and unassociated alpha
_TIFF_TAGS = (
    TiffImagePlugin.COMPRESSION,
    TiffImagePlugin.PHOTOMETRIC_INTERPRETATION,
    TiffImagePlugin.BITSPERSAMPLE,
    TiffImagePlugin.SAMPLEFORMAT,
    TiffImagePlugin.EXTRASAMPLES,
)
# BMP: file and picture header; size of BITMAPV4HEADER; BI_BITFIELDS and BI_ALPHABITFIELDS.
_BMP_HEAD, _BMP_V4, _BMP_MASKS = 70, 108, (3, 6)
_XMP = ("xmp", "XML:com.adobe.xmp")  # where Pillow keeps it
_JPEGS = frozenset({"JPEG", "MPO"})


@contextmanager
def open_photo(file: BinaryIO) -> Iterator[PIL.Image.Image]:
    """Open a photo file with Pillow, without decoding it. Pillow raises its own errors for other formats."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    formats: tuple[str, ...] = PHOTOS
    if is_boxed_picture(head) and b"avif" not in head[8:64]:
        import pillow_heif  # imported on demand, because it loads a decoder

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
        formats = ("HEIF",)
    # `detector.media.acceptance` refuses large pictures with a message of its own, before decoding.
    PIL.Image.MAX_IMAGE_PIXELS = None
    with warnings.catch_warnings(action="ignore"), PIL.Image.open(file, formats=formats) as picture:
        yield picture


def exif_of(picture: PIL.Image.Image) -> PIL.Image.Exif:
    """Return the EXIF block of an open photo file."""
    # Without an EXIF orientation Pillow takes one from XMP, which browsers ignore.
    xmp = {key: picture.info.pop(key) for key in _XMP if key in picture.info}
    try:
        # The base class's method, because that of PngImageFile decodes the picture first.
        return PIL.Image.Image.getexif(picture)
    finally:
        picture.info.update(xmp)


@contextmanager
def strict_decoding() -> Iterator[None]:
    """Treat truncated pictures as damaged.

    WeasyPrint, once imported, makes Pillow accept them throughout the process.
    """
    lenient, PIL.ImageFile.LOAD_TRUNCATED_IMAGES = PIL.ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        yield
    finally:
        PIL.ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def is_complete(file: BinaryIO) -> bool:
    """Return whether a photo can be decoded to its end; True if Pillow cannot tell.

    The file position is preserved.
    """
    place = file.tell()
    try:
        with strict_decoding(), ExitStack() as opened:
            try:
                picture = opened.enter_context(open_photo(file))
            except (OSError, SyntaxError, ValueError, RuntimeError):
                return True
            try:
                picture.load()
            except (OSError, SyntaxError, ValueError, EOFError):
                return False
            return picture.format not in _JPEGS or _is_whole_jpeg(file)
    finally:
        file.seek(place)


def _is_whole_jpeg(file: BinaryIO) -> bool:
    """Return whether a JPEG has all its blocks. Pillow fills in missing ones; FFmpeg can stop at them."""
    file.seek(0)
    try:
        with av.open(NamelessFile(file), format="jpeg_pipe") as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"err_detect": "explode"}
            return next(container.decode(stream), None) is not None
    except av.FFmpegError:
        return False


def is_tiff_beyond_ffmpeg(file: BinaryIO) -> bool:
    """Return whether FFmpeg would silently show a TIFF black: tiled, CIE Lab, 32 bits, unknown compression.

    The tags of the first picture decide, also if Pillow cannot decode it.
    """
    tags = _tiff_tags(file)
    return tags is not None and (
        TiffImagePlugin.TILEOFFSETS in tags
        or tags.get(TiffImagePlugin.COMPRESSION, 1) not in _COMPRESSIONS
        or tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _CIELAB
        or _is_one_deep_colour(tags)
    )


def is_tiff_of_numbers(file: BinaryIO) -> bool:
    """Return whether a TIFF has signed, complex or half-precision samples, which FFmpeg misreads silently.

    Nothing states which of these numbers are black and white. Pillow handles a single 32-bit channel.
    """
    tags = _tiff_tags(file)
    if tags is None or _is_one_deep_colour(tags):
        return False
    shallow = max(_depths(tags)) <= _DEEPEST
    return not set(_numbers(tags, TiffImagePlugin.SAMPLEFORMAT)) <= (
        _LEVELS if shallow else _LEVELS | {_FLOAT}
    )


def has_transparency(file: BinaryIO) -> bool:
    """Return whether the extra channel of a photo, if it has one, is transparency.

    FFmpeg always assumes so, also for other extra samples of a TIFF and for padding bytes of a BMP.
    """
    file.seek(0)
    head = file.read(_BMP_HEAD)
    if head.startswith(b"BM"):
        size, compression = (int.from_bytes(head[at : at + 4], "little") for at in (14, 30))
        return size >= _BMP_V4 and compression in _BMP_MASKS and any(head[66:70])
    tags = _tiff_tags(file)
    return tags is None or not _TIFF_ALPHA.isdisjoint(_numbers(tags, TiffImagePlugin.EXTRASAMPLES))


def _tiff_tags(file: BinaryIO) -> TiffImagePlugin.ImageFileDirectory_v2 | None:
    """Return the tags of the first picture; None if the file is no TIFF or its tags are damaged."""
    file.seek(0)
    header = file.read(_TIFF_HEADER)
    if not header.startswith(TIFF):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            tags = TiffImagePlugin.ImageFileDirectory_v2(header)
            file.seek(tags.next)
            tags.load(file)
            for tag in _TIFF_TAGS:
                tags.get(tag)  # values are parsed on first access
    except (OSError, SyntaxError, ValueError, TypeError, RuntimeError, MemoryError, struct.error):
        return None
    return tags


def _depths(tags: TiffImagePlugin.ImageFileDirectory_v2) -> tuple[int, ...]:
    return _numbers(tags, TiffImagePlugin.BITSPERSAMPLE) or (1,)


def _numbers(tags: TiffImagePlugin.ImageFileDirectory_v2, tag: int) -> tuple[int, ...]:
    values = tags.get(tag, ())  # text in a damaged file
    return tuple(n for n in values if isinstance(n, int)) if isinstance(values, tuple) else ()


def _is_one_deep_colour(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bool:
    depths = _depths(tags)
    return len(depths) == 1 and depths[0] > _DEEPEST


# Clockwise quarter turns, 0 to 3, and whether to mirror left to right before them.
Orientation = tuple[int, bool]
UPRIGHT: Orientation = (0, False)
# EXIF 2.3, tag 0x0112.
EXIF_ORIENTATIONS: dict[int, Orientation] = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (1, False),
    7: (1, True),
    8: (3, False),
}


def photo_orientation(file: BinaryIO, bounds: InputLimits) -> Orientation:
    """Return the orientation that a photo's EXIF states.

    Raises :class:`MediaError` for a photo beyond ``bounds``. Only its header is read first, because FFmpeg
    decodes a whole PNG to find its size, and Pillow to find its EXIF.
    """
    try:
        with open_photo(file) as photo:
            bounds.refuse_picture(*photo.size)
            if photo.format == "PNG" and "exif" not in photo.info:
                photo.load()  # it may come after the pixels
            return EXIF_ORIENTATIONS.get(exif_of(photo).get(ExifTags.Base.Orientation, 1), UPRIGHT)
    except (OSError, SyntaxError, ValueError, RuntimeError, MemoryError, PIL.Image.DecompressionBombError):
        # MemoryError: Pillow allocates as much as a chunk claims to hold.
        return UPRIGHT  # no photo, or damaged EXIF, which must not keep it from being examined


def display_orientation(frame: av.VideoFrame) -> Orientation:
    """Return the orientation that a video's display matrix states.

    The matrix has nine fixed-point numbers. Its first two rows hold the columns (a, b) and (c, d) of
    x' = ax + cy, y' = bx + dy, with y downwards.
    """
    data = frame.side_data.get(av.sidedata.sidedata.Type.DISPLAYMATRIX)
    if data is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32)[:9].tolist()
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return round(math.degrees(math.atan2(b, a)) / 90) % 4, mirrored
