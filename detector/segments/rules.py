"""Rules that turn scores over time into segments: sliding median, hysteresis, merging, minimum duration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Parameters
from detector.schema.scores import logit_of

Floats = NDArray[np.float64]
_ROUNDING = 1e-9  # times are fractions stored as the nearest float
_ALMOST_NEVER = 1e-12  # probability; a smaller one has no finite logit


def sample_weights(times: Floats, rate: float) -> Floats:
    """Weight ``times`` so that each interval of 1/``rate`` seconds with any frame has a total weight of 1.

    Stretches in which every frame is judged then weigh no more than stretches with sampled frames only.
    """
    indices, counts = numbered_intervals(times, rate)
    weights: Floats = 1 / counts[indices]
    return weights


def mean_per_interval(times: Floats, values: Floats, rate: float) -> Floats:
    """Return the mean of ``values`` in each non-empty interval of 1/``rate`` seconds, in order of time."""
    indices, counts = numbered_intervals(times, rate)
    means: Floats = np.bincount(indices, values) / counts
    return means


def interval_index(times: Floats, rate: float) -> Floats:
    """Return the index of the sampling interval of each time."""
    numbers: Floats = np.floor(times * rate + _ROUNDING)
    return numbers


def is_sampled(times: Floats, rate: float) -> NDArray[np.bool_]:
    """Return which of the ordered ``times`` belong to sampled frames.

    Sampled are the first frame of each interval of 1/``rate`` seconds, and frames shown for longer. Other
    frames are scored only between two of these.
    """
    sampled = np.zeros(len(times), np.bool_)
    sampled[np.unique(interval_index(times, rate), return_index=True)[1]] = True
    return sampled | is_held(times, rate)


def is_held(times: Floats, rate: float) -> NDArray[np.bool_]:
    """Return which of the ``times`` are more than 1/``rate`` seconds before the next."""
    held = np.ones(len(times), np.bool_)
    held[:-1] = np.diff(times) > 1 / rate + _ROUNDING
    return held


def numbered_intervals(times: Floats, rate: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the non-empty intervals from 0; return the number of each time and the counts."""
    numbers = interval_index(times, rate)
    _, indices, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return indices, counts


def seconds_sampled(first: float, last: float, rate: float) -> float:
    """Return the duration of samples ``first`` to ``last``, including the sampling interval of the last."""
    return (math.floor(last * rate + _ROUNDING) - math.floor(first * rate + _ROUNDING) + 1) / rate


# Maximum number of peak frames of one segment, and their minimum distance in seconds.
MOST_PEAKS = 3
PEAK_DISTANCE = 0.5


@dataclass(frozen=True)
class IndexRange:
    """Indices ``first`` to ``last``, inclusive."""

    first: int
    last: int


def sliding_median(times: Floats, values: Floats, window: float, weights: Floats | None = None) -> Floats:
    """Return the weighted median within ``window`` seconds around each time; the lower of two middle values.

    The nearest neighbour on either side is always included, however sparse the sampling, so that a single
    frame never stands out.
    """
    starts = np.searchsorted(times, times - window / 2 - _ROUNDING, side="left")
    ends = np.searchsorted(times, times + window / 2 + _ROUNDING, side="right")
    weights = np.ones(len(values)) if weights is None else weights
    out = np.empty(len(values), np.float64)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        # As many neighbours on either side, except at the ends of the track.
        start, end = min(start, max(0, i - 1)), max(end, min(len(values), i + 2))
        order = np.argsort(values[start:end])
        reached = np.cumsum(weights[start:end][order])
        out[i] = values[start + order[np.searchsorted(reached, reached[-1] / 2 - _ROUNDING)]]
    return out


@dataclass
class Run:
    """Samples ``first`` to ``last``, by number, at or above the exit threshold."""

    first: int
    last: int
    reached: bool  # the enter threshold, somewhere


class Hysteresis:
    """Finds runs at or above ``leave`` that reach ``enter`` somewhere, one sample at a time."""

    def __init__(self, enter: float, leave: float) -> None:
        self._enter, self._leave = enter, leave
        self._count, self._time = 0, 0.0
        self.run: Run | None = None

    def add(self, time: float, value: float, most_gap: float) -> Run | None:
        """Add a sample; return the run that ended before it. A gap over ``most_gap`` ends a run."""
        ended = None
        if self.run is not None and (value < self._leave or time - self._time > most_gap):
            ended = self.end()
        if value >= self._leave:
            if self.run is None:
                self.run = Run(self._count, self._count, reached=False)
            self.run.last = self._count
            self.run.reached = self.run.reached or value >= self._enter
        self._count, self._time = self._count + 1, time
        return ended

    def end(self) -> Run | None:
        """End the present run and return it, if it reached ``enter``."""
        run, self.run = self.run, None
        return run if run is not None and run.reached else None


def hysteresis(
    times: Floats, values: Floats, enter: float, leave: float, most_gap: float
) -> list[IndexRange]:
    """Find all runs of a track with :class:`Hysteresis`."""
    runs = Hysteresis(enter, leave)
    ended = [runs.add(time, value, most_gap) for time, value in zip(times, values, strict=True)]
    return [IndexRange(run.first, run.last) for run in (*ended, runs.end()) if run is not None]


def merge_intervals(times: Floats, intervals: Sequence[IndexRange], gap: float) -> list[IndexRange]:
    """Merge intervals less than ``gap`` seconds apart."""
    out: list[IndexRange] = []
    for interval in intervals:
        if out and times[interval.first] - times[out[-1].last] < gap:
            out[-1] = IndexRange(out[-1].first, interval.last)
        else:
            out.append(interval)
    return out


