"""Pictures that FFmpeg reads wrongly or not at all, decoded by Pillow: AVIF, HEIF, animated WebP and others.

FFmpeg shows the first tile of a tiled HEIF picture, as telephones make them, and no animated WebP. Of a TIFF
in tiles or in JPEG it makes a black picture, and of a GIF without control extensions it shows one frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
import PIL.Image
from PIL import ImageSequence

from detector.errors import MediaError
from detector.media.exhibit.limits import Bounds
from detector.media.frame import Image
from detector.media.pictures import hdr
from detector.media.pictures.orientation import UPRIGHT, photo_orientation
from detector.media.pictures.photo_file import open_photo, strictly
from detector.media.reader import PICTURE_DAMAGED, MediaReader, WithPts, first_at
from detector.media.stream.tally import Tally
from detector.media.stream.unreferenced import NeededPackets
from detector.schema.analysis import MediaKind
from detector.schema.translatable import N_

# What Pillow and its plugins raise on damaged files.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, EOFError, RuntimeError)
UNREAD = N_(
    "The picture's colours are stored in a way that is not read here (numbers of unknown range). Export it "
    "as jpeg or png."
)
_MILLISECONDS = Fraction(1, 1000)
_ROWS = 256  # converted at once: light takes eight times the memory of pixels


class PillowReader(MediaReader):
    """Reads a still or an animation with Pillow; what is known of the file otherwise comes from FFmpeg."""

    def __init__(
        self, container: av.container.InputContainer, file: BinaryIO, picture: PIL.Image.Image, bounds: Bounds
    ) -> None:
        # Pillow turns TIFFs upright itself, where EXIF says nothing by XMP.
        if picture.format == "TIFF":
            picture.info.pop("xmp", None)
        turned = UPRIGHT if picture.format == "TIFF" else photo_orientation(file, bounds)
        super().__init__(container, turned, bounds)
        self._picture = picture
        self.time_base = _MILLISECONDS
        # Of HEIF that of the picture: FFmpeg's is that of a tile.
        stated = picture.info.get("nclx_profile") or {}
        self._transfer = stated.get("transfer_characteristics", self.stream.codec_context.color_trc)
        if getattr(picture, "is_animated", False) and picture.format in ("WEBP", "GIF"):
            self.kind = MediaKind.VIDEO
        else:
            self.kind = MediaKind.IMAGE
        if self.kind is MediaKind.IMAGE and picture.format in ("HEIF", "AVIF", "WEBP"):
            self.container_format = (picture.format or "").lower()

    @property
    def streams(self) -> Iterable[av.stream.Stream]:
        """The picture alone: the tiles of a picture are streams to FFmpeg."""
        return [self.stream]

    @property
    def expected_duration(self) -> float:
        """Nothing is claimed: an animation's frames say how long each is shown."""
        return 0.0

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames a second on average, once all were read: none is stated."""
        if self.kind is MediaKind.IMAGE or not self.duration:
            return None
        return (self.tally.decoded / self.duration).limit_denominator(1000)

    def _raw(self, tally: Tally, needed: NeededPackets | None = None) -> Iterator[av.VideoFrame]:
        time = 0
        pictures = ImageSequence.Iterator(self._picture) if self.kind is MediaKind.VIDEO else [self._picture]
        try:
            for picture in pictures:
                with strictly():
                    pixels = self._pixels(picture)
                    if self.has_transparency and picture.has_transparency_data:
                        alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
                        pixels = self.opaque(pixels, alpha)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = time, self.time_base
                # A length of 0 is shown for 0.1 s by browsers.
                frame.duration = int(picture.info.get("duration") or 0) or 100
                time += frame.duration
                yield frame
        except _DAMAGE:
            tally.undecodable += 1
            tally.packets.failed(time, "a picture the decoder refused")

    def _colours(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        return self._plain(frame, width, height)  # converted before they were put on a ground

    def _pixels(self, picture: PIL.Image.Image) -> Image:
        if self.to_srgb.of_cmyk:
            return self.to_srgb.of(picture)
        pixels = _rgb(picture, self._transfer)
        return pixels if self._transfer in hdr.NAMES else self.to_srgb(pixels)

    def _seek(self, pts: int) -> tuple[WithPts, av.VideoFrame | None]:
        running = self._decoded(counting=False)
        return running, first_at(running, pts)


def _rgb(picture: PIL.Image.Image, transfer: int) -> Image:
    """Its pixels, of a picture of high dynamic range in standard range.

    Pillow would cut off those of 16 bits, and any number, at 255 instead of scaling them.
    """
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.mode in ("I", "F"):
        picture.load()  # or it is damaged
        raise MediaError(UNREAD)
    pixels = np.asarray(picture.convert("RGB"))
    return _standard_range(pixels, transfer) if transfer in hdr.NAMES else pixels


def _standard_range(pixels: Image, transfer: int) -> Image:
    shown = np.empty_like(pixels)
    for row in range(0, len(pixels), _ROWS):
        deep = pixels[row : row + _ROWS].astype(np.uint16) * 257  # 255 becomes 65,535
        shown[row : row + _ROWS] = hdr.to_standard_range(deep, transfer)
    return shown


@contextmanager
def open_with_pillow(
    container: av.container.InputContainer, file: BinaryIO, bounds: Bounds
) -> Iterator[PillowReader]:
    """Raises :class:`MediaError` where Pillow cannot make a picture of the file."""
    try:
        opened = open_photo(file)
        with strictly():
            picture = opened.__enter__()
    except (*_DAMAGE, MemoryError, PIL.Image.DecompressionBombError):
        raise MediaError(PICTURE_DAMAGED) from None
    try:
        yield PillowReader(container, file, picture, bounds)
    finally:
        opened.__exit__(None, None, None)
