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

from detector.media.acceptance import HEAD_BYTES, PHOTOS, TIFF, InputLimits, is_boxed_picture

# None, CCITT's three, LZW, deflate's two, PackBits.
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 8, 32773, 32946})
_CIELAB = 8  # of a TIFF's photometric interpretations
_DEEPEST = 16  # bits of one colour that FFmpeg reads of a picture without others
_TIFF_HEADER = 8  # bytes
_LEVELS, _FLOAT = {1, 4}, 3  # of a TIFF's sample formats: unsigned and, read likewise, of no stated kind
_TIFF_ALPHA = frozenset({1, 2})  # of its extra samples: associated, unassociated
_TIFF_ASKED = (
    TiffImagePlugin.COMPRESSION,
    TiffImagePlugin.PHOTOMETRIC_INTERPRETATION,
    TiffImagePlugin.BITSPERSAMPLE,
    TiffImagePlugin.SAMPLEFORMAT,
    TiffImagePlugin.EXTRASAMPLES,
)
# A BMP's file header with that of its picture; BITMAPV4HEADER; BI_BITFIELDS, BI_ALPHABITFIELDS.
_BMP_HEAD, _BMP_V4, _BMP_MASKS = 70, 108, (3, 6)
_XMP = ("xmp", "XML:com.adobe.xmp")  # where Pillow keeps it
_JPEGS = frozenset({"JPEG", "MPO"})


@contextmanager
def open_photo(file: BinaryIO) -> Iterator[PIL.Image.Image]:
    """An open photo file as a picture of Pillow, not decoded yet; of the accepted kinds alone.

    Raises what Pillow raises for any other.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    formats: tuple[str, ...] = PHOTOS
    if is_boxed_picture(head) and b"avif" not in head[8:64]:
        import pillow_heif  # only where it is needed: it loads a decoder of its own

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
        formats = ("HEIF",)
    # Sizes are refused by `detector.media.acceptance`, in words, before anything is decoded.
    PIL.Image.MAX_IMAGE_PIXELS = None
    with warnings.catch_warnings(action="ignore"), PIL.Image.open(file, formats=formats) as picture:
        yield picture


def exif_of(picture: PIL.Image.Image) -> PIL.Image.Exif:
    """The EXIF block of an open photo file.

    Where that says nothing of the orientation Pillow takes one from XMP, by which browsers turn no picture.
    """
    kept = {key: picture.info.pop(key) for key in _XMP if key in picture.info}
    try:
        # Not its own way for a PNG, which decodes it first.
        return PIL.Image.Image.getexif(picture)
    finally:
        picture.info.update(kept)


@contextmanager
def strict_decoding() -> Iterator[None]:
    """Pictures cut short are damaged.

    WeasyPrint, once imported, has Pillow take them for whole ones in the whole process.
    """
    lenient, PIL.ImageFile.LOAD_TRUNCATED_IMAGES = PIL.ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        yield
    finally:
        PIL.ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def is_complete(file: BinaryIO) -> bool:
    """Whether the picture of an open photo file can be decoded to its end; True where Pillow does not know.

    Leaves the file where it was.
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