def find_reaching(times: Floats, smoothed: Floats, parameters: Parameters) -> list[IndexRange]:
    """Find intervals of one track that reach the threshold for a finding, however short."""
    # Consecutive samples are neighbours however far apart they are. Measure their distance between the
    # first frames of sampling intervals, as if no other frames had been judged.
    indices, _ = numbered_intervals(times, parameters.sample_rate)
    apart = np.diff(times[np.flatnonzero(np.diff(indices, prepend=-1))])
    most_gap = parameters.bridge_gap
    if len(apart):
        most_gap = max(most_gap, 1.5 * float(np.median(apart)))
    intervals = hysteresis(times, smoothed, parameters.enter_threshold, parameters.exit_threshold, most_gap)
    return merge_intervals(times, intervals, parameters.merge_gap)


def find_intervals(times: Floats, smoothed: Floats, parameters: Parameters) -> list[IndexRange]:
    """Find intervals of one track that reach the threshold for long enough, in smoothed probabilities."""
    intervals = find_reaching(times, smoothed, parameters)
    return [i for i in intervals if is_long_enough(times[i.first], times[i.last], parameters)]


def find_in_track(
    times: Floats, smoothed: Floats, track: NDArray[np.intp], parameters: Parameters
) -> list[IndexRange]:
    """Apply :func:`find_intervals` and :func:`narrow` to the entries ``track`` of ``times``."""
    at, values = times[track], smoothed[track]
    narrowed = (
        narrow(at, values, interval, parameters) for interval in find_intervals(at, values, parameters)
    )
    return [IndexRange(int(track[interval.first]), int(track[interval.last])) for interval in narrowed]


def narrow(times: Floats, smoothed: Floats, interval: IndexRange, parameters: Parameters) -> IndexRange:
    """Move both ends of ``interval`` to where its logits come near its level, by ``edge_level``.

    The level is the median of its logits at or above the threshold that opens a segment. Of a person whose
    other scores lie just above the threshold that closes one, hysteresis alone takes in unmanipulated
    seconds. An interval that would become too short stays as it is.
    """
    if not parameters.edge_level:
        return interval
    inside = smoothed[interval.first : interval.last + 1]
    logits = np.log(inside.clip(_ALMOST_NEVER) / (1 - inside).clip(_ALMOST_NEVER))
    leave = logit_of(parameters.exit_threshold)
    level = float(np.median(logits[inside >= parameters.enter_threshold]))
    near = logits >= min(level, leave + parameters.edge_level * (level - leave))
    places = interval.first + np.flatnonzero(near)
    first, last = int(places[0]), int(places[-1])
    return IndexRange(first, last) if is_long_enough(times[first], times[last], parameters) else interval


def find_whole(
    times: Floats, logits: Floats, track: NDArray[np.intp], opens: float, parameters: Parameters
) -> list[IndexRange]:
    """Return the whole ``track`` if it was judged often enough and its mean logit reaches ``opens``.

    For tracks without an interval: where original and manipulated pictures take turns faster than the median
    follows, no stretch reaches the threshold for long enough, but the track does.
    """
    means = mean_per_interval(times[track], logits[track], parameters.sample_rate)
    if len(means) < parameters.minimum_usable_frames or means.mean() < opens:
        return []
    return [IndexRange(int(track[0]), int(track[-1]))]


def is_long_enough(first: float, last: float, parameters: Parameters) -> bool:
    """Check that an interval is long enough for a finding. A single sample never is."""
    if last <= first and parameters.minimum_duration > 0:
        return False
    lasts = seconds_sampled(first, last, parameters.sample_rate)
    return lasts >= parameters.minimum_duration - _ROUNDING


def find_in_pieces(
    times: Floats, smoothed: Floats, tracks: Iterable[NDArray[np.intp]], parameters: Parameters
) -> list[IndexRange]:
    """Find intervals in tracks of one person that are too short to hold an interval each.

    Frequent cuts produce such tracks. They are joined, smoothed and judged as one track; the result is split
    at their boundaries again. ``tracks`` are the indices of each in the other arrays.
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
    timeline, places = np.concatenate(laid), np.concatenate(short)
    heights = sliding_median(timeline, smoothed[places], parameters.median_window)
    intervals = []
    for interval in find_intervals(timeline, heights, parameters):
        inside = places[interval.first : interval.last + 1]
        pieces = (np.intersect1d(inside, track, assume_unique=True) for track in short)
        intervals += [IndexRange(int(piece[0]), int(piece[-1])) for piece in pieces if len(piece) > 1]
    return intervals


def find_in_person(
    times: Floats,
    smoothed: Floats,
    logits: Floats,
    tracks: Sequence[NDArray[np.intp]],
    opens: float,
    parameters: Parameters,
    still: bool,
) -> list[IndexRange]:
    """Find intervals of one person: in each track, in short tracks joined, then merged.

    ``logits`` are not smoothed, and ``opens`` is the logit at the threshold of a segment. ``tracks`` are the
    indices of each in the other arrays. In a ``still`` each face at or above the threshold is one.
    """
    if still:
        return [IndexRange(i, i) for i in np.flatnonzero(smoothed >= parameters.enter_threshold).tolist()]
    along: list[IndexRange] = []
    for track in tracks:
        along += find_in_track(times, smoothed, track, parameters) or find_whole(
            times, logits, track, opens, parameters
        )
    along += find_in_pieces(times, smoothed, tracks, parameters)
    return merge_intervals(times, sorted(along, key=lambda i: i.first), parameters.merge_gap)


def find_peaks(times: Floats, smoothed: Floats, raw: Floats, interval: IndexRange) -> list[int]:
    """Return up to three local maxima of ``smoothed`` in ``interval``, 0.5 s apart, in order of time.

    On a plateau the frame with the highest unsmoothed score is chosen.
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
