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

LEAST = 0.7  # minimum seconds of the interval and of its comparison
WINDOW = 60.0  # seconds
_MOST = 8  # maximum number of intervals in one window
_PAIRS = 1 << 18  # intervals weighed at once; at 60 samples a second a window has six million


@dataclass(frozen=True)
class Outlier:
    """Samples ``first`` to ``last``, inclusive; ``contrast`` is the mean inside minus the mean outside."""

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
        """Return the interval with another contrast."""
        contrast = self.contrast + by
        return replace(self, contrast=contrast, amount=constants.amount(contrast))


def raised_intervals(
    track: int, times: Floats, logits: Floats, constants: Contrast | None
) -> list[RaisedInterval]:
    """Find the intervals in which ``track`` is raised, from samples (n,) at ``times`` (n,)."""
    if constants is None:
        return []
    # Ends lie halfway between the last sample inside and the first one outside.
    sides = np.concatenate([times[:1], (times[1:] + times[:-1]) / 2, times[-1:]])
    return [
        RaisedInterval(
            track,
            float(sides[outlier.first]),
            float(sides[outlier.last + 1]),
            outlier.contrast,
            constants.amount(outlier.contrast),
        )
        for outlier in find_outliers(times, logits, constants.least)
    ]


def raise_at(intervals: Sequence[RaisedInterval], track: NDArray[np.int32], time: Floats) -> Floats:
    """Return by how much ``intervals`` raise each of the altered half's logits (n,)."""
    out = np.zeros(len(time))
    for interval in intervals:
        out[(track == interval.track) & (time >= interval.start) & (time <= interval.end)] += interval.amount
    return out


def find_outliers(times: Floats, logits: Floats, least: float) -> list[Outlier]:
    """Find intervals whose contrast is at least ``least``, in order and without overlaps.

    The clearest is found first; the next is compared with the remaining samples.
    """
    results: list[Outlier] = []
    for start, end in _windows(times):
        free = np.ones(end - start, np.bool_)
        for _ in range(_MOST):
            clearest = _clearest(times[start:end], logits[start:end], free)
            if clearest is None or clearest.contrast < least:
                break
            free[clearest.first : clearest.last + 1] = False
            results.append(Outlier(start + clearest.first, start + clearest.last, clearest.contrast))
    return _apart(results)


def _windows(times: Floats) -> Iterator[tuple[int, int]]:
    """Return first sample and end of windows of :data:`WINDOW` seconds that overlap by half."""
    start = float(times[0]) if len(times) else 0.0
    while len(times):
        first, end = np.searchsorted(times, [start, start + WINDOW]).tolist()
        yield first, end
        if end == len(times):
            return
        start += WINDOW / 2


