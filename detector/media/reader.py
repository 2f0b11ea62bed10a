"""Read video and photos: upright RGB frames in order, each with its presentation time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from fractions import Fraction
from typing import Literal, NamedTuple, cast

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter
from numpy.typing import NDArray

from detector.errors import MediaError, PicturesNotReadError
from detector.media import colour
from detector.media.acceptance import MATROSKA, MP4, InputLimits
from detector.media.colour import ToSrgb
from detector.media.completeness import seconds_after_last_frame
from detector.media.frame import (
    BLACK,
    WHITE,
    Frame,
    Image,
    Size,
    fit_size,
    flatten_transparency,
    place_on_canvas,
    transparent_share,
)
from detector.media.photos import Orientation, display_orientation
from detector.media.stream.decoder import FrameDecoder
from detector.schema.analysis import MediaKind
from detector.schema.formatting import N_

ANIMATIONS = frozenset({"gif", "apng", "webp_pipe"})
# From limited range (ITU-R BT.601: black 16, white 235) to full range.
_FROM_LIMITED = np.clip(np.round((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


class UprightPictures(FrameDecoder):
    """A decoder that converts frames to the pictures that viewers show: upright, square pixels, sRGB.

    ``photo`` is the orientation of a photo; in a video each frame carries its own.
    """

    def __init__(
        self, container: av.container.InputContainer, photo: Orientation, bounds: InputLimits
    ) -> None:
        super().__init__(container, bounds)
        self._photo = photo
        # Without one, each frame creates its own with its own threads, which takes eight times as long.
        self._rgb, self._rgba = VideoReformatter(), VideoReformatter()
        # The next three may be set before frames are read.
        self.to_srgb = ToSrgb()
        self.has_transparency = True
        """Whether a channel beside the colours is transparency."""
        self.turned = 0
        """Clockwise quarter turns beyond those that the file asks for."""
        self.watch_alpha: Callable[[NDArray[np.uint8]], None] | None = None
        """Called with the alpha channel (height, width) of each frame that may be transparent."""
        self.transparent = 0.0
        """The largest transparent share of a frame."""
        self._matrix: tuple[int, Orientation] | None = None  # the last rotation and its orientation

    def orientation(self, frame: av.VideoFrame) -> Orientation:
        """Return the turns, and whether to mirror, that make a frame upright."""
        turns, mirrored = self._photo if self.kind is MediaKind.IMAGE else self._displayed(frame)
        return (turns + self.turned) % 4, mirrored

    def _displayed(self, frame: av.VideoFrame) -> Orientation:
        # Read the matrix only when the rotation changes: in PyAV a frame whose matrix was read refers to
        # itself and lives until the next garbage collection, by which time 150 frames of 4K were held.
        rotation = frame.rotation
        if self._matrix is None or self._matrix[0] != rotation:
            self._matrix = rotation, display_orientation(frame)
        return self._matrix[1]

    def square_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return width and height of a frame in square pixels, before turning it; no pixel is dropped."""
        aspect = self.aspect_of(frame)
        if aspect >= 1:
            return round(frame.width * aspect), frame.height
        return frame.width, round(frame.height / aspect)

    def rgb(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        """Convert a frame to sRGB on a plain background at this size, without turning it."""
        image = self._colours(frame, width, height)
        if not self._may_be_transparent(frame):
            return image
        rgba = self._rgba.reformat(frame, width=width, height=height, format="rgba", threads=1).to_ndarray()
        return self.opaque(image, cast(NDArray[np.uint8], rgba[:, :, 3]))

    def is_converted(self, frame: av.VideoFrame) -> bool:
        """Return whether :meth:`rgb` does more than convert the stored numbers to RGB."""
        return (
            frame.color_trc in colour.TRANSFER_NAMES
            or self._may_be_transparent(frame)
            or _is_limited_grey(frame)
        )

    def _may_be_transparent(self, frame: av.VideoFrame) -> bool:
        layout = frame.format
        return self.has_transparency and (
            layout.has_palette or any(component.is_alpha for component in layout.components)
        )

    def opaque(self, image: Image, alpha: NDArray[np.uint8]) -> Image:
        """Blend ``image`` over the background that viewers use: white, or black for a video."""
        self.transparent = max(self.transparent, transparent_share(alpha))
        if self.watch_alpha is not None:
            self.watch_alpha(alpha)
        is_picture = self.kind is MediaKind.IMAGE or self.container_format in ANIMATIONS
        return flatten_transparency(image, alpha, WHITE if is_picture else BLACK)

    def _colours(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        if frame.color_trc in colour.TRANSFER_NAMES:
            deep = self._rgb.reformat(frame, width=width, height=height, format="rgb48le", threads=1)
            return colour.to_standard_range(cast(NDArray[np.uint16], deep.to_ndarray()), frame.color_trc)
        return self.to_srgb(self._plain(frame, width, height))

    def _plain(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        image = cast(
            Image,
            self._rgb.reformat(frame, width=width, height=height, format="rgb24", threads=1).to_ndarray(),
        )
        return _FROM_LIMITED[image] if _is_limited_grey(frame) else image

    def upright_size(self, frame: av.VideoFrame) -> Size:
        """Return width and height of a frame as shown, in square pixels."""
        width, height = self.square_size(frame)
        return (height, width) if self.orientation(frame)[0] % 2 else (width, height)

    def upright(self, frame: av.VideoFrame, canvas: Size) -> Image:
        """Return a frame as shown, in RGB, fitted to a canvas of this width and height."""
        quarter_turns, mirrored = self.orientation(frame)
        width, height = fit_size(self.upright_size(frame), canvas)
        image = self.rgb(frame, *((height, width) if quarter_turns % 2 else (width, height)))
        if mirrored:
            image = image[:, ::-1]
        return place_on_canvas(np.ascontiguousarray(np.rot90(image, -quarter_turns)), canvas)


def _is_limited_grey(frame: av.VideoFrame) -> bool:
    """Return whether a grey picture has limited range; FFmpeg takes all grey pictures for full range."""
    return bool(frame.color_range == ColorRange.MPEG) and frame.format.name.startswith("gray")


FramesWithPts = Iterator[tuple[av.VideoFrame, int]]  # frames, each with its PTS
_MOST_SIZES = 16
_SEEK_EARLIER = 1  # seconds
PICTURE_DAMAGED = N_(
    "The picture cannot be read: it is damaged or was copied only in part. Copy it again from where it "
    "was made, or export it there as jpeg."
)


class PictureGrowsError(Exception):
    """A frame is larger than those before it; a canvas of ``size`` would hold both."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size


class _Decoded(NamedTuple):
    """A frame as decoded, with its PTS and its position in order of presentation."""

    frame: av.VideoFrame
    pts: int
    number: int


class MediaReader(UprightPictures):
    """An open exhibit. Use :func:`~detector.media.open.open_media`; read :meth:`frames` once, to the end."""

    def __init__(
        self, container: av.container.InputContainer, photo: Orientation, bounds: InputLimits
    ) -> None:
        super().__init__(container, photo, bounds)
        self.is_whole: Callable[[], bool] = lambda: True
        """Whether all of a photo can be decoded. FFmpeg silently fills in missing parts."""
        self.width = self.height = self.rotation = 0
        self.canvas: Size | None = None
        """Width and height of all frames, to be set before they are read; None for those of the first."""
        self.refuses_growth = False
        """Whether a sampled frame larger than the canvas raises :class:`PictureGrowsError`."""
        self.sizes: list[Size] = []
        """The upright sizes of sampled frames in the file; the first 16."""
        self._sampled_frames = self._interlaced_frames = 0

    def frames(self, sample_rate: float, all_decoded: bool = True) -> Generator[Frame]:
        """Yield the first intact frame of each 1/``sample_rate`` seconds, and each that is shown longer.

        All others are decoded and counted only, as are frames that depend on damaged or missing pictures
        (:mod:`detector.media.stream.damage`). Unless ``all_decoded``, pictures to which no other refers are
        skipped where that is known.
        Raises :class:`MediaError` if no frame can be decoded, or all depend on damaged ones.
        """
        rate = Fraction(sample_rate).limit_denominator(1_000_000)
        is_empty = True
        for frame, pts, number in self._sampled(rate, all_decoded):
            is_empty = False
            self._note_size(frame)
            self._sampled_frames += 1
            self._interlaced_frames += frame.interlaced_frame
            yield self._frame(frame, pts, number)
        if self.kind is MediaKind.IMAGE:
            if is_empty:
                raise MediaError(PICTURE_DAMAGED)
            if not self.is_whole():
                self.tally.undecodable += 1
        if is_empty:
            raise PicturesNotReadError(
                N_(
                    "No frame could be decoded: the file is damaged or uses an unknown codec. Play it "
                    "in a video player; if it plays, convert it to H.264 mp4 and try again."
                )
            )

    def _sampled(self, rate: Fraction, all_decoded: bool) -> Iterator[_Decoded]:
        """Yield the frames of :meth:`frames`, not yet upright."""
        # The last interval with a sampled frame, and the last with a frame that depends on damage.
        tally, last_interval, spoilt_interval = self.tally, -1, -1
        # The last frame, if not sampled so far: the next frame tells how long it is shown.
        passed: _Decoded | None = None
        # Selected, but shown before frames on which they may depend.
        waiting: deque[_Decoded] = deque()
        for frame, pts in self._decoded(rate=None if all_decoded else rate):
            if passed and tally.before_last == passed.pts and (pts - passed.pts) * self.time_base > 1 / rate:
                waiting.append(passed)
            current = _Decoded(frame, pts, tally.frames - 1)
            interval = int(self._time(pts) * rate)
            passed = None
            if tally.damage.spoilt:
                tally.not_sampled += interval > max(last_interval, spoilt_interval)
                spoilt_interval = interval
            elif interval > last_interval:
                tally.not_sampled -= interval == spoilt_interval
                last_interval = interval
                waiting.append(current)
            else:
                passed = current
            yield from self._undamaged(waiting)
        if self.kind is MediaKind.VIDEO and passed and tally.last_pts == passed.pts:
            shown = self.duration - self._time(passed.pts) + Fraction(seconds_after_last_frame(self))
            if shown > 1 / rate:
                waiting.append(passed)
        yield from self._undamaged(waiting)

    def _undamaged(self, waiting: deque[_Decoded]) -> Iterator[_Decoded]:
        """Take the frames whose state is known from ``waiting``; yield those that depend on no damage."""
        damage = self.tally.damage
        while waiting and damage.is_known(waiting[0].pts):
            decoded = waiting.popleft()
            if damage.is_spoilt_at(decoded.pts):
                self.tally.not_sampled += 1
            else:
                yield decoded

    @property
    def interlaced(self) -> float:
        """Share of sampled frames that are stored as two fields."""
        return self._interlaced_frames / self._sampled_frames if self._sampled_frames else 0.0

    def every_frame(self) -> Iterator[tuple[av.VideoFrame, int]]:
        """Yield all frames as decoded, neither upright nor RGB, each with its PTS."""
        return self._decoded()

    def some_frames(self, skip: Literal["NONREF", "NONKEY"]) -> Iterator[tuple[av.VideoFrame, int]]:
        """Yield only frames to which others refer (``skip="NONREF"``), or only key frames (``"NONKEY"``)."""
        context = self._stream.codec_context
        context.skip_frame = skip
        try:
            yield from self._decoded()
        finally:
            context.skip_frame = "DEFAULT"
        if self.tally.end_pts is not None and self.tally.packets.end is not None:
            self.tally.end_pts = max(self.tally.end_pts, self.tally.packets.end)

    def rewind(self) -> None:
        """Return the reader to its state before any frame was read."""
        first = self.tally.first_pts or 0
        # As in :meth:`_seek`, several targets: not every container seeks exactly.
        targets = (first, int(first - _SEEK_EARLIER / self.time_base), None)
        for target in (None,) if self._reads_from_start() else targets:
            if not self._seek_to(target):
                continue
            _, at = next(self._decoded(counting=False), (None, None))
            if at is not None and at <= first and self._seek_to(target):
                break
        self.tally = self._new_tally()
        del self._keys[:]
        del self._aspects[:]

    def at(self, wanted: set[int]) -> Generator[Frame]:
        """Yield the frames whose PTS are in ``wanted``, in order; call after :meth:`frames`."""
        return self.spans([(pts, pts) for pts in sorted(wanted)])

    def spans(self, wanted: Iterable[tuple[int, int]]) -> Generator[Frame]:
        """Yield all frames from the first to the last PTS of each span; spans are sorted and disjoint.

        A span whose first frame is not found yields nothing.
        """
        return (self._frame(frame, pts) for frame, pts in self.decoded_spans(wanted))

    def decoded_spans(self, wanted: Iterable[tuple[int, int]]) -> Generator[tuple[av.VideoFrame, int]]:
        """Yield the frames of :meth:`spans` as decoded, each with its PTS."""
        running: FramesWithPts = iter(())
        position: int | None = None
        for first, last in wanted:
            frame = None
            if position is not None and (self._reads_from_start() or position >= self._key_before(first)):
                frame = frame_at(running, first)
            if frame is None:
                running, frame = self._seek(first)
            position = None if frame is None else first
            if frame is not None:
                yield frame, first
            while position is not None and position < last and (following := next(running, None)):
                frame, position = following
                if position <= last:
                    yield frame, position

    def since_key(self, pts: int) -> float:
        """Return the seconds to decode from the key frame to the frame at ``pts``; infinity if unknown."""
        key = self._key_before(pts)
        return (pts - key) * float(self.time_base) if math.isfinite(key) else math.inf

    def _key_before(self, pts: int) -> float:
        """Return the PTS of the last key frame not after ``pts``; infinity if none is known."""
        number = bisect_right(self._keys, pts)
        return self._keys[number - 1] if number else math.inf

    def _seek(self, pts: int) -> tuple[FramesWithPts, av.VideoFrame | None]:
        """Seek to the frame at ``pts``; return the frames that follow, and the frame."""
        # Some containers cannot seek, or land behind the frame or (transport streams) between two key
        # frames. Then try a time before its key frame, and finally the start of the file.
        key = self._key_before(pts)
        early = [int(key - _SEEK_EARLIER / self.time_base)] if math.isfinite(key) else []
        targets = (pts, *early, self.tally.first_pts or 0, None)
        for target in (None,) if self._reads_from_start() else targets:
            if not self._seek_to(target):
                continue
            running = self._decoded(counting=False)
            frame = frame_at(running, pts)
            if frame is not None:
                return running, frame
        return iter(()), None

    def _reads_from_start(self) -> bool:
        """Return whether a frame can be found again only by reading from the first byte."""
        return self.clock_restarts or self.index_goes_back

    def _seek_to(self, pts: int | None) -> bool:
        """Seek to the key frame before ``pts``, or to the first byte; return whether that succeeded."""
        try:
            if pts is None and self.container_format in (MATROSKA, MP4):
                return self._reopen()  # these demuxers cannot return to the first byte otherwise
            if pts is None:
                self._container.seek(0, unsupported_byte_offset=True)
            else:
                self._container.seek(pts, stream=self._stream, backward=True)
        except av.FFmpegError:
            return False
        return True

    def _time(self, pts: int) -> Fraction:
        return (pts - (self.tally.first_pts or 0)) * self.time_base

    def largest(self, size: Size) -> Size:
        """Return the smallest width and height that hold ``size`` and all key frames; reads the whole file.

        Raises :class:`MediaError` if that exceeds the bounds.
        """
        width, height = size
        for frame, _ in self.some_frames("NONKEY") if self.can_skip else ():
            other = self.upright_size(frame)
            width, height = max(width, other[0]), max(height, other[1])
        self._bounds.refuse_picture(width, height)
        return width, height

    def _note_size(self, frame: av.VideoFrame) -> None:
        size = self.upright_size(frame)
        if size in self.sizes or len(self.sizes) >= _MOST_SIZES:
            return
        self.sizes.append(size)
        if self.width and self.refuses_growth and (size[0] > self.width or size[1] > self.height):
            raise PictureGrowsError((max(size[0], self.width), max(size[1], self.height)))

    def _frame(self, frame: av.VideoFrame, pts: int, index: int | None = None) -> Frame:
        """Return a frame upright and on the common canvas, to whose pixels all boxes refer."""
        size = self.upright_size(frame)
        self._bounds.refuse_picture(*size)
        if not self.width:
            self.width, self.height = self.canvas or size
            self.rotation = 90 * self.orientation(frame)[0]
        canvas = self.width, self.height
        shown = None if size == canvas else size[::-1]
        return Frame(pts, self._time(pts), self.upright(frame, canvas), index, shown)


def frame_at(frames: FramesWithPts, pts: int) -> av.VideoFrame | None:
    """Return the frame at ``pts`` if ``frames`` reach it."""
    for frame, at in frames:
        if at >= pts:
            return frame if at == pts else None
    return None
