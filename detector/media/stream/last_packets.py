"""The last packets of a video, by which frames are had that a decoder's threads still held at an error.

At its end a decoder gives what its threads hold. PyAV ends that at the first packet that is refused: how many
whole frames behind it are lost would depend on the number of threads, so on the machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

import av
from av.codec.codec import Capabilities

from detector.media.stream.damage import key_of

_REORDERED = 16  # frames that wait for others to be shown before them (H.264 A.3.1)
_REMEMBERED = 128  # refused packets
_MOST_BYTES = 32 * 1024 * 1024


class LastPackets:
    """Give it each packet that goes to the decoder ``context``, and each frame that comes."""

    def __init__(self, context: av.VideoCodecContext) -> None:
        self._context = context
        self._has_threads = bool(context.codec.capabilities & Capabilities.frame_threads)
        self._groups: deque[list[av.Packet]] = deque()  # each from a key frame on
        self._bytes = 0
        self._refused: deque[int] = deque(maxlen=_REMEMBERED)
        self._newest: int | None = None  # PTS of the frame shown last

    def add(self, packet: av.Packet) -> None:
        """The next packet; those before the key frame on which the frames still held rest are forgotten."""
        size = packet.size
        if not size or not self._has_threads:
            return
        if packet.is_keyframe:
            self._begin_group()
        if self._groups:
            self._groups[-1].append(packet)
            self._bytes += size
            while self._bytes > _MOST_BYTES:
                self._forget_first()

    def came(self, frame: av.VideoFrame) -> None:
        """The next frame in order of presentation."""
        if frame.pts is not None:
            self._newest = frame.pts if self._newest is None else max(frame.pts, self._newest)

    def refused(self, key: int | None) -> None:
        """No frame comes of a packet."""
        if key is not None:
            self._refused.append(key)

    @property
    def are_left(self) -> bool:
        """Whether frames were to come behind the last one that came."""
        context = self._context
        told = context.thread_count > 1 and context.skip_frame == "DEFAULT"
        return told and any(map(self._is_left, self._packets()))

    def left(self, refuse: Callable[[int | None], None]) -> Iterator[av.VideoFrame]:
        """The frames behind the last one that came, decoded anew by one thread.

        ``refuse`` is told the key of each of their packets that the decoder refuses.
        """
        if not self.are_left:
            return
        context = self._single()
        packets = list(self._packets())
        for place, packet in enumerate((*packets, None)):
            try:
                frames = context.decode(packet)
            except MemoryError:  # see FrameDecoder
                raise
            except av.FFmpegError:
                # Damage may take a packet's times with it: then the next one's speak for it.
                timed = next((each for each in packets[place:] if key_of(each) is not None), None)
                if packet is not None and timed is not None and self._is_left(timed):
                    refuse(key_of(packet))
                continue
            for frame in frames:
                if frame.pts is not None and (self._newest is None or frame.pts > self._newest):
                    self.came(frame)
                    yield frame

    def _is_left(self, packet: av.Packet) -> bool:
        """Whether it is to be shown after the last frame that came."""
        shown = packet.pts is not None and not packet.is_discard
        if not shown or key_of(packet) in self._refused:
            return False
        return self._newest is None or packet.pts > self._newest

    def _packets(self) -> Iterator[av.Packet]:
        return chain.from_iterable(self._groups)

    def _single(self) -> av.VideoCodecContext:
        given = self._context
        context = av.CodecContext.create(given.codec.name, "r")
        context.extradata, context.codec_tag = given.extradata, given.codec_tag
        context.width, context.height = given.width, given.height
        if given.pix_fmt:
            context.pix_fmt = given.pix_fmt
        context.options = dict(given.options)
        context.thread_count = 1
        return context

    def _begin_group(self) -> None:
        """Once it holds the frames that threads may hold, what lies before it is forgotten."""
        held = self._context.thread_count + _REORDERED
        while len(self._groups) > 1 and sum(map(len, self._groups)) - len(self._groups[0]) >= held:
            self._forget_first()
        self._groups.append([])

    def _forget_first(self) -> None:
        self._bytes -= sum(packet.size for packet in self._groups.popleft())
