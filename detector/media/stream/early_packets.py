"""Matroska's packets from before time 0, to which FFmpeg gives no times.

A block states its time relative to its cluster's, up to 32.8 s earlier, so the first ones may lie before 0.
Players that show them do so at the usual distance; so they are counted back from the first one with a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import av

_TIMED = 32  # packets with times after which no other without one is to come: frames are reordered
_MOST, _MOST_BYTES = 4096, 64 * 1024 * 1024  # read ahead at most


def read_ahead(packets: Iterator[av.Packet], step: int, begin: Callable[[int], None]) -> Iterator[av.Packet]:
    """The same ``packets``; if the first has no time, ``begin`` is told the PTS of the first frame before it.

    ``step`` is the usual distance of frames in ticks, for packets that state no length.
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
        if not early or timed == _TIMED or not packet.size:
            break
        if len(ahead) > _MOST or size > _MOST_BYTES:
            early = 0
            break
    known = min((packet.pts for packet in ahead if packet.pts is not None), default=None)
    if early and known is not None:
        begin(known - early * (ahead[0].duration or step))
    yield from ahead
    yield from packets
