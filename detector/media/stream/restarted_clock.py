"""MPEG streams joined byte by byte, whose clock begins anew at each joint: it is carried on.

Packets tell: their decoding times only grow, however far pictures are reordered.
"""

from __future__ import annotations

from fractions import Fraction

import av

FORMATS = frozenset({"mpegts", "mpeg"})
_BACK = Fraction(1, 2)  # seconds


class RestartedClock:
    """Give it the packets of the pictures in the order of the file, from its first byte on."""

    def __init__(self, time_base: Fraction) -> None:
        self._back = int(_BACK / time_base)
        self._offset = self._before = 0
        self._last: int | None = None  # the decoding time read last
        self._kept: int | None = None  # the one before the clock went back, where one packet may have erred
        self._end: int | None = None  # of all that was shown, on the clock carried on

    def carry_on(self, packet: av.Packet) -> bool:
        """Set the packet's times on the clock carried on; True where it began anew."""
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
