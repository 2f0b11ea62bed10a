"""What the second look found of one person, at moments and in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detector.scoring.first_pass.moments import KeptMoment
from detector.scoring.fusion import Floats, Fusion, fusion_inputs
from detector.scoring.second_look.contrast import RaisedInterval, raised_intervals

_TELLING = 1.5  # of the scan's logit: from one moment to the next, it says where something changed
_AROUND = 0.3  # seconds on either side of a moment


@dataclass(frozen=True)
class PersonLook:
    """What the second look found of one person, at ``times`` of ``track``, both (m,).

    ``second_logits`` (m, 4) are those of the second network: the columns of
    :data:`~detector.models.card.FUSION_INPUTS` but for the first, the scan's.
    Where the whole head was not looked at (``headed`` (m,) is false) its logits lie between those beside it.
    """

    tracks: tuple[int, ...]
    moments: tuple[KeptMoment, ...]
    track: NDArray[np.int32]
    times: Floats
    second_logits: Floats
    scan_at: Floats  # (m,): the scan's logits around the moments
    scan_level: float  # their mean over all of the person's usable faces
    headed: NDArray[np.bool_]
    stability: float | None = None
    contradiction: bool = False  # the two networks lie too far apart
    raised: tuple[RaisedInterval, ...] = ()

    @classmethod
    def of(
        cls,
        group: Sequence[int],
        moments: Sequence[KeptMoment],
        second_logits: Floats,
        faces: NDArray[np.void],
    ) -> Self:
        """Of the person of the tracks ``group``, from ``second_logits`` (m, 4) of ``moments`` in order.

        Those of whole heads are no numbers where only the inner face was looked at. ``faces`` are the rows of
        the person's usable faces, with the scan's logits.
        """
        track = np.array([moment.track for moment in moments], np.int32)
        times = np.array([moment.time for moment in moments])
        around = np.array([_scan_around(faces, moment.track, moment.time) for moment in moments])
        level = float(faces["logit"].mean())
        headed = np.isfinite(second_logits[:, -1])
        filled = _filled(second_logits, track, times)
        return cls(tuple(group), tuple(moments), track, times, filled, around, level, headed)

    def second_logits_at(self, track: NDArray[np.int32], times: Floats, scanned: Floats) -> Floats:
        """Logits (n, 4) at ``times`` of ``track``; their mean in a track without a moment.

        Between two moments they go over from one to the other as the scan's logits ``scanned`` (n,) do, where
        these differ, and evenly in time where not.
        """
        out: Floats = np.tile(self.second_logits.mean(axis=0), (len(times), 1))
        for number in np.unique(self.track):
            asked, own = track == number, self.track == number
            at, known, logits, scan = (
                times[asked],
                self.times[own],
                self.second_logits[own],
                self.scan_at[own],
            )
            if len(known) == 1:
                out[asked] = logits
                continue
            after = np.searchsorted(known, at).clip(1, len(known) - 1)
            before = after - 1
            share = ((at - known[before]) / (known[after] - known[before])).clip(0, 1)
            step = scan[after] - scan[before]
            telling = (np.abs(step) >= _TELLING) & (share > 0) & (share < 1)
            share[telling] = ((scanned[asked] - scan[before])[telling] / step[telling]).clip(0, 1)
            out[asked] = logits[before] + share[:, None] * (logits[after] - logits[before])
        return out

    def inputs_at(self, track: NDArray[np.int32], times: Floats, scanned: Floats, within: float) -> Floats:
        """The inputs (n, 5) of the fusion; the scan's are the share ``within`` of the way from their mean."""
        levelled = self.scan_level + within * (scanned - self.scan_level)
        return fusion_inputs(levelled, self.second_logits_at(track, times, scanned))

    def altered(
        self, fusion: Fusion, track: NDArray[np.int32], times: Floats, scanned: Floats
    ) -> Iterator[tuple[int, Floats, Floats]]:
        """Each track with its times (n,) and the altered half's logits (n,); ``scanned`` are the scan's."""
        logits = fusion.altered.logit(fusion_inputs(scanned, self.second_logits_at(track, times, scanned)))
        for number in np.unique(track).tolist():
            yield number, times[track == number], logits[track == number]

    def raised_intervals(
        self, fusion: Fusion, track: NDArray[np.int32], times: Floats, scanned: Floats
    ) -> tuple[RaisedInterval, ...]:
        """Where its tracks are raised; ``scanned`` are the scan's logits (n,) at ``times`` of ``track``."""
        return tuple(
            one
            for number, at, altered in self.altered(fusion, track, times, scanned)
            for one in raised_intervals(number, at, altered, fusion.contrast)
        )

    @property
    def inputs(self) -> Floats:
        """The inputs (1, 5) of the fusion, means over the person's time."""
        return fusion_inputs(np.array([self.scan_level]), self.second_logits.mean(axis=0))


def _scan_around(faces: NDArray[np.void], track: int, time: float) -> float:
    """The scan's median logit around a moment; its mean where nothing of the track was usable."""
    own = faces[faces["track"] == track]
    if not len(own):
        return float(faces["logit"].mean())
    apart = np.abs(own["time"] - time)
    return float(np.median(own["logit"][apart <= max(_AROUND, float(apart.min()))]))


def _filled(logits: Floats, track: NDArray[np.int32], times: Floats) -> Floats:
    """``logits`` (m, 4) with what was not looked at evenly between its neighbours of the same track.

    In a track where none was looked at it is the mean of all.
    """
    out = logits.copy()
    for column in out.T:
        known = ~np.isnan(column)
        if known.all() or not known.any():
            continue
        mean = column[known].mean()
        for number in np.unique(track[~known]):
            there, missing = (track == number) & known, (track == number) & ~known
            column[missing] = np.interp(times[missing], times[there], column[there]) if there.any() else mean
    return out
