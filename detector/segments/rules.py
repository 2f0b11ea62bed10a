"""Rules that turn scores over time into segments: sliding median, hysteresis, merging, minimum duration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Parameters

Floats = NDArray[np.float64]
_ROUNDING = 1e-9  # of times, which are fractions stored as the nearest float


def sample_weights(times: Floats, rate: float) -> Floats:
    """The weight of each of ``times`` such that each 1/``rate`` seconds that has any weighs 1.

    So that where every frame is judged no more weight lies than where one of several was.
    """
    which, counts = numbered_intervals(times, rate)
    weights: Floats = 1 / counts[which]
    return weights


def mean_per_interval(times: Floats, values: Floats, rate: float) -> Floats:
    """The mean of ``values`` in each 1/``rate`` seconds that has any, in order of time."""
    which, counts = numbered_intervals(times, rate)
    means: Floats = np.bincount(which, values) / counts
    return means


def interval_index(times: Floats, rate: float) -> Floats:
    """The number of the 1/``rate`` seconds that each of ``times`` lies in, whose first frame is sampled."""
    numbers: Floats = np.floor(times * rate + _ROUNDING)
    return numbers


def is_sampled(times: Floats, rate: float) -> NDArray[np.bool_]:
    """(n,): which of the ``times`` of scores, in order, are of sampled frames.

    Those are the first of each 1/``rate`` seconds, and each that is shown for longer. Others are scored
    between two of them only.
    """
    sampled = np.zeros(len(times), np.bool_)
    sampled[np.unique(interval_index(times, rate), return_index=True)[1]] = True
    return sampled | is_held(times, rate)


def is_held(times: Floats, rate: float) -> NDArray[np.bool_]:
    """(n,): which of the ``times`` are over 1/``rate`` seconds before the next; the last, as far as known."""
    held = np.ones(len(times), np.bool_)
    held[:-1] = np.diff(times) > 1 / rate + _ROUNDING
    return held


def numbered_intervals(times: Floats, rate: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(n,): which of the intervals that have any of ``times`` each lies in, from 0; and how many each has."""
    numbers = interval_index(times, rate)
    _, which, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return which, counts


def seconds_sampled(first: float, last: float, rate: float) -> float:
    """How long samples from ``first`` to ``last`` last, the sampling interval of the last one included."""
    return (math.floor(last * rate + _ROUNDING) - math.floor(first * rate + _ROUNDING) + 1) / rate


# Peak frames of one segment: at most so many, at least so many seconds apart.
MOST_PEAKS = 3
PEAK_DISTANCE = 0.5


@dataclass(frozen=True)
class IndexRange:
    """Entries ``first`` to ``last``, both inside, of the arrays it was found in."""

    first: int
    last: int


def sliding_median(times: Floats, values: Floats, window: float, weights: Floats | None = None) -> Floats:
    """Median of ``values`` within ``window`` seconds around each time; of two in the middle, the lower.

    With ``weights``, one for each value, it is the weighted one. All arrays have the shape (n,). The nearest
    neighbour on either side is always taken in, however sparse the sampling, so that one frame alone never
    stands out.
    """
    starts = np.searchsorted(times, times - window / 2 - _ROUNDING, side="left")
    ends = np.searchsorted(times, times + window / 2 + _ROUNDING, side="right")
    weights = np.ones(len(values)) if weights is None else weights
    out = np.empty(len(values), np.float64)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        # As many on one side as on the other, except at the ends of the track.
        start, end = min(start, max(0, i - 1)), max(end, min(len(values), i + 2))
        order = np.argsort(values[start:end])
        reached = np.cumsum(weights[start:end][order])
        out[i] = values[start + order[np.searchsorted(reached, reached[-1] / 2 - _ROUNDING)]]
    return out


def hysteresis(
    times: Floats, values: Floats, enter: float, leave: float, most_gap: float
) -> list[IndexRange]:
    """Runs at or above ``leave`` that somewhere reach ``enter``; a gap over ``most_gap`` ends a run."""
    intervals = []
    start: int | None = None
    reached = False
    for i, value in enumerate(values):
        if start is not None and (value < leave or times[i] - times[i - 1] > most_gap):
            if reached:
                intervals.append(IndexRange(start, i - 1))
            start, reached = None, False
        if value >= leave and start is None:
            start = i
        reached = reached or (start is not None and value >= enter)
    if start is not None and reached:
        intervals.append(IndexRange(start, len(values) - 1))
    return intervals


def merged(times: Floats, intervals: Sequence[IndexRange], gap: float) -> list[IndexRange]:
    """Intervals less than ``gap`` seconds apart become one."""
    out: list[IndexRange] = []
    for interval in intervals:
        if out and times[interval.first] - times[out[-1].last] < gap:
            out[-1] = IndexRange(out[-1].first, interval.last)
        else:
            out.append(interval)
    return out


