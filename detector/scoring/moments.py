"""Moments of each track kept during the first pass, for the second look: no frame is decoded twice.

How long a track will be is not known while it lasts. Every so-manieth usable face is kept; where too many are
kept, every other one is dropped and from then on half as many are taken. So they always lie evenly. Where all
tracks together hold much, the oldest moments are packed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face, roll
from detector.faces.patch import FacePatch, PackedPatch, cut_patch, cut_photo_patch
from detector.media.frame import Frame

MOST_BYTES = 48 * 1024 * 1024  # of all patches together


@dataclass(eq=False, slots=True)
class KeptMoment:
    """One face in one frame, with the pixels around it."""

    track: int
    time: float
    pts: int
    pixels: FacePatch | PackedPatch
    lean: float

    @property
    def patch(self) -> FacePatch:
        """The pixels around the face, which stay unpacked once they have been asked for."""
        if isinstance(self.pixels, PackedPatch):
            self.pixels = self.pixels.unpacked()
        return self.pixels

    def pack(self) -> None:
        """Take less memory until the patch is asked for."""
        if isinstance(self.pixels, FacePatch):
            self.pixels = PackedPatch.of(self.pixels)

    @property
    def is_packed(self) -> bool:
        """Whether the pixels are packed now."""
        return isinstance(self.pixels, PackedPatch)

    @property
    def bytes_held(self) -> int:
        """What the pixels take."""
        return self.pixels.bytes_held


@dataclass
class _OfTrack:
    offered: int = 0
    stride: int = 1
    kept: list[KeptMoment] = field(default_factory=list)


class MomentKeeper:
    """Offer it every usable face; it keeps between ``most`` and twice as many a track, evenly spread.

    Fewer where all together would fill the memory. ``still`` says that they are of a photograph.
    """

    def __init__(self, most: int, most_bytes: int = MOST_BYTES, still: bool = False) -> None:
        self._cut = cut_photo_patch if still else cut_patch
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._tracks: dict[int, _OfTrack] = {}

    def offer(self, frame: Frame, track: int, face: Face) -> None:
        """A usable ``face`` of ``track`` in ``frame``, later than those before."""
        of_track = self._tracks.setdefault(track, _OfTrack())
        wanted = of_track.offered % of_track.stride == 0
        of_track.offered += 1
        if not wanted:
            return
        moment = KeptMoment(track, float(frame.time), frame.pts, self._cut(frame.image, face.box), roll(face))
        of_track.kept.append(moment)
        self._bytes += moment.bytes_held
        if len(of_track.kept) >= 2 * self._most:
            self._thin(of_track)
        self._pack(track)
        while self._bytes > self._most_bytes:
            largest = max(self._tracks.values(), key=lambda each: len(each.kept))
            if len(largest.kept) == 1:
                self._bytes -= of_track.kept.pop().bytes_held
                return
            self._thin(largest)

    def _pack(self, current: int) -> None:
        """Pack the oldest where all together hold much; not of the ``current`` track, which may drop them."""
        while self._bytes > self._most_bytes // 2:
            others = (each.kept for track, each in self._tracks.items() if track != current)
            oldest = next((moment for kept in others for moment in kept if not moment.is_packed), None)
            if oldest is None:
                return
            self._bytes -= oldest.bytes_held
            oldest.pack()
            self._bytes += oldest.bytes_held

    def _thin(self, of_track: _OfTrack) -> None:
        self._bytes -= sum(moment.bytes_held for moment in of_track.kept[1::2])
        of_track.kept = of_track.kept[::2]
        of_track.stride *= 2

    def of(self, tracks: Iterable[int]) -> list[KeptMoment]:
        """All that is kept of these tracks, in order of time."""
        kept = [moment for track in tracks if track in self._tracks for moment in self._tracks[track].kept]
        return sorted(kept, key=lambda moment: moment.time)


def spread(moments: list[KeptMoment], times: NDArray[np.float64], count: int) -> list[KeptMoment]:
    """At most ``count`` of ``moments``, spread over ``times`` (n,), those of all usable faces, in order."""
    if not moments or not count:
        return []
    places = ((np.arange(count) + 0.5) * len(times) / count).astype(int)
    kept = np.array([moment.time for moment in moments])
    nearest = {int(np.abs(kept - times[place]).argmin()) for place in places}
    return [moments[number] for number in sorted(nearest)]


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` places of ``count``, evenly spread."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, most)).round()})
