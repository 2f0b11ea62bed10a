"""What decoding met: how many frames, when the first and the last are shown, how many are broken."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.media.stream.damage import Damage
from detector.media.stream.packet_stats import PacketStats


@dataclass
class Tally:
    """What decoding met; complete once the frames have been read to the end."""

    decoded: int = 0
    passed_over: int = 0  # intact as far as known, and not decoded: no other frame needs them
    undecodable: int = 0
    out_of_order: int = 0  # intact, with a time that is not after that of the frame before
    not_sampled: int = 0  # intervals of sampling whose frames all rest on damaged or missing pictures
    first_pts: int | None = None
    last_pts: int | None = None
    before_last: int | None = None  # PTS of the frame shown before that
    end_pts: int | None = None
    shortest: int | None = None  # interval; figures of intervals that are published: `PacketStats.timing`
    longest: int | None = None
    broke_off: bool = False  # the container could not be read to its end
    others_end: float = 0.0  # of other tracks, seconds on the container's own clock
    packets: PacketStats = field(default_factory=PacketStats)
    damage: Damage = field(default_factory=Damage)  # and which frames rest on it, of those that can be shown

    @property
    def frames(self) -> int:
        """Frames that can be shown, decoded or not."""
        return self.decoded + self.passed_over

    def shown(self, pts: int, kind: int, duration: int, decoded: bool = True) -> None:
        """The next frame in order of presentation, and FFmpeg's number of its kind."""
        self.decoded += decoded
        self.passed_over += not decoded
        last = self.last_pts
        if last is not None and pts <= last:  # of a frame not decoded, of which one learns late
            self.packets.shown(kind, pts, None)
            return
        self.packets.shown(kind, pts, None if last is None else pts - last)
        if last is None:
            self.first_pts = pts
        else:
            self.shortest = min(pts - last, self.shortest or pts - last)
            self.longest = max(pts - last, self.longest or pts - last)
        self.before_last = last
        self.end_pts = pts + (duration or (self.shortest or 0))
        self.last_pts = pts
