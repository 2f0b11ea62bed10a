"""Select the picture stream of a file and decode its frames in order of presentation, counting failures."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from operator import itemgetter

import av
from av.codec.codec import Capabilities

from detector.errors import MediaError, PicturesNotReadError, SoundOnlyError
from detector.media.acceptance import ACCEPTED, MATROSKA, MP4, OGG, PHOTO_DEMUXERS, UNREADABLE, InputLimits
from detector.media.stated_durations import DurationSource
from detector.media.stream.damage import Damage, LastPackets, packet_key
from detector.media.stream.nal_units import length_size_of, reference_reader
from detector.media.stream.packet_stats import Tally
from detector.media.stream.packets import (
    PICTURE_PACKETS,
    RESTARTING_FORMATS,
    NeededPackets,
    RestartedClock,
    read_ahead,
)
from detector.schema.analysis import MediaKind
from detector.schema.causes.anomalies import UnusedCode
from detector.schema.formatting import N_

WHOLE_DURATION = frozenset({MATROSKA, "asf", "flv"})
"""Containers that state only a duration of the whole file."""


class PictureStream:
    """The examined picture stream of a container; raises :class:`MediaError` for none, or a too large one."""

    def __init__(self, container: av.container.InputContainer, bounds: InputLimits) -> None:
        self._container = container
        self._bounds = bounds
        self._stream = _picture_stream(container)
        self.open_again: Callable[[], av.container.InputContainer] | None = None
        """Opens the file again, for containers that cannot seek back; set by the caller."""
        bounds.refuse_picture(self._stream.codec_context.width, self._stream.codec_context.height)
        self._prepare()
        if self._stream.time_base is None:
            raise MediaError(N_("The frames of the file have no times. Convert it to mp4 and try again."))
        self.time_base: Fraction = self._stream.time_base
        self.container_format: str = container.format.name
        # The codec's name, not the decoder's, such as libdav1d for AV1.
        self.codec: str = self._stream.codec_context.codec.canonical_name
        self.has_sound: bool = bool(container.streams.audio)
        still = self.container_format in PHOTO_DEMUXERS or (
            self.container_format == "gif" and self._stream.frames == 1
        )
        self.kind = MediaKind.IMAGE if still else MediaKind.VIDEO
        self.pixel_aspect = Fraction(1)
        """Aspect ratio of a stored pixel of the first frame."""
        if self.kind is MediaKind.VIDEO:
            self.pixel_aspect = pixel_aspect(self._stream.sample_aspect_ratio)
        self.edit_seconds: dict[int, float] = {}
        """Seconds that the edit list of each stream plays; set by the caller if a stream starts late.

        FFmpeg adds the delay to the duration of a stream whose edit list plays only a part.
        """
        self.duration_source = DurationSource.STATED
        """Where FFmpeg has durations from; set by the caller."""
        self.stated_seconds: float | None = None
        """Duration that the file states and FFmpeg does not report; set by the caller."""
        self.holds_all_parts = False
        """Whether the container was not cut off, so that counts in its header promise nothing more; set by
        the caller."""
        self.last_block = 0
        """Byte offset of the last block of a Matroska file, at which FFmpeg arrives unless damage stops it
        before; set by the caller."""
        self.indexed_pictures = 0
        """Pictures in the index of the file; set by the caller, since FFmpeg adds what it reads."""

    def refuse_claims(self) -> None:
        """Raise :class:`MediaError` if the length or frame count that the file states exceeds the limits.

        A stated length of the whole file may be that of sound whose clock jumps, so the packets of the
        pictures decide then.
        """
        seconds, others = self.expected_duration, len(list(self.streams)) > 1
        if others and self.states_whole_duration and seconds > self._bounds.seconds:
            seconds = self._packet_seconds()
        self._bounds.refuse_claims(seconds, self._stream.frames)

    def _packet_seconds(self) -> float:
        """Return the time from the first to the last packet of the pictures; the file is opened again."""
        first = last = None
        with suppress(av.FFmpegError, ValueError, IndexError):  # the file breaks off
            for packet in self._container.demux(self._stream):
                if packet.pts is not None:
                    first = packet.pts if first is None else min(first, packet.pts)
                    last = packet.pts if last is None else max(last, packet.pts)
        if first is None or last is None or not self._reopen():
            return self.expected_duration
        return float((last - first) * self.time_base)

    def _prepare(self) -> None:
        self._stream.thread_type = "AUTO"
        # Makes FFmpeg refuse frames that are larger than the file stated.
        self._stream.codec_context.options = {"max_pixels": str(self._bounds.pixels)}

    def _reopen(self) -> bool:
        """Open the file again at its first byte; return False if that is impossible."""
        if self.open_again is None:
            return False
        number = self._stream.index  # opening again closes the previous container
        self._container = self.open_again()
        (self._stream,) = (stream for stream in self._container.streams.video if stream.index == number)
        self._prepare()
        return True

    @cached_property
    def index_goes_back(self) -> bool:
        """Whether times in the table of an MP4 go back, because its edit list plays several stretches.

        FFmpeg's binary search in that table could find another stretch, whose frames have the same PTS.
        """
        if self.container_format != MP4:
            return False
        times = (entry.timestamp for entry in self._stream.index_entries)  # hundreds of thousands
        return any(later < earlier for earlier, later in pairwise(times))

    @property
    def stream(self) -> av.VideoStream:
        """The examined picture stream."""
        return self._stream

    @property
    def stream_index(self) -> int:
        """The number of the examined stream in the file."""
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
        """Seconds stated for the whole file, or measured by its clock."""
        stated = None if self._is_estimated else self._container.duration
        seconds = (stated or 0) / av.time_base - (self._excess() if self.edit_seconds else 0.0)
        return seconds if seconds > 0 else self.stated_seconds

    def duration_of(self, stream: av.stream.Stream) -> float | None:
        """Return the seconds stated for a stream or measured by its clock, limited to what its edits play."""
        stated = None if self._is_estimated else _seconds(stream, stream.duration)
        return (
            None
            if stated is None or stated <= 0
            else min(stated, self.edit_seconds.get(stream.index, stated))
        )

    @property
    def _is_estimated(self) -> bool:
        return self.duration_source is DurationSource.ESTIMATE

    def _excess(self) -> float:
        """Return by how many seconds FFmpeg lets the last stream end later than its edit list does."""
        ends = [
            (
                (_seconds(stream, stream.start_time) or 0.0) + length,
                length - (self.duration_of(stream) or 0.0),
            )
            for stream in self._container.streams
            if (length := _seconds(stream, stream.duration))
        ]
        return max(end for end, _ in ends) - max(end - less for end, less in ends) if ends else 0.0

    @property
    def stream_duration(self) -> float | None:
        """Seconds stated for the picture stream."""
        return self.duration_of(self._stream)

    @property
    def frame_rate(self) -> Fraction | None:
        """Average frame rate that the container states; None for a still."""
        return None if self.kind is MediaKind.IMAGE else self._stream.average_rate

    @property
    def expected_duration(self) -> float:
        """Seconds that the container claims; 0 if it claims nothing."""
        if self._is_estimated:
            return self.stated_seconds or 0.0
        if self._stream.duration:
            return self.duration_of(self._stream) or 0.0
        return (self._container.duration or 0) / av.time_base or self.stated_seconds or 0.0

    @property
    def states_whole_duration(self) -> bool:
        """Whether :attr:`expected_duration` is that of the whole file, whichever track ends last."""
        # The container's format matters because FFmpeg confuses the two before it has read a frame.
        return self._stream.duration is None or self.container_format in WHOLE_DURATION

    @property
    def can_skip(self) -> bool:
        """Whether frames keep their times if others are not decoded (:meth:`MediaReader.some_frames`)."""
        return self.container_format != "avi"  # has no presentation times


def _picture_stream(container: av.container.InputContainer) -> av.VideoStream:
    cover = av.stream.Disposition.attached_pic
    pictures = [s for s in container.streams.video if not s.disposition & cover]
    if pictures and container.format.name == OGG:
        raise MediaError(N_("The file is an Ogg video. Convert it to mp4."))
    streams = [s for s in pictures if s.codec_context is not None]
    if not streams:
        if pictures:
            raise PicturesNotReadError(
                N_(
                    "The file's pictures use an unknown codec, such as the raw format of a camera. "
                    "Export them as mp4 with a program that plays them, and keep the original."
                )
            )
        if container.streams.audio:
            raise SoundOnlyError(
                N_("The file holds sound but no picture, and this needs pictures. Submit a video or a photo.")
            )
        if not container.streams:  # not even a data stream: its table of contents is cut off
            raise MediaError(UNREADABLE)
        raise MediaError(N_("The file holds no picture. %(accepted)s") % {"accepted": ACCEPTED})
    # Examine what a player shows; other streams are only reported.
    return next((s for s in streams if s.disposition & av.stream.Disposition.default), streams[0])


def _seconds(stream: av.stream.Stream, ticks: int | None) -> float | None:
    return None if ticks is None or stream.time_base is None else float(ticks * stream.time_base)


def pixel_aspect(aspect: Fraction | None) -> Fraction:
    """Return the aspect ratio of a stored pixel; 1 if the file states none, or nonsense."""
    return aspect if aspect and Fraction(1, 4) <= aspect <= 4 else Fraction(1)


_MOST_THREADS = 64  # of a decoder
_MOST_HELD, _HELD_BYTES = 16, 64 * 1024 * 1024  # frames without a time that are held back


class FrameDecoder(PictureStream):
    """Decodes the pictures of a container from its current position, and counts in :attr:`tally`."""

    def __init__(self, container: av.container.InputContainer, bounds: InputLimits) -> None:
        super().__init__(container, bounds)
        self.tally = self._new_tally()
        self._keys = array("q")  # PTS of key frames
        self._aspects: list[tuple[int, Fraction]] = []  # PTS of key frames at which the pixel aspect changes
        self.clock_restarts = False
        """Whether the clock restarted somewhere; PTS are then known only when reading from the first byte."""
        self._begins: int | None = None  # PTS of the first frame if its packet has no time
        # The next two are set by the caller.
        self.whole_pictures: int | None = None
        """Number of frames before one that breaks off without the decoder noticing."""
        self.breaks_off = False
        """Whether the file breaks off although its container can be read to an end."""

    @property
    def duration(self) -> Fraction:
        """Time from the start of the first frame to the end of the last; 0 for a still."""
        tally = self.tally
        if self.kind is MediaKind.IMAGE or tally.first_pts is None or tally.end_pts is None:
            return Fraction(0)
        return (tally.end_pts - tally.first_pts) * self.time_base

    @property
    def start_offset(self) -> float | None:
        """Time of the first frame on the clock of a player, which starts with the earliest stream."""
        if self.kind is MediaKind.IMAGE or self.tally.first_pts is None:
            return None
        began = Fraction(self._container.start_time or 0, av.time_base)
        return float(max(Fraction(0), self.tally.first_pts * self.time_base - began))

    @property
    def variable_frame_rate(self) -> bool:
        """Whether the intervals between frames differ by more than the clock's rounding."""
        shortest, longest = self.tally.shortest, self.tally.longest
        if shortest is None or longest is None:
            return False
        # The clock of an AVI counts frames, so that nothing is rounded.
        return longest - shortest > (0 if self.container_format == "avi" else max(1, shortest // 50))

    def _new_tally(self) -> Tally:
        return Tally(damage=Damage(reference_reader(self.codec, self._stream.codec_context.extradata)))

    def _decoded(
        self, counting: bool = True, rate: Fraction | None = None
    ) -> Iterator[tuple[av.VideoFrame, int]]:
        """Yield intact frames in order of presentation with their PTS, and count the others.

        With a ``rate``, frames not needed to sample that many a second may be counted only.
        """
        tally = self.tally if counting else self._new_tally()
        needed = None
        if rate and self.codec == "h264" and self.container_format in PICTURE_PACKETS:
            length_size = length_size_of(self._stream.codec_context.extradata)
            if length_size is not None:
                needed = NeededPackets(rate, self.time_base, length_size, lambda: tally.first_pts)
        for frame, pts in self._with_times(tally, needed):
            if pts is None:
                pts = 0 if tally.last_pts is None else tally.last_pts + max(1, frame.duration or 1)
            self._count_passed_over(needed, pts, tally)
            # A repeated time, or a clock that runs backwards.
            if tally.last_pts is not None and pts <= tally.last_pts:
                tally.out_of_order += 1
                tally.packets.add_failure(pts, UnusedCode.FRAME_OUT_OF_ORDER)
                continue
            tally.add_frame(pts, int(frame.pict_type), frame.duration or 0)
            tally.damage.add_frame(pts, packet_key(frame))
            if counting and frame.key_frame:
                self._keys.append(pts)
                self._note_aspect(pts)
            self._bounds.refuse_length(float((pts - (tally.first_pts or 0)) * self.time_base))
            yield frame, pts
        self._count_passed_over(needed, math.inf, tally)
        tally.damage.finish(tally.end_pts)

    @staticmethod
    def _count_passed_over(needed: NeededPackets | None, before: float, tally: Tally) -> None:
        """Count the skipped frames that are shown before PTS ``before``."""
        for skipped in needed.passed_over(before) if needed else ():
            tally.add_frame(skipped.pts, skipped.kind, skipped.duration, decoded=False)
            tally.damage.add_frame(skipped.pts, skipped.pts)

    def _note_aspect(self, pts: int) -> None:
        """Record the pixel aspect that the codec states at a key frame."""
        if self.container_format not in RESTARTING_FORMATS:  # others state one aspect for all frames
            return
        aspect = pixel_aspect(self._stream.codec_context.sample_aspect_ratio)
        if aspect != (self._aspects[-1][1] if self._aspects else self.pixel_aspect):
            self._aspects.append((pts, aspect))

    def aspect_of(self, frame: av.VideoFrame) -> Fraction:
        """Return the pixel aspect ratio of a frame, which changes in broadcasts."""
        key = packet_key(frame)
        number = 0 if key is None else bisect_right(self._aspects, key, key=itemgetter(0))
        return self._aspects[number - 1][1] if number else self.pixel_aspect

    def _with_times(
        self, tally: Tally, needed: NeededPackets | None
    ) -> Iterator[tuple[av.VideoFrame, int | None]]:
        """Yield intact frames with their PTS, computed backwards for frames before the first that has one."""
        held: list[av.VideoFrame] = []
        begun = False
        for number, frame in enumerate(self._raw(tally, needed)):
            self._bounds.refuse_count(tally.frames + tally.undecodable + tally.out_of_order)
            if frame.is_corrupt or (self.whole_pictures is not None and number >= self.whole_pictures):
                tally.undecodable += 1
                tally.packets.add_failure(frame.pts, UnusedCode.FRAME_WITH_ERRORS)
                tally.damage.add_corrupt_frame(packet_key(frame))
                continue
            if frame.key_frame:
                tally.damage.add_key_frame(packet_key(frame))
            # AVI has no presentation times, and those that FFmpeg guesses for reordered frames are wrong.
            pts = frame.dts if self.container_format == "avi" or frame.pts is None else frame.pts
            if pts is None and not begun:
                pts = self._begins
            most = min(_MOST_HELD, _HELD_BYTES // max(1, 3 * frame.width * frame.height))
            if pts is None and not begun and len(held) < most:
                held.append(frame)
                continue
            begun = True
            step = frame.duration or self._step()
            for rank, early in enumerate(held):
                yield early, None if pts is None else pts - step * (len(held) - rank)
            held = []
            yield frame, pts
        yield from ((frame, None) for frame in held)

    def _raw(self, tally: Tally, needed: NeededPackets | None) -> Iterator[av.VideoFrame]:
        fed: deque[int | None] = deque(maxlen=_MOST_THREADS)
        last = LastPackets(self._stream.codec_context)
        packets = self._packets(tally)
        self._begins = None

        def begin(pts: int) -> None:
            self._begins = pts

        if self.container_format == MATROSKA:
            packets = read_ahead(packets, self._step(), begin)
        for packet in packets:
            tally.packets.add(packet, self.codec)
            tally.damage.add(packet)
            if self._is_cut_off(packet):
                self._refuse(packet_key(packet), UnusedCode.PACKET_IN_PART, tally)
                continue
            if needed is not None and (tally.undecodable or tally.out_of_order or tally.damage.is_met):
                needed.stop_skipping()
            yield from self._frames_of([packet] if needed is None else needed.offer(packet), tally, fed, last)
        if needed is not None:
            yield from self._frames_of(needed.flush(), tally, fed, last)
        if self.kind is MediaKind.VIDEO:
            yield from last.decode_remaining(lambda key: self._refuse(key, UnusedCode.PACKET_REFUSED, tally))

    def _step(self) -> int:
        """Return the average ticks from frame to frame."""
        rate = self._stream.average_rate
        return max(1, round(1 / rate / self.time_base)) if rate else 1

    def _packets(self, tally: Tally) -> Iterator[av.Packet]:
        """Yield the picture packets in file order; only the first of a photo, which is what viewers show."""
        # Other tracks are not decoded, but their ends tell whether the file ends early.
        others = [
            stream
            for stream in self._container.streams
            if stream.type in ("audio", "subtitle", "video") and stream is not self._stream
        ]
        packets = self._container.demux(self._stream, *(others if self.states_whole_duration else ()))
        clock = RestartedClock(self.time_base) if self.container_format in RESTARTING_FORMATS else None
        begun = False
        while True:
            try:
                packet = next(packets)
            except (StopIteration, IndexError):
                # PyAV raises IndexError at the end if streams began within a transport stream.
                if self.breaks_off:
                    self._break_off(tally)
                return
            except av.FFmpegError:
                self._break_off(tally)
                return
            tally.last_position = max(tally.last_position, packet.pos or 0)
            if packet.stream is self._stream:
                if self.kind is MediaKind.IMAGE and packet.size:
                    if begun:
                        continue
                    begun = True
                if not packet.size and packet.pts is not None:
                    tally.packets.not_coded += 1  # to a decoder it would mean the end
                    continue
                if clock is not None and clock.continue_times(packet):
                    self.clock_restarts = True
                    tally.packets.order_breaks += 1
                yield packet
            elif packet.pts is not None and packet.time_base is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                tally.others_end = max(tally.others_end, end)

    @staticmethod
    def _break_off(tally: Tally) -> None:
        """Record that the container ends within its contents."""
        tally.undecodable += 1
        tally.broke_off = True
        tally.packets.add_failure(tally.end_pts, UnusedCode.CONTAINER_BREAKS_OFF)

    def _frames_of(
        self, packets: Iterable[av.Packet], tally: Tally, fed: deque[int | None], last: LastPackets
    ) -> Iterator[av.VideoFrame]:
        """Decode ``packets``, after those whose keys are in ``fed``, and yield the frames."""
        for packet in packets:
            fed.append(packet_key(packet))
            last.add(packet)
            try:
                for frame in packet.decode():
                    last.note_decoded(frame)
                    yield frame
            except av.error.EOFError:
                return
            except MemoryError:  # FFmpeg's is also an FFmpegError, but the machine's fault, not the file's
                raise
            except av.FFmpegError:
                if not packet.size and last.is_pending:  # LastPackets decodes these again
                    continue
                refused = self._refused_of(fed) if packet.size else None
                last.add_refusal(refused)
                self._refuse(refused, UnusedCode.PACKET_REFUSED, tally)
                self._bounds.refuse_count(tally.frames + tally.undecodable)

    def _is_cut_off(self, packet: av.Packet) -> bool:
        """Return whether the file ends within this packet.

        A decoder with several threads would refuse it at the flush and lose the complete pictures that its
        threads still hold.
        """
        is_cut = bool(packet.size) and packet.is_corrupt
        return self.kind is MediaKind.VIDEO and self.container_format == MP4 and is_cut

    @staticmethod
    def _refuse(key: int | None, why: UnusedCode, tally: Tally) -> None:
        """Count a packet that yields no frame."""
        tally.undecodable += 1
        tally.packets.add_failure(key, why)
        tally.damage.add_refusal(key)

    def _refused_of(self, fed: deque[int | None]) -> int | None:
        """Return the key of the packet to which an error belongs; None if unknown.

        With frame threads, each thread has a packet and they answer in turn.
        """
        context = self._stream.codec_context
        capabilities = context.codec.capabilities
        if not capabilities & Capabilities.frame_threads:
            return None if capabilities & Capabilities.auto_threads else fed[-1]
        threads = max(1, context.thread_count)
        return fed[-threads] if threads <= len(fed) else None
