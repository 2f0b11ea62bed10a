"""Open videos and photos without trusting the file.

Pictures that FFmpeg misreads or cannot read (AVIF, HEIF, animated WebP and others) are decoded by Pillow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av
import numpy as np
import PIL.Image
from PIL import ImageSequence

from detector.errors import MediaError
from detector.media import colour
from detector.media.acceptance import (
    HEAD_BYTES,
    MATROSKA,
    MP4,
    UNREADABLE,
    InputLimits,
    NamelessFile,
    allowed_demuxers,
    container_of,
    is_animated_webp,
    is_boxed_picture,
    open_exhibit,
    read_accepted_head,
    refuse_type_mismatch,
)
from detector.media.behind_end import whole_sound
from detector.media.colour import to_srgb
from detector.media.containers import cut_fragment, read_layout, stated_seconds
from detector.media.frame import Image
from detector.media.photos import (
    UPRIGHT,
    has_transparency,
    is_complete,
    is_tiff_beyond_ffmpeg,
    is_tiff_of_numbers,
    open_photo,
    photo_orientation,
    strict_decoding,
)
from detector.media.reader import PICTURE_DAMAGED, FramesWithPts, MediaReader, frame_at
from detector.media.stated_durations import duration_source
from detector.media.stream.packet_stats import Tally
from detector.media.stream.packets import NeededPackets
from detector.media.whole_files import holds_all_parts, last_block
from detector.schema.analysis import MediaKind
from detector.schema.causes.anomalies import UnusedCode
from detector.schema.formatting import N_

# GIF89a, sections 18 to 26.
_HEADER = 13
_EXTENSION, _CONTROL, _PICTURE = 0x21, 0xF9, 0x2C


class _Picture(NamedTuple):
    controlled: bool  # by a graphic control extension of its own
    whole: bool


def has_uncontrolled_pictures(file: BinaryIO) -> bool:
    """Return whether a GIF picture after the first lacks a control extension, so that FFmpeg misreads it."""
    return not all(picture.controlled for picture in islice(_pictures(file), 1, None))


def count_whole_pictures(file: BinaryIO) -> int | None:
    """Return the number of pictures before the one in which a GIF breaks off; None if it is complete."""
    return next((number for number, picture in enumerate(_pictures(file)) if not picture.whole), None)


def _pictures(file: BinaryIO) -> Iterator[_Picture]:
    """Yield the pictures of a GIF in order; nothing for other files."""
    file.seek(0)
    header = file.read(_HEADER)
    if not header.startswith((b"GIF87a", b"GIF89a")) or len(header) < _HEADER:
        return
    file.seek(_colours(header[10]), 1)
    controlled = False
    while kind := file.read(1):
        is_picture = kind[0] == _PICTURE
        if is_picture:
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return
            file.seek(_colours(descriptor[8]) + 1, 1)  # the colour table and the LZW code size
        elif kind[0] == _EXTENSION:
            controlled |= file.read(1) == bytes([_CONTROL])
        else:
            return
        while (size := file.read(1)) and size[0]:
            file.seek(size[0], 1)
        if is_picture:
            yield _Picture(controlled, whole=bool(size))
            controlled = False


def _colours(flags: int) -> int:
    """Return the length of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


# What Pillow and its plugins raise on damaged files.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, EOFError, RuntimeError)
UNSUPPORTED_COLOURS = N_(
    "The picture's colours are stored in a format that is not supported (numbers of unknown range). "
    "Export it as jpeg or png."
)
_MILLISECONDS = Fraction(1, 1000)
_ROWS = 256  # converted at once: linear light takes eight times the memory of pixels


