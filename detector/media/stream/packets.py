"""Packets on their way to the decoder: untimed ones of Matroska, restarted MPEG clocks, pictures to skip."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import av

from detector.media.acceptance import MATROSKA, MP4
from detector.media.stream.nal_units import unreferenced_kind

_TIMED_PACKETS = 32  # packets with times after which none without is expected, because frames are reordered
_MOST, _MOST_BYTES = 4096, 64 * 1024 * 1024  # read ahead at most


def read_ahead(packets: Iterator[av.Packet], step: int, begin: Callable[[int], None]) -> Iterator[av.Packet]:
    """Yield ``packets`` unchanged; if the first has no time, call ``begin`` with the computed PTS before it.

    FFmpeg gives no times to Matroska packets from before time 0. ``step`` is the usual distance of frames in
    ticks, for packets that state no duration.
    """
    ahead: list[av.Packet] = []
    timed = size = early = 0
    for packet in packets:
        ahead.append(packet)
        size += packet.size
        if packet.pts is None and packet.size:
            early, timed = early + 1, 0
        else:
            timed += 1
        if not early or timed == _TIMED_PACKETS or not packet.size:
            break
        if len(ahead) > _MOST or size > _MOST_BYTES:
            early = 0
            break
    known = min((packet.pts for packet in ahead if packet.pts is not None), default=None)
    if early and known is not None:
        begin(known - early * (ahead[0].duration or step))
    yield from ahead
    yield from packets


RESTARTING_FORMATS = frozenset({"mpegts", "mpeg"})
_LEAST_STEP_BACK = Fraction(1, 2)  # seconds


class RestartedClock:
    """Continues the clock of MPEG streams joined byte by byte, whose clock restarts at each joint.

    Takes the packets of the pictures in file order, from the first byte on.
    """

    def __init__(self, time_base: Fraction) -> None:
        self._back = int(_LEAST_STEP_BACK / time_base)
        self._offset = self._before = 0
        self._last: int | None = None  # the last decoding time
        self._kept: int | None = None  # the one before the clock went back, as a single time may be wrong
        self._end: int | None = None  # of everything shown, on the continued clock

    @property
    def ahead(self) -> int:
        """By how many ticks the continued clock is ahead of the file's."""
        return self._offset

    def continue_times(self, packet: av.Packet) -> bool:
        """Move the packet's times to the continued clock; return whether the clock restarted."""
        pts, dts = packet.pts, packet.dts
        began = False
        if dts is not None:
            if self._kept is not None and 0 < dts - self._kept < self._back:  # a single wrong time
                self._offset = self._before
            self._kept = None
            if self._last is not None and self._end is not None and dts < self._last - self._back:
                began = True
                self._kept, self._before = self._last, self._offset
                self._offset = self._end - (dts if pts is None else min(pts, dts))
            self._last = dts
            packet.dts = dts + self._offset
        if pts is not None:
            packet.pts = pts + self._offset
            end = pts + self._offset + max(1, packet.duration or 0)
            self._end = end if self._end is None else max(self._end, end)
        return began


# A picture may be shown at most 16 pictures later than it is decoded (H.264 A.3.1), each at most two fields.
_HELD = 32
PICTURE_PACKETS = frozenset({MP4, MATROSKA})
"""Containers in which a packet is a whole picture."""


class SkippedPicture(NamedTuple):
    pts: int
    kind: int
    duration: int


@dataclass
class _Held:
    packet: av.Packet
    kind: int | None  # None unless no other picture refers to it
    passed_over: bool = False


class NeededPackets:
    """Takes packets in file order and returns those that must be decoded, in the same order.

    It skips pictures to which no other refers and that are neither the first of their interval of
    1 / ``rate`` seconds nor shown for longer. :meth:`passed_over` reports them once later pictures have been
    decoded. ``length_size`` comes from :func:`~detector.media.stream.nal_units.length_size_of`; ``origin``
    returns the PTS of the first picture shown, None while unknown.
    """

    def __init__(
        self, rate: Fraction, time_base: Fraction, length_size: int, origin: Callable[[], int | None]
    ) -> None:
        self._intervals_a_tick = rate * time_base
        self._length_size = length_size
        self._origin = origin
        self._window: deque[_Held] = deque()
        # The PTS of the first and last picture of each interval, of those read so far.
        self._ends: dict[int, tuple[int, int]] = {}
        self._over: list[SkippedPicture] = []  # a heap
        self._trusted = True

    def offer(self, packet: av.Packet) -> list[av.Packet]:
        """Add a packet; return those to be decoded now."""
        kind = None
        if packet.pts is None:
            self._trusted = self._trusted and not packet.size  # perhaps a separate field
        elif not packet.is_discard and not packet.is_keyframe and not packet.is_corrupt:
            kind = unreferenced_kind(memoryview(packet), self._length_size)
        self._window.append(_Held(packet, kind))
        if self._origin() is not None:
            # Once the first picture shown becomes known, all that are held.
            for held in [self._window[-1]] if self._ends else self._window:
                pts = held.packet.pts
                if pts is not None and not held.packet.is_discard:
                    first, last = self._ends.get(self._interval(pts), (pts, pts))
                    self._ends[self._interval(pts)] = min(pts, first), max(pts, last)
        if not packet.size:  # the flush at the end
            return self.flush()
        return self._take() if len(self._window) > _HELD else []

    def flush(self) -> list[av.Packet]:
        """Return the packets to be decoded of those still held back, at the end of the file."""
        ready = []
        while self._window:
            ready += self._take()
        return ready

    def stop_skipping(self) -> None:
        """Skip no more pictures, because the file turned out to be damaged."""
        self._trusted = False

    def passed_over(self, before: float) -> Iterator[SkippedPicture]:
        """Yield the skipped pictures that are shown before PTS ``before``, in order."""
        for held in self._window:
            if held.packet.pts is not None and held.packet.pts < before:
                self._decide(held)
        while self._over and self._over[0].pts < before:
            yield heapq.heappop(self._over)

    def _take(self) -> list[av.Packet]:
        held = self._window.popleft()
        self._decide(held)
        return [] if held.passed_over else [held.packet]

    def _decide(self, held: _Held) -> None:
        pts = held.packet.pts
        if held.passed_over or held.kind is None or pts is None or not self._trusted or not self._ends:
            return
        duration = held.packet.duration or 0
        if self._is_sampled(pts, duration):
            return
        held.passed_over = True
        heapq.heappush(self._over, SkippedPicture(pts, held.kind, duration))
        oldest = self._interval(pts) - 2 * _HELD
        self._ends = {interval: ends for interval, ends in self._ends.items() if interval >= oldest}

    def _is_sampled(self, pts: int, duration: int) -> bool:
        """Return whether the picture at ``pts`` is the first of its interval or shown for longer than one."""
        interval = self._interval(pts)
        first, last = self._ends.get(interval, (pts, pts))
        if pts == first or pts != last:
            return pts == first
        following = min((other for other in self._ends if other > interval), default=None)
        shown = duration if following is None else self._ends[following][0] - pts
        return shown * self._intervals_a_tick > 1

    def _interval(self, pts: int) -> int:
        return math.floor((pts - (self._origin() or 0)) * self._intervals_a_tick)
