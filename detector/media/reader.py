"""Read video and photos: frames in order, each with its presentation time.

Files are opened by :mod:`detector.media.open`. Times are exact, ``pts * time_base`` as fractions,
counted from the first frame; frame numbers and average rates are never turned into times. Whether a file
held all that it promised is told by :mod:`detector.media.completeness`.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator
from fractions import Fraction
from typing import Literal, cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from detector.errors import MediaError
from detector.media import hdr
from detector.media.frame import Frame, Image
from detector.media.limits import Bounds
from detector.media.orientation import Orientation, display_orientation
from detector.media.packet_stats import Tally
from detector.media.signatures import ACCEPTED, PHOTO_DEMUXERS
from detector.media.unreferenced import CONTAINERS, NeededPackets, length_size_of
from detector.schema.analysis import MediaKind
from detector.schema.translatable import N_

Decoded = Iterator[tuple[av.VideoFrame, int]]  # frames, each with its PTS
_MOST_HELD, _HELD_BYTES = 16, 64 * 1024 * 1024  # frames without a time that are held back
_SEEK_EARLIER = 1  # seconds
PICTURE_DAMAGED = N_(
    "The picture cannot be read: it is damaged or was copied only in part. Copy it again from where it "
    "was made, or export it there as jpeg."
)


class MediaReader:
    """An open exhibit. Use :func:`~detector.media.open.open_media`; read :meth:`frames` once, to the end."""

    def __init__(self, container: av.container.InputContainer, photo: Orientation, bounds: Bounds) -> None:
        self._container = container
        self._photo = photo
        self._bounds = bounds
        self._stream = _picture_stream(container)
        self._stream.thread_type = "AUTO"
        bounds.refuse_picture(self._stream.codec_context.width, self._stream.codec_context.height)
        # FFmpeg itself refuses frames that are larger than what the file said of itself.
        self._stream.codec_context.options = {"max_pixels": str(bounds.pixels)}
        if self._stream.time_base is None:
            raise MediaError(N_("The file gives its frames no times. Convert it to mp4 and try again."))
        self.time_base: Fraction = self._stream.time_base
        # A frame would make one of its own, with its own threads, and take eight times as long.
        self._rgb = VideoReformatter()
        self.tally = Tally()
        self.is_whole: Callable[[], bool] = lambda: True
        """Of a photo: whether all of it can be decoded. FFmpeg fills in what is missing and says nothing."""
        self.turned = 0
        """Clockwise quarter turns that the file does not ask for; to be set before frames are read."""
        self._keys = array("q")  # PTS of key frames
        self.width = self.height = self.rotation = 0
        self.container_format: str = container.format.name
        self.codec: str = self._stream.codec_context.name
        self.has_sound: bool = bool(container.streams.audio)
        still = self.container_format in PHOTO_DEMUXERS or (
            self.container_format == "gif" and self._stream.frames == 1
        )
        self.kind = MediaKind.IMAGE if still else MediaKind.VIDEO
        self.pixel_aspect = _pixel_aspect(self._stream) if self.kind is MediaKind.VIDEO else Fraction(1)
        """How much wider than high a stored pixel is."""
        bounds.refuse_claims(self.expected_duration, self._stream.frames)

    @property
    def stream(self) -> av.VideoStream:
        """The stream of pictures that is examined."""
        return self._stream

    @property
    def stream_index(self) -> int:
        """Its number in the file."""
        return int(self._stream.index)

    @property
    def streams(self) -> Iterable[av.stream.Stream]:
        """All streams of the file."""
        return self._container.streams

    @property
    def metadata(self) -> dict[str, str]:
        """Tags of the whole file, as written."""
        return dict(self._container.metadata)

    @property
    def container_duration(self) -> float | None:
        """Seconds stated for the whole file."""
        stated = self._container.duration
        return stated / av.time_base if stated and stated > 0 else None

    @property
    def stream_duration(self) -> float | None:
        """Seconds stated for the pictures."""
        stated = self._stream.duration
        return float(stated * self.time_base) if stated and stated > 0 else None

    @property
    def frame_rate(self) -> Fraction | None:
        """Average frames a second as the container states it; None for a still."""
        return None if self.kind is MediaKind.IMAGE else self._stream.average_rate

    @property
    def expected_duration(self) -> float:
        """Seconds the container claims; 0 if it claims nothing."""
        if self._stream.duration:
            return float(self._stream.duration * self.time_base)
        return (self._container.duration or 0) / av.time_base

    @property
    def duration(self) -> Fraction:
        """From the first frame's start to the last one's end; 0 for a still."""
        tally = self.tally
        if self.kind is MediaKind.IMAGE or tally.first_pts is None or tally.end_pts is None:
            return Fraction(0)
        return (tally.end_pts - tally.first_pts) * self.time_base

    @property
    def can_skip(self) -> bool:
        """Whether frames keep their times when others are not decoded (:meth:`some_frames`)."""
        return self.container_format != "avi"  # keeps no presentation times

    @property
    def start_offset(self) -> float | None:
        """Where the first frame stands on the clock of a player, which starts with what begins first."""
        if self.kind is MediaKind.IMAGE or self.tally.first_pts is None:
            return None
        began = Fraction(self._container.start_time or 0, av.time_base)
        return float(max(Fraction(0), self.tally.first_pts * self.time_base - began))

    @property
    def variable_frame_rate(self) -> bool:
        """True when the gaps between frames differ by more than the clock's own rounding."""
        shortest, longest = self.tally.shortest, self.tally.longest
        return shortest is not None and longest is not None and longest - shortest > max(1, shortest // 50)

    def frames(self, sample_rate: float, all_decoded: bool = True) -> Generator[Frame]:
        """The first frame of each 1/``sample_rate`` seconds; all others are decoded and counted only.

        Unless ``all_decoded``, those to which no other refers are only counted, where that can be told.
        Raises :class:`MediaError` when not one frame can be decoded.
        """
        rate = Fraction(sample_rate).limit_denominator(1_000_000)
        last_bin = -1
        for frame, pts in self._decoded(rate=None if all_decoded else rate):
            time = (pts - (self.tally.first_pts or 0)) * self.time_base
            if int(time * rate) > last_bin:
                last_bin = int(time * rate)
                yield Frame(pts, time, self._upright(frame), self.tally.frames - 1)
        if self.kind is MediaKind.IMAGE:
            if not self.tally.decoded:
                raise MediaError(PICTURE_DAMAGED)
            if not self.is_whole():
                self.tally.undecodable += 1
        if not self.tally.decoded:
            raise MediaError(
                N_(
                    "Not one frame could be decoded: the file is damaged or uses a codec unknown "
                    "here. Play it in a video player; if it plays, convert it to H.264 mp4 and try "
                    "again."
                )
            )

    def every_frame(self) -> Iterator[tuple[av.VideoFrame, int]]:
        """All frames as the decoder gives them, neither upright nor RGB, each with its PTS."""
        return self._decoded()

    def some_frames(self, skip: Literal["NONREF", "NONKEY"]) -> Iterator[tuple[av.VideoFrame, int]]:
        """Likewise, without frames to which no other refers, or without any but those that refer to none."""
        context = self._stream.codec_context
        context.skip_frame = skip
        try:
            yield from self._decoded()
        finally:
            context.skip_frame = "DEFAULT"
        if self.tally.end_pts is not None and self.tally.packets.end is not None:
            self.tally.end_pts = max(self.tally.end_pts, self.tally.packets.end)

    def rewind(self) -> None:
        """Make the reader what it was before any frame was read."""
        first = self.tally.first_pts or 0
        # As in :meth:`_seek`: not every container goes where it is told to.
        for target in (first, int(first - _SEEK_EARLIER / self.time_base), None):
            if not self._sought(target):
                continue
            _, at = next(self._decoded(counting=False), (None, None))
            if at is not None and at <= first and self._sought(target):
                break
        self.tally = Tally()
        del self._keys[:]

    def orientation(self, frame: av.VideoFrame) -> Orientation:
        """How a frame is turned upright."""
        turns, mirrored = self._photo if self.kind is MediaKind.IMAGE else display_orientation(frame)
        return (turns + self.turned) % 4, mirrored

    def at(self, wanted: set[int]) -> Generator[Frame]:
        """The frames whose PTS are in ``wanted``, in order; after :meth:`frames` none is decoded twice."""
        return self.spans([(pts, pts) for pts in sorted(wanted)])

    def spans(self, wanted: Iterable[tuple[int, int]]) -> Generator[Frame]:
        """All frames from the first to the last PTS of each span, likewise; spans in order and apart.

        Of a span whose first frame is not found nothing comes.
        """
        return (self._reached(frame, pts) for frame, pts in self.decoded_spans(wanted))

    def decoded_spans(self, wanted: Iterable[tuple[int, int]]) -> Generator[tuple[av.VideoFrame, int]]:
        """The frames of :meth:`spans` as the decoder gives them, each with its PTS."""
        running: Decoded = iter(())
        here: int | None = None
        for first, last in wanted:
            found = None
            if here is not None and here >= self._key_before(first):
                found = first_at(running, first)
            if found is None:
                running, found = self._seek(first)
            here = None if found is None else first
            if found is not None:
                yield found, first
            while here is not None and here < last and (following := next(running, None)):
                found, here = following
                if here <= last:
                    yield found, here

    def _reached(self, frame: av.VideoFrame, pts: int) -> Frame:
        return Frame(pts, (pts - (self.tally.first_pts or 0)) * self.time_base, self._upright(frame))

    def since_key(self, pts: int) -> float:
        """Seconds that have to be decoded to come to the frame at ``pts``; infinity where that is unknown."""
        key = self._key_before(pts)
        return (pts - key) * float(self.time_base) if math.isfinite(key) else math.inf

    def _key_before(self, pts: int) -> float:
        """PTS of the last key frame not after ``pts``; infinity where none is known."""
        number = bisect_right(self._keys, pts)
        return self._keys[number - 1] if number else math.inf

    def _seek(self, pts: int) -> tuple[Decoded, av.VideoFrame | None]:
        """The frame at ``pts``, and those that follow."""
        # Some containers cannot seek, or land behind the frame or (transport streams) between two key
        # frames: the next tries go to before its key frame, and then to the start of the file.
        key = self._key_before(pts)
        early = [int(key - _SEEK_EARLIER / self.time_base)] if math.isfinite(key) else []
        for target in (pts, *early, self.tally.first_pts or 0, None):
            if not self._sought(target):
                continue
            running = self._decoded(counting=False)
            found = first_at(running, pts)
            if found is not None:
                return running, found
        return iter(()), None

    def _sought(self, pts: int | None) -> bool:
        """Go to the key frame before ``pts``, or to the first byte; whether the container could."""
        try:
            if pts is None:
                self._container.seek(0, unsupported_byte_offset=True)
            else:
                self._container.seek(pts, stream=self._stream, backward=True)
        except av.FFmpegError:
            return False
        return True

    def _decoded(
        self, counting: bool = True, rate: Fraction | None = None
    ) -> Iterator[tuple[av.VideoFrame, int]]:
        """Sound frames in order of presentation with their PTS; what is broken is counted.

        With a ``rate``, frames not needed to sample so many a second are counted and may not come.
        """
        tally = self.tally if counting else Tally()
        needed = self._needed(rate, tally) if rate else None
        for frame, pts in self._dated(tally, needed):
            if pts is None:
                pts = 0 if tally.last_pts is None else tally.last_pts + max(1, frame.duration or 1)
            for over in needed.passed_over(pts) if needed else ():
                tally.shown(over.pts, over.kind, over.duration, decoded=False)
            if tally.last_pts is not None and pts <= tally.last_pts:  # a clock that runs backwards
                tally.undecodable += 1
                tally.packets.failed(pts, "a frame whose time is not after the one before")
                continue
            tally.shown(pts, int(frame.pict_type), frame.duration or 0)
            if counting and frame.key_frame:
                self._keys.append(pts)
            self._bounds.refuse_length(float((pts - (tally.first_pts or 0)) * self.time_base))
            yield frame, pts
        for over in needed.passed_over(math.inf) if needed else ():
            tally.shown(over.pts, over.kind, over.duration, decoded=False)

    def _needed(self, rate: Fraction, tally: Tally) -> NeededPackets | None:
        """What tells the packets to be decoded; None where nothing can be told."""
        length_size = length_size_of(self._stream.codec_context.extradata)
        if self.codec != "h264" or self.container_format not in CONTAINERS or length_size is None:
            return None
        return NeededPackets(rate, self.time_base, length_size, lambda: tally.first_pts)

    def _dated(
        self, tally: Tally, needed: NeededPackets | None
    ) -> Iterator[tuple[av.VideoFrame, int | None]]:
        """Sound frames with their PTS; those without any before the first that has one are counted back."""
        held: list[av.VideoFrame] = []
        begun = False
        for frame in self._raw(tally, needed):
            self._bounds.refuse_count(tally.frames + tally.undecodable)
            if frame.is_corrupt:
                tally.undecodable += 1
                tally.packets.failed(frame.pts, "a frame decoded with errors")
                continue
            # AVI keeps no presentation times, and those FFmpeg guesses for reordered frames are wrong.
            pts = frame.dts if self.container_format == "avi" or frame.pts is None else frame.pts
            most = min(_MOST_HELD, _HELD_BYTES // max(1, 3 * frame.width * frame.height))
            if pts is None and not begun and len(held) < most:
                held.append(frame)
                continue
            begun = True
            rate = self._stream.average_rate
            step = frame.duration or max(1, round(1 / rate / self.time_base) if rate else 1)
            for rank, early in enumerate(held):
                yield early, None if pts is None else pts - step * (len(held) - rank)
            held = []
            yield frame, pts
        yield from ((frame, None) for frame in held)

    def _raw(self, tally: Tally, needed: NeededPackets | None) -> Iterator[av.VideoFrame]:
        for packet in self._packets(tally):
            tally.packets.add(packet, self.codec)
            if needed is not None and tally.undecodable:
                needed.distrust()
            yield from self._frames_of([packet] if needed is None else needed.offer(packet), tally)
        if needed is not None:
            yield from self._frames_of(needed.flush(), tally)

    def _packets(self, tally: Tally) -> Iterator[av.Packet]:
        """Those of the pictures, in the order of the file."""
        # Sound is not decoded; where it ends tells whether the file does too early.
        packets = self._container.demux(self._stream, *self._container.streams.audio[:1])
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:  # the container breaks off
                tally.undecodable += 1
                tally.packets.failed(tally.end_pts, "the container breaks off")
                return
            if packet.stream is self._stream:
                yield packet
            elif packet.pts is not None and packet.time_base is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                tally.sound_end = max(tally.sound_end, end)

    def _frames_of(self, packets: Iterable[av.Packet], tally: Tally) -> Iterator[av.VideoFrame]:
        for packet in packets:
            try:
                yield from packet.decode()
            except av.error.EOFError:
                return
            except MemoryError:  # of this machine, not of the file; FFmpeg's own is one of both
                raise
            except av.FFmpegError:
                tally.undecodable += 1
                tally.packets.failed(packet.pts, "a packet the decoder refused")
                self._bounds.refuse_count(tally.frames + tally.undecodable)

    def square_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height of a frame, not yet turned, in square pixels: none is left out."""
        aspect = self.pixel_aspect
        if aspect >= 1:
            return round(frame.width * aspect), frame.height
        return frame.width, round(frame.height / aspect)

    def rgb(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        """A frame as it lies in the file, at this size, in RGB of standard range."""
        if frame.color_trc in hdr.NAMES:
            deep = self._rgb.reformat(frame, width=width, height=height, format="rgb48le", threads=1)
            return hdr.to_standard_range(cast(NDArray[np.uint16], deep.to_ndarray()), frame.color_trc)
        return cast(
            Image,
            self._rgb.reformat(frame, width=width, height=height, format="rgb24", threads=1).to_ndarray(),
        )

    def _upright(self, frame: av.VideoFrame) -> Image:
        width, height = self.square_size(frame)
        self._bounds.refuse_picture(width, height)
        quarter_turns, mirrored = self.orientation(frame)
        image = self.rgb(frame, width, height)
        if mirrored:
            image = image[:, ::-1]
        image = np.ascontiguousarray(np.rot90(image, -quarter_turns))
        if not self.width:
            self.height, self.width = image.shape[:2]
            self.rotation = 90 * quarter_turns
        return image


def first_at(frames: Decoded, pts: int) -> av.VideoFrame | None:
    """The frame at ``pts``, if ``frames`` come to it."""
    for frame, at in frames:
        if at >= pts:
            return frame if at == pts else None
    return None


def _picture_stream(container: av.container.InputContainer) -> av.VideoStream:
    cover = av.stream.Disposition.attached_pic
    streams = [
        s for s in container.streams.video if not s.disposition & cover and s.codec_context is not None
    ]
    if not streams:
        if container.streams.audio:
            raise MediaError(
                N_("The file holds sound but no picture, and Reelproof examines faces. %(accepted)s")
                % {"accepted": ACCEPTED}
            )
        raise MediaError(N_("The file holds no picture. %(accepted)s") % {"accepted": ACCEPTED})
    # What a player shows is what is examined; the others are named.
    return next((s for s in streams if s.disposition & av.stream.Disposition.default), streams[0])


def _pixel_aspect(stream: av.VideoStream) -> Fraction:
    """How much wider than high a stored pixel is; 1 where the file does not say or says nonsense."""
    aspect = stream.sample_aspect_ratio
    return aspect if aspect and Fraction(1, 4) <= aspect <= 4 else Fraction(1)