class PillowReader(MediaReader):
    """Reads a still or an animation with Pillow; facts about the file still come from FFmpeg."""

    def __init__(
        self,
        container: av.container.InputContainer,
        file: BinaryIO,
        picture: PIL.Image.Image,
        bounds: InputLimits,
    ) -> None:
        # Pillow turns TIFFs upright itself, and without EXIF by XMP, which must be removed.
        if picture.format == "TIFF":
            picture.info.pop("xmp", None)
        turned = UPRIGHT if picture.format == "TIFF" else photo_orientation(file, bounds)
        super().__init__(container, turned, bounds)
        self._picture = picture
        self.time_base = _MILLISECONDS
        # For HEIF the transfer of the picture: FFmpeg reports that of a tile.
        stated = picture.info.get("nclx_profile") or {}
        self._transfer = stated.get("transfer_characteristics", self.stream.codec_context.color_trc)
        is_animated = getattr(picture, "is_animated", False) and picture.format in ("WEBP", "GIF")
        self.kind = MediaKind.VIDEO if is_animated else MediaKind.IMAGE
        if not is_animated and picture.format in ("HEIF", "AVIF", "WEBP"):
            self.container_format = (picture.format or "").lower()

    @property
    def streams(self) -> Iterable[av.stream.Stream]:
        """The picture alone: FFmpeg reports the tiles of a picture as streams."""
        return [self.stream]

    @property
    def expected_duration(self) -> float:
        """Always 0: the frames of an animation state how long each is shown."""
        return 0.0

    @property
    def frame_rate(self) -> Fraction | None:
        """Average frames a second once all were read, since none is stated."""
        if self.kind is MediaKind.IMAGE or not self.duration:
            return None
        return (self.tally.decoded / self.duration).limit_denominator(1000)

    def _raw(self, tally: Tally, needed: NeededPackets | None = None) -> Iterator[av.VideoFrame]:
        time = 0
        pictures = ImageSequence.Iterator(self._picture) if self.kind is MediaKind.VIDEO else [self._picture]
        try:
            for picture in pictures:
                with strict_decoding():
                    if self.to_srgb.of_cmyk:
                        pixels = self.to_srgb.of(picture)
                    else:
                        pixels = _rgb(picture, self._transfer)
                        if self._transfer not in colour.TRANSFER_NAMES:
                            pixels = self.to_srgb(pixels)
                    if self.has_transparency and picture.has_transparency_data:
                        alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
                        pixels = self.opaque(pixels, alpha)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = time, self.time_base
                # Browsers show a frame of duration 0 for 0.1 s.
                frame.duration = int(picture.info.get("duration") or 0) or 100
                time += frame.duration
                yield frame
        except _DAMAGE:
            tally.undecodable += 1
            tally.packets.add_failure(time, UnusedCode.PICTURE_REFUSED)

    def _colours(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        return self._plain(frame, width, height)  # _raw has converted the colours already

    def _seek(self, pts: int) -> tuple[FramesWithPts, av.VideoFrame | None]:
        running = self._decoded(counting=False)
        return running, frame_at(running, pts)


def _rgb(picture: PIL.Image.Image, transfer: int) -> Image:
    """Return the RGB pixels of a picture, high dynamic range converted to standard range."""
    if picture.mode.startswith("I;16"):
        # Pillow would clip 16-bit values at 255 instead of scaling them.
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.mode in ("I", "F"):
        picture.load()  # raises if the file is damaged
        raise MediaError(UNSUPPORTED_COLOURS)
    pixels = np.asarray(picture.convert("RGB"))
    if transfer not in colour.TRANSFER_NAMES:
        return pixels
    converted = np.empty_like(pixels)
    for row in range(0, len(pixels), _ROWS):
        deep = pixels[row : row + _ROWS].astype(np.uint16) * 257  # 255 becomes 65,535
        converted[row : row + _ROWS] = colour.to_standard_range(deep, transfer)
    return converted


@contextmanager
def open_with_pillow(
    container: av.container.InputContainer, file: BinaryIO, bounds: InputLimits
) -> Iterator[PillowReader]:
    """Open a picture with Pillow; raises :class:`MediaError` if Pillow cannot read it."""
    try:
        opened = open_photo(file)
        with strict_decoding():
            picture = opened.__enter__()
    except (*_DAMAGE, MemoryError, PIL.Image.DecompressionBombError):
        raise MediaError(PICTURE_DAMAGED) from None
    try:
        yield PillowReader(container, file, picture, bounds)
    finally:
        opened.__exit__(None, None, None)


_ENCRYPTED = N_(
    "The pictures are encrypted for copy protection: only programs with the key can show them. Ask the "
    "owner of the key for an mp4 without encryption, and keep the original."
)
_BROKE_OFF = N_(
    "The file lacks its table of contents (moov): the recording broke off, or the file was copied only "
    "in part. Copy it again; if the source has the same fault, the recorder's maker or a repair "
    "program may restore it."
)
# FFmpeg misses small JPEGs with appended data, and M2TS files that begin within a packet.
_MISSED = frozenset({"jpeg_pipe", "mpegts"})


@contextmanager
def open_media(path: Path, bounds: InputLimits | None = None) -> Iterator[MediaReader]:
    """Open ``path`` for reading.

    Raises :class:`MediaError` if the file is missing, empty, of no accepted type, beyond ``bounds``, or
    without a picture, and :class:`~detector.errors.SoundOnlyError` for one of sound alone.
    """
    with open_exhibit(path) as file:
        head = read_accepted_head(file)
        file.seek(0)
        bounds = bounds or InputLimits()
        photo = photo_orientation(file, bounds)
        if is_tiff_of_numbers(file):
            raise MediaError(UNSUPPORTED_COLOURS)
        transparency = has_transparency(file)
        needs_pillow = is_tiff_beyond_ffmpeg(file) or has_uncontrolled_pictures(file)
        whole = count_whole_pictures(file)
        file.seek(0)
        end = cut_fragment(file)
        with open_container(file, end) as container:
            refuse_type_mismatch(head, container.format.name)
            place = file.tell()  # where FFmpeg will continue to read
            colours = to_srgb(file, _colour_code(container))
            layout = read_layout(file) if container.format.name == MP4 else None
            stated, source = stated_seconds(file), duration_source(file, container.format.name)
            holds_all = holds_all_parts(file, container.format.name)
            block = last_block(file) if container.format.name == MATROSKA else 0
            file.seek(place)
            by_pillow = is_boxed_picture(head) or is_animated_webp(head) or needs_pillow or colours.of_cmyk
            opening: AbstractContextManager[MediaReader] = (
                open_with_pillow(container, file, bounds)
                if by_pillow
                else nullcontext(MediaReader(container, photo, bounds))
            )
            with opening as reader, ExitStack() as stack:
                reader.open_again = partial(_open_again, file, end, stack)
                reader.to_srgb, reader.has_transparency = colours, transparency
                reader.stated_seconds, reader.duration_source = stated, source
                reader.holds_all_parts, reader.last_block = holds_all, block
                reader.indexed_pictures = len(reader.stream.index_entries)
                if colours.of_cmyk or not by_pillow:
                    reader.is_whole = partial(is_complete, file)
                if layout and reader.stream_index in layout.encrypted:
                    raise MediaError(_ENCRYPTED)
                if not by_pillow:
                    # Edit lists matter only if some stream begins later than the file.
                    has_late_stream = any((stream.start_time or 0) > 0 for stream in container.streams)
                    reader.edit_seconds = layout.edit_seconds if layout and has_late_stream else {}
                    reader.breaks_off = end is not None
                    reader.whole_pictures = whole if reader.kind is MediaKind.VIDEO else None
                reader.refuse_claims()
                yield reader


def _colour_code(container: av.container.InputContainer) -> tuple[int, int]:
    """Return primaries and transfer characteristics (ITU-T H.273); 2, unspecified, if not stated."""
    for stream in container.streams.video:
        if stream.codec_context is not None:
            return stream.codec_context.color_primaries, stream.codec_context.color_trc
    return 2, 2


def _open_again(file: BinaryIO, end: int | None, stack: ExitStack) -> av.container.InputContainer:
    """Open the file anew at its first byte, and close the container opened so before."""
    stack.close()
    file.seek(0)
    return stack.enter_context(open_container(file, end))


def played_sound(container: av.container.InputContainer) -> av.AudioStream | None:
    """Return the sound that a player plays, the default stream or else the first; None without sound."""
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    default = av.stream.Disposition.default
    return next((stream for stream in streams if stream.disposition & default), next(iter(streams), None))


def open_container(file: BinaryIO, end: int | None) -> av.container.InputContainer:
    """Open a file with FFmpeg, without its name and with the demuxers of accepted types only.

    It is read up to ``end``, from :func:`~detector.media.containers.cut_fragment`. Raises :class:`MediaError`
    if no demuxer can read it.
    """
    start = file.tell()
    file.seek(0)
    allowed = ",".join(allowed_demuxers(file.read(HEAD_BYTES)))
    file.seek(start)
    for demuxer in _demuxers(file):
        try:
            # `enable_drefs` stays off (FFmpeg's default): a mov may not refer to other files.
            return av.open(
                NamelessFile(whole_sound(file), end),
                mode="r",
                format=demuxer,
                # merge_pmt_versions: the pictures of a transport stream may continue under another PID, for
                # instance after advertisements.
                options={"format_whitelist": allowed, "merge_pmt_versions": "1"},
                metadata_errors="replace",  # invalid UTF-8 in tags must not prevent an examination
            )
        except (av.FFmpegError, ValueError):
            continue
    file.seek(0)
    container = container_of(file.read(HEAD_BYTES))
    is_mp4 = container is not None and not container.is_photo and MP4 in container.demuxers
    # Recorders write the table of contents, `moov`, last.
    raise MediaError(_BROKE_OFF if is_mp4 and "moov" not in read_layout(file).boxes else UNREADABLE)


def _demuxers(file: BinaryIO) -> Iterator[str | None]:
    """Yield None, for FFmpeg's own choice, then demuxers that FFmpeg may have missed."""
    start = file.tell()
    yield None
    file.seek(start)
    container = container_of(file.read(HEAD_BYTES))
    file.seek(start)
    if container is not None:
        yield from _MISSED.intersection(container.demuxers)
