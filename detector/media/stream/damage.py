"""Find frames that depend on damaged or missing pictures, which decoders show without a warning."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import av
from av.codec.codec import Capabilities

from detector.media.stream.nal_units import ReferenceReader

_KNOWN = 256  # packets remembered; decoders hold fewer
# A picture may be shown before at most 16 decoded earlier (H.264 A.3.1), each at most two fields.
_REORDERED, _PLACES = 16, 32
_REFRESHES = 32  # remembered


@dataclass
class _Shown:
    """A frame shown before others on which it may depend."""

    pts: int
    place: int
    until: int  # PTS by which all of those have been shown
    spoilt: bool


class Damage:
    """Follows all packets in file order, their failures, and the frames in order of presentation.

    A ``key`` comes from :func:`packet_key`; a place is the number of a packet in the file. ``headers`` report
    missing pictures and those to which no other refers.
    """

    def __init__(self, headers: ReferenceReader | None = None) -> None:
        self.frames = 0
        """Number of frames that depend on damaged or missing pictures; complete after :meth:`finish`."""
        self.spoilt = False
        """Whether the frame shown last does, as far as is known."""
        self.recovers_after: int | None = None
        """Ticks after which frames count as intact again without a key frame; None for never."""
        self._headers = headers
        self._places: dict[int, int] = {}  # key -> place
        self._pts: dict[int, int] = {}  # place -> key
        self._harmless: set[int] = set()  # places of pictures to which no other refers
        self._next = 0
        self._latest = -1  # place of the frame shown last
        self._failed: list[int] = []  # sorted places after which nothing is intact
        # Intra refreshes: place of the first picture, PTS of the last.
        self._refreshed: deque[tuple[int, int]] = deque(maxlen=_REFRESHES)
        self._refresh: int | None = None  # place where the latest one began
        self._waiting: deque[_Shown] = deque()
        # Damaged spans: PTS of the first frame, and of the first frame after the span.
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._open: int | None = None  # PTS of the last frame of a span that still goes on

    @property
    def is_met(self) -> bool:
        """Whether anything failed or is missing since the last key frame."""
        return bool(self._failed)

    def add(self, packet: av.Packet) -> None:
        """Record the next packet of the file."""
        if not packet.size:
            return
        place, self._next = self._next, self._next + 1
        key = packet_key(packet)
        if key is not None:
            self._places[key], self._pts[place] = place, key
        old = place - _KNOWN
        self._harmless.discard(old)
        old_key = self._pts.pop(old, None)
        if old_key is not None and self._places.get(old_key) == old:
            del self._places[old_key]
        references = self._headers.read(memoryview(packet)) if self._headers else None
        if references is not None:
            if references.begins_refresh:
                self._refresh = place
            if references.ends_refresh and self._refresh is not None:
                self._refreshed.append((self._refresh, self._pts.get(place, 0)))
                self._refresh = None
            if not references.is_referenced:
                self._harmless.add(place)
            if references.follows_lost:
                self._fail(place - 1)
        # FFmpeg flags a packet if data was lost in it or after it, also where streams were joined.
        if packet.is_corrupt and not (self._headers and self._headers.detects_loss):
            self._fail_unless_harmless(place)

    def add_refusal(self, key: int | None) -> None:
        """Record that the decoder refused a packet; without a key, one after the frame shown last."""
        self._fail_unless_harmless(self._latest if key is None else self._place(key, self._next - 1))

    def add_corrupt_frame(self, key: int | None) -> None:
        """Record that a frame was decoded with errors."""
        place = self._place(key, self._next - 1)
        self._fail_unless_harmless(place)
        if place not in self._harmless:
            for shown in self._waiting:
                shown.spoilt = shown.spoilt or shown.place > place
        if key is not None:
            self._note_before(key)

    def add_key_frame(self, key: int | None) -> None:
        """Record a decoded key frame, which depends on no other."""
        self._forget_before(self._place(key, self._next - 1))

    def add_frame(self, pts: int, key: int | None) -> None:
        """Record the next frame in order of presentation, decoded or skipped, shown at ``pts``."""
        place = self._latest = self._place(key, self._next - 1)
        until, self.spoilt = pts, False
        if key is not None:
            later = [self._pts.get(number, key) for number in range(max(0, place - _PLACES), place)]
            until = pts + max(0, max(later, default=key) - key)
        if self._failed:
            if self.recovers_after is not None and self._open is not None:
                self._forget_before(self._next if pts - self._starts[-1] > self.recovers_after else 0)
            self.spoilt = self._is_spoilt(place, pts)
        self._waiting.append(_Shown(pts, place, until, self.spoilt))
        self._note_before(pts)

    def finish(self, end: int | None) -> None:
        """Record that no frame is left; the last one is shown until PTS ``end``."""
        while self._waiting:
            self._note(self._waiting.popleft())
        if self._open is not None and end is not None:
            self._ends[-1] = max(self._ends[-1], end)

    def is_known(self, pts: int) -> bool:
        """Return whether the result of :meth:`is_spoilt_at` for ``pts`` is final."""
        return not self._waiting or pts < self._waiting[0].pts

    def is_spoilt_at(self, pts: int) -> bool:
        """Return whether the frame at ``pts`` depends on damaged or missing pictures."""
        number = bisect_right(self._starts, pts) - 1
        return number >= 0 and pts < self._ends[number]

    def is_spoilt_between(self, first: int, last: int) -> bool:
        """Return whether any frame from PTS ``first`` to ``last`` does."""
        number = bisect_right(self._starts, last) - 1
        return number >= 0 and first < self._ends[number]

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield start and end PTS of each stretch of such frames."""
        return zip(self._starts, self._ends, strict=True)

    def _place(self, key: int | None, unknown: int) -> int:
        return unknown if key is None else self._places.get(key, unknown)

    def _fail_unless_harmless(self, place: int) -> None:
        if place not in self._harmless:
            self._fail(place)

    def _fail(self, place: int) -> None:
        number = bisect_left(self._failed, place)
        if self._failed[number : number + 1] != [place]:
            self._failed.insert(number, place)

    def _forget_before(self, place: int) -> None:
        del self._failed[: bisect_left(self._failed, place)]

    def _is_spoilt(self, place: int, pts: int) -> bool:
        """Return whether something failed before ``place`` and was not refreshed since."""
        number = bisect_left(self._failed, place)
        if not number:
            return False
        return not any(begun > self._failed[number - 1] and pts >= end for begun, end in self._refreshed)

    def _note_before(self, pts: int) -> None:
        """Settle frames whose state no later packet can change."""
        while self._waiting and (self._waiting[0].until <= pts or len(self._waiting) > _REORDERED):
            self._note(self._waiting.popleft())

    def _note(self, shown: _Shown) -> None:
        if not shown.spoilt:
            if self._open is not None:
                self._ends[-1], self._open = shown.pts, None
            return
        self.frames += 1
        if self._open is None:
            self._starts.append(shown.pts)
            self._ends.append(shown.pts + 1)
        self._open = shown.pts
        self._ends[-1] = shown.pts + 1


