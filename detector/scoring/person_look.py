"""Results of the second look for one person, at its moments and in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detector.models.card import Contrast
from detector.scoring.fusion import Floats, Fusion, fusion_inputs
from detector.scoring.moments import KeptMoment

LEAST = 0.7  # seconds, of the interval and of what it is compared with
WINDOW = 60.0  # seconds
_MOST = 8  # intervals in one window
_PAIRS = 1 << 18  # intervals weighed at once: sampled 60 times a second, a window has six million


@dataclass(frozen=True)
class Outlier:
    """Samples ``first`` to ``last``, both inside; ``contrast`` is mean inside less mean of the rest."""

    first: int
    last: int
    contrast: float


@dataclass(frozen=True)
class RaisedInterval:
    """The altered half's logit of ``track`` is raised by ``amount`` from ``start`` to ``end``, in seconds."""

    track: int
    start: float
    end: float
    contrast: float
    amount: float

    def moved(self, by: float, constants: Contrast) -> RaisedInterval:
        """The same where the contrast is another."""
        contrast = self.contrast + by
        return replace(self, contrast=contrast, amount=constants.amount(contrast))


def raised_intervals(
    track: int, times: Floats, logits: Floats, constants: Contrast | None
) -> list[RaisedInterval]:
    """Where ``track`` is raised, with samples (n,) at ``times`` (n,)."""
    if constants is None:
        return []
    # An end lies halfway between the last sample inside and the first outside.
    sides = np.concatenate([times[:1], (times[1:] + times[:-1]) / 2, times[-1:]])
    return [
        RaisedInterval(
            track,
            float(sides[one.first]),
            float(sides[one.last + 1]),
            one.contrast,
            constants.amount(one.contrast),
        )
        for one in outliers(times, logits, constants.least)
    ]


def raised_by(intervals: Sequence[RaisedInterval], track: NDArray[np.int32], time: Floats) -> Floats:
    """By how much ``intervals`` raise each of the altered half's logits (n,), at ``time`` of ``track``."""
    out = np.zeros(len(time))
    for one in intervals:
        out[(track == one.track) & (time >= one.start) & (time <= one.end)] += one.amount
    return out


def outliers(times: Floats, logits: Floats, least: float) -> list[Outlier]:
    """Intervals whose contrast is at least ``least``, in order; none overlap.

    The clearest is found first; the next is compared with what is left without it.
    """
    found: list[Outlier] = []
    for start, end in _windows(times):
        free = np.ones(end - start, np.bool_)
        for _ in range(_MOST):
            clearest = _clearest(times[start:end], logits[start:end], free)
            if clearest is None or clearest.contrast < least:
                break
            free[clearest.first : clearest.last + 1] = False
            found.append(Outlier(start + clearest.first, start + clearest.last, clearest.contrast))
    return _apart(found)


def _windows(times: Floats) -> Iterator[tuple[int, int]]:
    """First sample and end of windows of :data:`WINDOW` seconds that overlap by half."""
    start = float(times[0]) if len(times) else 0.0
    while len(times):
        first, end = np.searchsorted(times, [start, start + WINDOW]).tolist()
        yield first, end
        if end == len(times):
            return
        start += WINDOW / 2


def _clearest(times: Floats, logits: Floats, free: NDArray[np.bool_]) -> Outlier | None:
    """The interval of ``free`` samples that stands out most from the other free ones."""
    count = len(times)
    if count < 2:
        return None
    step = float(np.median(np.diff(times)))
    sums = np.concatenate([[0.0], np.cumsum(np.where(free, logits, 0.0))])
    counts = np.concatenate([[0], np.cumsum(free)])
    clearest, most = None, -np.inf
    rows = max(1, _PAIRS // count)
    for begin in range(0, count, rows):
        first, last = np.triu_indices(min(rows, count - begin), 0, count - begin)
        first, last = first + begin, last + begin
        inside = last - first + 1
        rest = counts[-1] - inside
        allowed = (times[last] - times[first] + step >= LEAST) & (rest * step >= LEAST)
        allowed &= counts[last + 1] - counts[first] == inside
        if not allowed.any():
            continue
        first, last, inside, rest = first[allowed], last[allowed], inside[allowed], rest[allowed]
        total = sums[last + 1] - sums[first]
        contrast = total / inside - (sums[-1] - total) / rest
        clear = contrast * np.sqrt(inside * rest / (inside + rest))
        best = int(np.argmax(clear))
        if clear[best] > most:
            most = float(clear[best])
            clearest = Outlier(int(first[best]), int(last[best]), float(contrast[best]))
    return clearest


def _apart(found: Sequence[Outlier]) -> list[Outlier]:
    """Of those that overlap, from two windows, the one of higher contrast."""
    kept: list[Outlier] = []
    for one in sorted(found, key=lambda each: -each.contrast):
        if all(one.last < other.first or one.first > other.last for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda each: each.first)


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