class _Bytes:
    """A file of which FFmpeg knows no more than its bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _is_whole_jpeg(file: BinaryIO) -> bool:
    """Whether all blocks of a JPEG are there before its end mark: Pillow fills in those that are not.

    FFmpeg says so where it is told to give up at errors.
    """
    file.seek(0)
    try:
        with av.open(_Bytes(file), format="jpeg_pipe") as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"err_detect": "explode"}
            return next(container.decode(stream), None) is not None
    except av.FFmpegError:
        return False


def is_tiff_beyond_ffmpeg(file: BinaryIO) -> bool:
    """Whether a TIFF in tiles, in CIE Lab, of 32 bits, or in a compression that FFmpeg shows black, wordless.

    Told by the tags of the first picture, also where Pillow cannot decode it.
    """
    tags = _tiff_tags(file)
    return tags is not None and (
        TiffImagePlugin.TILEOFFSETS in tags
        or tags.get(TiffImagePlugin.COMPRESSION, 1) not in _COMPRESSIONS
        or tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _CIELAB
        or _is_one_deep_colour(tags)
    )


def is_tiff_of_numbers(file: BinaryIO) -> bool:
    """Whether a TIFF of signed, complex or half-precision numbers, which FFmpeg takes for levels, wordless.

    What of it is black and what is white stands nowhere. One colour of 32 bits is Pillow's matter.
    """
    tags = _tiff_tags(file)
    if tags is None or _is_one_deep_colour(tags):
        return False
    shallow = max(_depths(tags)) <= _DEEPEST
    return not set(_numbers(tags, TiffImagePlugin.SAMPLEFORMAT)) <= (
        _LEVELS if shallow else _LEVELS | {_FLOAT}
    )


def has_transparency(file: BinaryIO) -> bool:
    """Whether a fourth channel, or a second beside grey, is transparency, if the photo has one.

    FFmpeg takes any for it: also one of a TIFF that means something else, and the filling of a BMP whose
    header names no mask of it.
    """
    file.seek(0)
    head = file.read(_BMP_HEAD)
    if head.startswith(b"BM"):
        size, compression = (int.from_bytes(head[at : at + 4], "little") for at in (14, 30))
        return size >= _BMP_V4 and compression in _BMP_MASKS and any(head[66:70])
    tags = _tiff_tags(file)
    return tags is None or not _TIFF_ALPHA.isdisjoint(_numbers(tags, TiffImagePlugin.EXTRASAMPLES))


def _tiff_tags(file: BinaryIO) -> TiffImagePlugin.ImageFileDirectory_v2 | None:
    """Those of the first picture; None for a file that is no TIFF, or whose tags are damaged."""
    file.seek(0)
    header = file.read(_TIFF_HEADER)
    if not header.startswith(TIFF):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            tags = TiffImagePlugin.ImageFileDirectory_v2(header)
            file.seek(tags.next)
            tags.load(file)
            for tag in _TIFF_ASKED:
                tags.get(tag)  # it is read when it is asked for
    except (OSError, SyntaxError, ValueError, TypeError, RuntimeError, MemoryError, struct.error):
        return None
    return tags


def _depths(tags: TiffImagePlugin.ImageFileDirectory_v2) -> tuple[int, ...]:
    return _numbers(tags, TiffImagePlugin.BITSPERSAMPLE) or (1,)


def _numbers(tags: TiffImagePlugin.ImageFileDirectory_v2, tag: int) -> tuple[int, ...]:
    """Those that a tag lists; a damaged file may hold text there."""
    listed = tags.get(tag, ())
    return tuple(n for n in listed if isinstance(n, int)) if isinstance(listed, tuple) else ()


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
    """What a photo's EXIF says; PyAV cannot read it off frames that carry it.

    Raises :class:`MediaError` for a photo beyond ``bounds``, by its header: FFmpeg decodes a PNG whole to
    find out its size, and Pillow to find its EXIF.
    """
    try:
        with open_photo(file) as photo:
            bounds.refuse_picture(*photo.size)
            if photo.format == "PNG" and "exif" not in photo.info:
                photo.load()  # it may come after the pixels
            return EXIF_ORIENTATIONS.get(exif_of(photo).get(ExifTags.Base.Orientation, 1), UPRIGHT)
    except (OSError, SyntaxError, ValueError, RuntimeError, MemoryError, PIL.Image.DecompressionBombError):
        # MemoryError: Pillow asks for as much as a chunk claims to hold.
        return UPRIGHT  # not a photo, or one whose EXIF is damaged: what matters is whether it decodes


def display_orientation(frame: av.VideoFrame) -> Orientation:
    """What a video's display matrix says.

    Read from the display matrix, nine fixed-point numbers of which the first two rows carry
    a column (a, b) and (c, d): x' = ax + cy, y' = bx + dy, with y downwards.
    """
    data = frame.side_data.get(av.sidedata.sidedata.Type.DISPLAYMATRIX)
    if data is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32)[:9].tolist()
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return round(math.degrees(math.atan2(b, a)) / 90) % 4, mirrored