def find_reaching(times: Floats, smoothed: Floats, parameters: Parameters) -> list[IndexRange]:
    """Intervals of one track that reach the threshold for a finding, however short."""
    # Frames that are themselves far apart are neighbours all the same; how far is measured between the
    # first ones of sampling intervals, as if no others had been judged.
    which, _ = numbered_intervals(times, parameters.sample_rate)
    apart = np.diff(times[np.flatnonzero(np.diff(which, prepend=-1))])
    most_gap = parameters.bridge_gap
    if len(apart):
        most_gap = max(most_gap, 1.5 * float(np.median(apart)))
    found = hysteresis(times, smoothed, parameters.enter_threshold, parameters.exit_threshold, most_gap)
    return merged(times, found, parameters.merge_gap)


def find_intervals(times: Floats, smoothed: Floats, parameters: Parameters) -> list[IndexRange]:
    """Intervals of one track that reach the threshold for long enough, from smoothed probabilities."""
    found = find_reaching(times, smoothed, parameters)
    return [i for i in found if is_long_enough(times[i.first], times[i.last], parameters)]


def find_in_track(
    times: Floats, smoothed: Floats, track: NDArray[np.intp], parameters: Parameters
) -> list[IndexRange]:
    """:func:`find_intervals` of the track whose entries are ``track``, as entries of ``times``."""
    return [
        IndexRange(int(track[one.first]), int(track[one.last]))
        for one in find_intervals(times[track], smoothed[track], parameters)
    ]


def is_long_enough(first: float, last: float, parameters: Parameters) -> bool:
    """Whether an interval is long enough for a finding. One sample alone never is, however sparse."""
    if last <= first and parameters.minimum_duration > 0:
        return False
    lasts = seconds_sampled(first, last, parameters.sample_rate)
    return lasts >= parameters.minimum_duration - _ROUNDING


def find_in_pieces(
    times: Floats, smoothed: Floats, tracks: Iterable[NDArray[np.intp]], parameters: Parameters
) -> list[IndexRange]:
    """What reaches the threshold in ``tracks`` of one person, each too short to hold an interval by itself.

    Frequent cuts make such tracks. Laid end to end they are smoothed and judged as one track is; what is
    found is then given back piece by piece. ``tracks`` are the entries of each in the other arrays.
    """
    rate = parameters.sample_rate
    short = [
        track
        for track in tracks
        if len(track) > 1 and not is_long_enough(times[track[0]], times[track[-1]], parameters)
    ]
    if len(short) < 2:
        return []
    laid, end = [], 0.0
    for track in short:
        numbers = interval_index(times[track], rate)
        laid.append(end + (numbers - numbers[0]) / rate)
        end += seconds_sampled(times[track[0]], times[track[-1]], rate)
    line, places = np.concatenate(laid), np.concatenate(short)
    heights = sliding_median(line, smoothed[places], parameters.median_window)
    found = []
    for one in find_intervals(line, heights, parameters):
        inside = places[one.first : one.last + 1]
        pieces = (np.intersect1d(inside, track, assume_unique=True) for track in short)
        found += [IndexRange(int(piece[0]), int(piece[-1])) for piece in pieces if len(piece) > 1]
    return found


def find_in_person(
    times: Floats, smoothed: Floats, tracks: Sequence[NDArray[np.intp]], parameters: Parameters, still: bool
) -> list[IndexRange]:
    """Intervals of one person that reach the threshold: of each track, of short ones together, then merged.

    ``tracks`` are the entries of each in the other arrays. Of a ``still`` each face at or above the
    threshold is one.
    """
    if still:
        return [IndexRange(i, i) for i in np.flatnonzero(smoothed >= parameters.enter_threshold).tolist()]
    along = [one for track in tracks for one in find_in_track(times, smoothed, track, parameters)]
    along += find_in_pieces(times, smoothed, tracks, parameters)
    return merged(times, sorted(along, key=lambda i: i.first), parameters.merge_gap)


def peaks(times: Floats, smoothed: Floats, raw: Floats, interval: IndexRange) -> list[int]:
    """Entries of at most three local maxima of ``smoothed`` in ``interval``, 0.5 s apart, in order of time.

    On a plateau the frame with the highest score of its own stands for it.
    """
    inside = range(interval.first, interval.last + 1)
    tops = [
        i
        for i in inside
        if (i == interval.first or smoothed[i] >= smoothed[i - 1])
        and (i == interval.last or smoothed[i] >= smoothed[i + 1])
    ]
    chosen: list[int] = []
    apart = PEAK_DISTANCE - _ROUNDING
    for i in sorted(tops, key=lambda i: (-smoothed[i], -raw[i], i)):
        if len(chosen) < MOST_PEAKS and all(abs(times[i] - times[j]) >= apart for j in chosen):
            chosen.append(i)
    return sorted(chosen)
