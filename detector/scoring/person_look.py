"""What the second look found of one person, at moments and in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detector.scoring.contrast import Raised, raised
from detector.scoring.fusion import Floats, Fusion
from detector.scoring.moments import KeptMoment


@dataclass(frozen=True)
class PersonLook:
    """What the second look found of one person: logits ``strong`` (m, 4) at ``times`` of ``track`` (m,)."""

    tracks: tuple[int, ...]
    moments: tuple[KeptMoment, ...]
    track: NDArray[np.int32]
    times: Floats
    strong: Floats
    scan_level: float  # mean logit of the fast network
    stability: float | None = None
    raised: tuple[Raised, ...] = ()

    @classmethod
    def of(
        cls, group: Sequence[int], moments: Sequence[KeptMoment], strong: Floats, scan_level: float
    ) -> Self:
        """Of the person of the tracks ``group``, from logits ``strong`` (m, 4) of ``moments`` in order."""
        track = np.array([moment.track for moment in moments], np.int32)
        times = np.array([moment.time for moment in moments])
        return cls(tuple(group), tuple(moments), track, times, strong, scan_level)

    def strong_at(self, track: NDArray[np.int32], times: Floats) -> Floats:
        """Logits (n, 4) at ``times`` of ``track``: interpolated; their mean in a track without a moment."""
        out: Floats = np.tile(self.strong.mean(axis=0), (len(times), 1))
        for number in np.unique(self.track):
            asked, own = track == number, self.track == number
            for column, known in zip(out.T, self.strong[own].T, strict=True):
                column[asked] = np.interp(times[asked], self.times[own], known)
        return out

    def levelled(self, fast: Floats, within: float) -> Floats:
        """The scan's logits (n,), each the share ``within`` of the way from the person's mean."""
        return self.scan_level + within * (fast - self.scan_level)

    def altered(
        self, fusion: Fusion, track: NDArray[np.int32], times: Floats, fast: Floats
    ) -> Iterator[tuple[int, Floats, Floats]]:
        """Each track with its times (n,) and the altered half's logits (n,); ``fast`` are the scan's."""
        logits = fusion.altered.logit(np.column_stack([fast, self.strong_at(track, times)]))
        for number in np.unique(track).tolist():
            yield number, times[track == number], logits[track == number]

    def outlying(
        self, fusion: Fusion, track: NDArray[np.int32], times: Floats, fast: Floats
    ) -> tuple[Raised, ...]:
        """Where its tracks are raised; ``fast`` are the scan's logits (n,) at ``times`` of ``track``."""
        return tuple(
            one
            for number, at, altered in self.altered(fusion, track, times, fast)
            for one in raised(number, at, altered, fusion.contrast)
        )

    @property
    def inputs(self) -> Floats:
        """The inputs (1, 5) of the fusion, means over the person's time."""
        return np.array([[self.scan_level, *self.strong.mean(axis=0)]])