def _clearest(times: Floats, logits: Floats, free: NDArray[np.bool_]) -> Outlier | None:
    """Return the interval of ``free`` samples that stands out most from the other free samples."""
    count = len(times)
    if count < 2:
        return None
    step = float(np.median(np.diff(times)))
    sums = np.concatenate([[0.0], np.cumsum(np.where(free, logits, 0.0))])
    counts = np.concatenate([[0], np.cumsum(free)])
    clearest, highest = None, -np.inf
    rows = max(1, _PAIRS // count)
    for begin in range(0, count, rows):
        first, last = np.triu_indices(min(rows, count - begin), 0, count - begin)
        first, last = first + begin, last + begin
        inside = last - first + 1
        outside = counts[-1] - inside
        allowed = (times[last] - times[first] + step >= LEAST) & (outside * step >= LEAST)
        allowed &= counts[last + 1] - counts[first] == inside
        if not allowed.any():
            continue
        first, last, inside, outside = first[allowed], last[allowed], inside[allowed], outside[allowed]
        total = sums[last + 1] - sums[first]
        contrast = total / inside - (sums[-1] - total) / outside
        clear = contrast * np.sqrt(inside * outside / (inside + outside))
        best = int(np.argmax(clear))
        if clear[best] > highest:
            highest = float(clear[best])
            clearest = Outlier(int(first[best]), int(last[best]), float(contrast[best]))
    return clearest


def _apart(outliers: Sequence[Outlier]) -> list[Outlier]:
    """Return of overlapping intervals, from two windows, the one with higher contrast."""
    selected: list[Outlier] = []
    for candidate in sorted(outliers, key=lambda outlier: -outlier.contrast):
        if all(candidate.last < other.first or candidate.first > other.last for other in selected):
            selected.append(candidate)
    return sorted(selected, key=lambda outlier: outlier.first)


# A finding in a video needs more than this share of views, as three of five. 0.5 is the stability of a
# person on whom the networks contradict each other.
LEAST_AGREEING = 0.5
_TELLING = 1.5  # minimum change of known logits between two moments to locate a change of others
_AROUND = 0.3  # seconds on either side of a moment


@dataclass(frozen=True)
class PersonLook:
    """Results of the second look for one person, at ``times`` of ``track``, both (m,).

    ``second_logits`` (m, 4) are those of the second network: the columns of
    :data:`~detector.models.card.FUSION_INPUTS` after the scan's. Where the whole head was not scored
    (``headed`` (m,) is False) its logits are interpolated, as those of the inner face change.
    """

    tracks: tuple[int, ...]
    moments: tuple[KeptMoment, ...]
    track: NDArray[np.int32]
    times: Floats
    second_logits: Floats
    scan_at: Floats  # (m,): the scan's logits around the moments
    scan_level: float  # mean of the scan's logits over all usable faces of the person
    headed: NDArray[np.bool_]
    stability: float | None = None
    contradiction: bool = False  # the two networks contradict each other
    raised: tuple[RaisedInterval, ...] = ()

    @classmethod
    def of(
        cls,
        group: Sequence[int],
        moments: Sequence[KeptMoment],
        second_logits: Floats,
        faces: NDArray[np.void],
    ) -> Self:
        """Build it for the person of the tracks ``group`` from ``second_logits`` (m, 4) of ordered
        ``moments``.

        Logits of whole heads that were not scored are NaN. ``faces`` are the rows of the person's usable
        faces, with the scan's logits.
        """
        track = np.array([moment.track for moment in moments], np.int32)
        times = np.array([moment.time for moment in moments])
        around = np.array([_scan_around(faces, moment.track, moment.time) for moment in moments])
        level = float(faces["logit"].mean())
        headed = np.isfinite(second_logits[:, -1])
        filled = _filled(second_logits, track, times, around)
        return cls(tuple(group), tuple(moments), track, times, filled, around, level, headed)

    def second_logits_at(self, track: NDArray[np.int32], times: Floats, scanned: Floats) -> Floats:
        """Return logits (n, 4) at ``times`` of ``track``; their mean in a track without a moment.

        Between two moments they change in proportion to the scan's logits ``scanned`` (n,), if these differ,
        and linearly in time otherwise.
        """
        out: Floats = np.tile(self.second_logits.mean(axis=0), (len(times), 1))
        for number in np.unique(self.track):
            in_track, own = track == number, self.track == number
            at, moment_times, logits, scan = (
                times[in_track],
                self.times[own],
                self.second_logits[own],
                self.scan_at[own],
            )
            if len(moment_times) == 1:
                out[in_track] = logits
                continue
            before, share = _between(at, moment_times, scanned[in_track, None], scan[:, None])
            out[in_track] = logits[before] + share[:, None] * (logits[before + 1] - logits[before])
        return out

    def inputs_at(self, track: NDArray[np.int32], times: Floats, scanned: Floats, within: float) -> Floats:
        """Return the inputs (n, 5) of the fusion; ``within`` scales the scan's distance from its mean."""
        levelled = self.scan_level + within * (scanned - self.scan_level)
        return fusion_inputs(levelled, self.second_logits_at(track, times, scanned))

    def altered(
        self, fusion: Fusion, track: NDArray[np.int32], times: Floats, scanned: Floats
    ) -> Iterator[tuple[int, Floats, Floats]]:
        """Yield each track with its times (n,) and the altered half's logits (n,); ``scanned`` are the
        scan's.
        """
        logits = fusion.altered.logit(fusion_inputs(scanned, self.second_logits_at(track, times, scanned)))
        for number in np.unique(track).tolist():
            yield number, times[track == number], logits[track == number]

    def raised_intervals(
        self, fusion: Fusion, track: NDArray[np.int32], times: Floats, scanned: Floats
    ) -> tuple[RaisedInterval, ...]:
        """Find raised intervals; ``scanned`` are the scan's logits (n,) at ``times`` of ``track``."""
        return tuple(
            interval
            for number, at, altered in self.altered(fusion, track, times, scanned)
            for interval in raised_intervals(number, at, altered, fusion.contrast)
        )

    @property
    def inputs(self) -> Floats:
        """The inputs (1, 5) of the fusion, averaged over the person's time."""
        return fusion_inputs(np.array([self.scan_level]), self.second_logits.mean(axis=0))


def _scan_around(faces: NDArray[np.void], track: int, time: float) -> float:
    """Return the scan's median logit around a moment; its mean if no face of the track was usable."""
    own = faces[faces["track"] == track]
    if not len(own):
        return float(faces["logit"].mean())
    apart = np.abs(own["time"] - time)
    return float(np.median(own["logit"][apart <= max(_AROUND, float(apart.min()))]))


def _between(
    times: Floats, known_times: Floats, guide: Floats, known_guide: Floats
) -> tuple[NDArray[np.intp], Floats]:
    """Return for each of ``times`` (n,) the known moment before it, and the share of the way to the next.

    If the logits ``known_guide`` (k, d) of both moments differ clearly, ``guide`` (n, d) says when something
    changed: the share is that of its projection on their difference. Otherwise the share is that of time.
    """
    after = np.searchsorted(known_times, times).clip(1, len(known_times) - 1)
    before = after - 1
    share = ((times - known_times[before]) / (known_times[after] - known_times[before])).clip(0, 1)
    step = known_guide[after] - known_guide[before]
    squared = (step**2).sum(axis=1)
    telling = (squared >= _TELLING**2) & (share > 0) & (share < 1)
    along = ((guide - known_guide[before]) * step).sum(axis=1)
    share[telling] = (along[telling] / squared[telling]).clip(0, 1)
    return before, share


def _filled(logits: Floats, track: NDArray[np.int32], times: Floats, scan: Floats) -> Floats:
    """Interpolate NaN in ``logits`` (m, 4) between neighbours of the same track; the mean in other tracks.

    Scan and inner face, scored in every moment, say when a whole head changed: a moment just before a
    manipulated stretch must not take half of its score from a moment inside.
    """
    out = logits.copy()
    complete = ~np.isnan(logits).any(axis=0)
    guide = np.column_stack([scan, logits[:, complete]])
    for column in out.T:
        known = ~np.isnan(column)
        if known.all() or not known.any():
            continue
        mean = column[known].mean()
        for number in np.unique(track[~known]):
            present, missing = (track == number) & known, (track == number) & ~known
            values = column[present]
            if len(values) < 2:
                column[missing] = values[0] if len(values) else mean
                continue
            before, share = _between(times[missing], times[present], guide[missing], guide[present])
            column[missing] = values[before] + share * (values[before + 1] - values[before])
    return out
