"""Photo files as pictures of Pillow, which may open the accepted kinds only."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

import av
import PIL.Image
import PIL.ImageFile
from PIL import TiffImagePlugin

from detector.media.exhibit.signatures import HEAD, PHOTOS, TIFF, is_boxed_picture

# None, CCITT's three, LZW, deflate's two, PackBits.
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 8, 32773, 32946})
_CIELAB = 8  # of a TIFF's photometric interpretations
_DEEPEST = 16  # bits of one colour that FFmpeg reads of a picture without others
_TIFF_HEADER = 8  # bytes
_XMP = ("xmp", "XML:com.adobe.xmp")  # where Pillow keeps it
_JPEGS = frozenset({"JPEG", "MPO"})


@contextmanager
def open_photo(file: BinaryIO) -> Iterator[PIL.Image.Image]:
    """An open photo file as a picture of Pillow, not decoded yet; of the accepted kinds alone.

    Raises what Pillow raises for any other.
    """
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    formats: tuple[str, ...] = PHOTOS
    if is_boxed_picture(head) and b"avif" not in head[8:64]:
        import pillow_heif  # only where it is needed: it loads a decoder of its own

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
        formats = ("HEIF",)
    # Sizes are refused by `detector.media.exhibit.limits`, in words, before anything is decoded.
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
def strictly() -> Iterator[None]:
    """Pictures cut short are damaged.

    WeasyPrint, once imported, has Pillow take them for whole ones in the whole process.
    """
    lenient, PIL.ImageFile.LOAD_TRUNCATED_IMAGES = PIL.ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        yield
    finally:
        PIL.ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def is_whole(file: BinaryIO) -> bool:
    """Whether the picture of an open photo file can be decoded to its end; True where Pillow does not know.

    Leaves the file where it was.
    """
    place = file.tell()
    try:
        with strictly(), ExitStack() as opened:
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
    file.seek(0)
    header = file.read(_TIFF_HEADER)
    if not header.startswith(TIFF):
        return False
    try:
        with warnings.catch_warnings(action="ignore"):
            tags = TiffImagePlugin.ImageFileDirectory_v2(header)
            file.seek(tags.next)
            tags.load(file)
            compression = tags.get(TiffImagePlugin.COMPRESSION, 1)
    except (OSError, SyntaxError, ValueError, TypeError, RuntimeError, MemoryError, struct.error):
        return False
    depths = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    return (
        TiffImagePlugin.TILEOFFSETS in tags
        or compression not in _COMPRESSIONS
        or tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _CIELAB
        or (len(depths) == 1 and depths[0] > _DEEPEST)
    )
