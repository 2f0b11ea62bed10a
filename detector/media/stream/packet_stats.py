"""Statistics of packets and decoded frames, gathered in bounded memory."""

from __future__ import annotations

import hashlib
import heapq
import re
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import av

from detector.media.stream.damage import Damage
from detector.media.stream.nal_units import sequence_headers
from detector.schema.causes.anomalies import UnusedCode
from detector.schema.metadata import (
    DamagedStretch,
    Encoding,
    Failure,
    Gap,
    Groups,
    Repeats,
    Timing,
    clean_text,
)

MOST_FAILURES = 100  # recorded
_MOST_GAPS = 16
_MOST_EARLY = 1 << 16
_MOST_LENGTHS = 16
_MOST_KINDS = 64  # different headers remembered
_HEAD = 4096  # bytes of a key frame searched for headers
_TEXT = re.compile(rb"(?:x264 - core|x265 \(build)[ -~]{0,2000}")
_LONGEST_TEXT = 1200
# A gap is reported if it is longer than this many usual intervals and this many seconds.
_GAP_FACTOR = 3
_LEAST_GAP = 0.2
_I, _P, _B = 1, 2, 3  # FFmpeg's AVPictureType


_VOP = b"\0\0\1\xb6"  # ISO/IEC 14496-2, 6.2.5
_NOT_CODED = 4  # bytes that a picture takes at most which is not coded; others state each macroblock
_PREDICTED = 1  # vop_coding_type


def coded_pictures(packet: av.Packet, codec: str) -> int:
    """Return the number of pictures to be shown that a packet holds, as far as its codec is known here.

    MPEG-4 repeats a picture by one that is not coded, and puts two pictures into one packet if an AVI has
    B-frames; VP8 has pictures that only others refer to (RFC 6386, 9.1).
    """
    if codec == "vp8":
        return bytes(memoryview(packet)[:1])[0] >> 4 & 1
    if codec != "mpeg4":
        return 1
    _, *pictures = bytes(packet).split(_VOP)
    repeated = sum(0 < len(data) <= _NOT_CODED and data[0] >> 6 == _PREDICTED for data in pictures)
    return len(pictures) - repeated if pictures else 1


class PacketStats:
    """Statistics of picture packets; the decoder adds each packet, :class:`Tally` each frame."""

    def __init__(self) -> None:
        self.count = self.bytes = self.keys = self.leading = 0
        self.order_breaks = self.without_time = self.not_shown = 0
        self.not_coded = 0
        """Packets that promise no picture: without bytes, or that repeat the picture before."""
        self.end: int | None = None  # of the last picture to be shown, in ticks
        self.reach = 0  # like `end`, but also of pictures that are not shown or cut off
        self.end_in_file = 0  # bytes from the start of the file to the end of the last packet, if known
        self.begins_with_key: bool | None = None
        self._early = array("q")  # PTS of packets read before the first frame came
        self._begun = False
        self.kinds: Counter[int] = Counter()
        self.intervals: Counter[int] = Counter()
        self._failures: list[tuple[int | None, UnusedCode]] = []
        self._gaps: list[tuple[int, int]] = []
        self._lengths: Counter[int] = Counter()
        self._since_key: int | None = None
        self._key_pts: int | None = None
        self._group_leads = False
        self._last_dts: int | None = None
        self._texts: dict[str, None] = {}
        self._sets: set[bytes] = set()
        self._headers: set[bytes] = set()

    def add(self, packet: av.Packet, codec: str) -> None:
        """Add a picture packet, in file order."""
        size = packet.size
        if not size:  # the flush at the end
            return
        self.count += 1
        self.bytes += size
        self.not_coded += 1 - coded_pictures(packet, codec)
        self.end_in_file = max(self.end_in_file, (packet.pos or 0) + size)
        pts, dts = packet.pts, packet.dts
        if pts is None:
            self.without_time += 1
        else:
            end = pts + (packet.duration or 0)
            self.reach = max(self.reach, end)
            if not packet.is_discard and not packet.is_corrupt:  # cut by the end of the file
                self.end = end if self.end is None else max(self.end, end)
        if packet.is_discard:
            self.not_shown += 1
        else:
            if self.begins_with_key is None:
                self.begins_with_key = bool(packet.is_keyframe)
            if not self._begun and pts is not None and len(self._early) < _MOST_EARLY:
                self._early.append(pts)
        if dts is not None:
            if self._last_dts is not None and dts <= self._last_dts:
                self.order_breaks += 1
            self._last_dts = dts
        if packet.has_sidedata("new_extradata") and len(self._headers) < _MOST_KINDS:
            self._headers.add(hashlib.sha256(bytes(packet.get_sidedata("new_extradata"))).digest())
        if packet.is_keyframe:
            self._key(packet, codec)
        else:
            if self._since_key is not None:
                self._since_key += 1
            if (
                not self._group_leads
                and pts is not None
                and self._key_pts is not None
                and pts < self._key_pts
            ):
                self._group_leads = True
                self.leading += 1

    def count_before(self, first: int) -> tuple[int, int]:
        """Return number and duration of the pictures that should precede the first frame, at ``first``."""
        early = [pts for pts in self._early if pts < first]
        return len(early), first - min(early, default=first)

    def _key(self, packet: av.Packet, codec: str) -> None:
        self.keys += 1
        if self._since_key is not None and len(self._lengths) < 4096:
            self._lengths[self._since_key] += 1
        self._since_key, self._key_pts, self._group_leads = 1, packet.pts, False
        head = bytes(memoryview(packet)[:_HEAD])
        if len(self._texts) < 8 and (match := _TEXT.search(head)):
            self._texts.setdefault(clean_text(match[0], _LONGEST_TEXT))
        if codec in {"h264", "hevc"} and len(self._sets) < _MOST_KINDS:
            self._sets.update(hashlib.sha256(unit).digest() for unit in sequence_headers(head, codec))

    def add_frame(self, kind: int, pts: int, gap: int | None) -> None:
        """Add a frame, decoded or not: FFmpeg's number of its kind, and ticks since the previous one."""
        self._begun = True
        self.kinds[kind] += 1
        if gap is None:
            return
        if gap in self.intervals or len(self.intervals) < 4096:
            self.intervals[gap] += 1
        if len(self._gaps) < _MOST_GAPS:
            heapq.heappush(self._gaps, (gap, pts - gap))
        elif gap > self._gaps[0][0]:
            heapq.heapreplace(self._gaps, (gap, pts - gap))

    def add_failure(self, pts: int | None, why: UnusedCode) -> None:
        """Record a packet or frame that could not be used."""
        if len(self._failures) < MOST_FAILURES:
            self._failures.append((pts, why))

    def groups(self) -> Groups:
        """Return statistics of the groups of pictures, without the last one, which the file's end cuts."""
        lengths = self._lengths
        return Groups(
            packets=self.count,
            key_frames=self.keys,
            begins_with_key=self.begins_with_key,
            shortest=min(lengths, default=None),
            longest=max(lengths, default=None),
            median=_median(lengths),
            lengths=tuple(
                Repeats(frames=frames, times=times) for frames, times in lengths.most_common(_MOST_LENGTHS)
            ),
            with_leading_frames=self.leading,
            i_frames=self.kinds[_I],
            p_frames=self.kinds[_P],
            b_frames=self.kinds[_B],
            other_frames=self.kinds.total() - sum(self.kinds[kind] for kind in (_I, _P, _B)),
        )

    def timing(
        self, first_pts: int | None, time_base: Fraction, damaged: Iterable[tuple[int, int]] = ()
    ) -> Timing:
        """Return intervals, gaps and failures in seconds from the first frame.

        ``damaged`` are the start and end PTS of stretches that depend on damaged pictures.
        """
        first = first_pts or 0

        def seconds(ticks: float | None) -> float | None:
            return None if ticks is None else float(Fraction(ticks) * time_base)

        def place(pts: int) -> float:
            return float((pts - first) * time_base)

        median = _median(self.intervals)
        least = max(_GAP_FACTOR * (median or 0), _LEAST_GAP / float(time_base))
        return Timing(
            least_interval=seconds(min(self.intervals, default=None)),
            greatest_interval=seconds(max(self.intervals, default=None)),
            median_interval=seconds(median),
            gaps=tuple(
                Gap(start=place(at), length=float(gap * time_base))
                for gap, at in sorted(self._gaps, key=lambda item: item[1])
                if gap > least
            ),
            decoding_order_breaks=self.order_breaks,
            packets_without_time=self.without_time,
            packets_not_shown=self.not_shown,
            failures=tuple(
                Failure(time=None if at is None else max(0.0, place(at)), cause=why.cause())
                for at, why in self._failures
            ),
            from_damaged=tuple(
                DamagedStretch(start=place(start), length=float((end - start) * time_base))
                for start, end in damaged
            ),
        )

    def encoding(self) -> Encoding:
        """Return what encoders left in the packets."""
        return Encoding(texts=tuple(self._texts), parameter_sets=len(self._sets), headers=len(self._headers))