def packet_key(item: av.Packet | av.VideoFrame) -> int | None:
    """Return what links a frame to its packet: the PTS, or the DTS if there is none."""
    return item.dts if item.pts is None else item.pts


_REMEMBERED = 128  # refused packets
_MOST_BYTES = 32 * 1024 * 1024


class LastPackets:
    """Keeps the last packets of the decoder ``context``, to recover frames its threads lose at an error."""

    def __init__(self, context: av.VideoCodecContext) -> None:
        self._context = context
        self._has_threads = bool(context.codec.capabilities & Capabilities.frame_threads)
        self._groups: deque[list[av.Packet]] = deque()  # each begins with a key frame
        self._bytes = 0
        self._refused: deque[int] = deque(maxlen=_REMEMBERED)
        self._newest: int | None = None  # PTS of the frame shown last

    def add(self, packet: av.Packet) -> None:
        """Record the next packet; forget groups whose frames the decoder can no longer hold."""
        size = packet.size
        if not size or not self._has_threads:
            return
        if packet.is_keyframe:
            # Threads and reordering hold at most this many frames.
            held = self._context.thread_count + _REORDERED
            while len(self._groups) > 1 and sum(map(len, self._groups)) - len(self._groups[0]) >= held:
                self._forget_first()
            self._groups.append([])
        if self._groups:
            self._groups[-1].append(packet)
            self._bytes += size
            while self._bytes > _MOST_BYTES:
                self._forget_first()

    def note_decoded(self, frame: av.VideoFrame) -> None:
        """Record the next frame in order of presentation."""
        if frame.pts is not None:
            self._newest = frame.pts if self._newest is None else max(frame.pts, self._newest)

    def add_refusal(self, key: int | None) -> None:
        """Record that a packet yields no frame."""
        if key is not None:
            self._refused.append(key)

    @property
    def is_pending(self) -> bool:
        """Whether frames should have followed the last one that came."""
        context = self._context
        is_known = context.thread_count > 1 and context.skip_frame == "DEFAULT"
        return is_known and any(map(self._is_left, self._packets()))

    def decode_remaining(self, refuse: Callable[[int | None], None]) -> Iterator[av.VideoFrame]:
        """Decode the frames after the last one that came again, with one thread.

        ``refuse`` is called with the key of each packet that the decoder refuses.
        """
        if not self.is_pending:
            return
        given = self._context
        context = av.CodecContext.create(given.codec.name, "r")
        context.extradata, context.codec_tag = given.extradata, given.codec_tag
        context.width, context.height = given.width, given.height
        if given.pix_fmt:
            context.pix_fmt = given.pix_fmt
        context.options = dict(given.options)
        context.thread_count = 1
        packets = list(self._packets())
        for place, packet in enumerate((*packets, None)):
            try:
                frames = context.decode(packet)
            except MemoryError:  # see FrameDecoder
                raise
            except av.FFmpegError:
                # Damage may have removed a packet's times; use those of the next one.
                timed = next((later for later in packets[place:] if packet_key(later) is not None), None)
                if packet is not None and timed is not None and self._is_left(timed):
                    refuse(packet_key(packet))
                continue
            for frame in frames:
                if frame.pts is not None and (self._newest is None or frame.pts > self._newest):
                    self.note_decoded(frame)
                    yield frame

    def _is_left(self, packet: av.Packet) -> bool:
        """Return whether the packet's frame should be shown after the last one that came."""
        shown = packet.pts is not None and not packet.is_discard
        if not shown or packet_key(packet) in self._refused:
            return False
        return self._newest is None or packet.pts > self._newest

    def _packets(self) -> Iterator[av.Packet]:
        return chain.from_iterable(self._groups)

    def _forget_first(self) -> None:
        self._bytes -= sum(packet.size for packet in self._groups.popleft())