def _median(counts: Counter[int]) -> float | None:
    total = counts.total()
    if not total:
        return None
    middle, passed, values = [(total - 1) // 2, total // 2], 0, []
    for value in sorted(counts):
        passed += counts[value]
        while middle and middle[0] < passed:
            values.append(value)
            middle.pop(0)
    return sum(values) / 2


@dataclass
class Tally:
    """Counts of decoded frames and failures; complete once the frames have been read to the end."""

    decoded: int = 0
    passed_over: int = 0  # presumably intact, but not decoded because no other frame needs them
    undecodable: int = 0
    out_of_order: int = 0  # intact, but not later than the frame before
    not_sampled: int = 0  # sampling intervals whose frames all depend on damaged or missing pictures
    first_pts: int | None = None
    last_pts: int | None = None
    before_last: int | None = None  # PTS of the frame before the last
    end_pts: int | None = None
    shortest: int | None = None  # interval; published intervals come from `PacketStats.timing`
    longest: int | None = None
    broke_off: bool = False  # the container could not be read to its end
    last_position: int = 0  # byte offset of the last packet of any track, as far as known
    others_end: float = 0.0  # end of the other tracks, seconds on the container's clock
    packets: PacketStats = field(default_factory=PacketStats)
    damage: Damage = field(default_factory=Damage)

    @property
    def frames(self) -> int:
        """Frames that can be shown, decoded or not."""
        return self.decoded + self.passed_over

    def add_frame(self, pts: int, kind: int, duration: int, decoded: bool = True) -> None:
        """Record the next frame in order of presentation, with FFmpeg's number of its kind."""
        self.decoded += decoded
        self.passed_over += not decoded
        last = self.last_pts
        if last is not None and pts <= last:  # a skipped frame, which is reported late
            self.packets.add_frame(kind, pts, None)
            return
        self.packets.add_frame(kind, pts, None if last is None else pts - last)
        if last is None:
            self.first_pts = pts
        else:
            self.shortest = min(pts - last, self.shortest or pts - last)
            self.longest = max(pts - last, self.longest or pts - last)
        self.before_last = last
        self.end_pts = pts + (duration or (self.shortest or 0))
        self.last_pts = pts
