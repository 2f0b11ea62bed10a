"""From scores to segments: what must hold for every series there is, sampled however irregularly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.schema.analysis import Parameters
from detector.segments.rules import (
    MOST_PEAKS,
    PEAK_DISTANCE,
    IndexRange,
    find_intervals,
    find_peaks,
    is_long_enough,
    sliding_median,
)

DEFAULT = Parameters()

probabilities = st.floats(0, 1, allow_nan=False)
gaps = st.floats(1 / 60, 2.0, allow_nan=False)


@st.composite
def any_series(draw: st.DrawFn, least: int = 0) -> tuple[np.ndarray, np.ndarray]:
    values = draw(st.lists(probabilities, min_size=least, max_size=80))
    if draw(st.booleans()):
        times = np.arange(len(values)) / draw(st.floats(0.5, 60))
    else:
        between = draw(st.lists(gaps, min_size=len(values), max_size=len(values)))
        times = np.cumsum(np.array(between, np.float64))
    return times, np.array(values, np.float64)


@st.composite
def any_parameters(draw: st.DrawFn) -> Parameters:
    low, high = sorted(draw(st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95))))
    return Parameters(
        enter_threshold=high,
        exit_threshold=low,
        merge_gap=draw(st.floats(0, 2)),
        minimum_duration=draw(st.floats(0, 2)),
        bridge_gap=draw(st.floats(0, 2)),
        median_window=draw(st.floats(0, 3)),
    )


def flagged(intervals: list[IndexRange]) -> set[int]:
    return {i for interval in intervals for i in range(interval.first, interval.last + 1)}


@given(any_series(), any_parameters())
def test_segments_are_ordered_disjoint_and_long_enough(
    given_series: tuple[np.ndarray, np.ndarray], parameters: Parameters
) -> None:
    times, values = given_series
    intervals = find_intervals(times, values, parameters)
    for interval in intervals:
        assert 0 <= interval.first <= interval.last < len(values)
        assert is_long_enough(times[interval.first], times[interval.last], parameters)
        lasts = times[interval.last] - times[interval.first] + 1 / parameters.sample_rate
        assert lasts > parameters.minimum_duration - 1 / parameters.sample_rate
        inside = values[interval.first : interval.last + 1]
        assert inside[0] >= parameters.exit_threshold and inside[-1] >= parameters.exit_threshold
        assert inside.max() >= parameters.enter_threshold
    for before, after in zip(intervals, intervals[1:], strict=False):
        assert before.last < after.first
        assert times[after.first] - times[before.last] >= parameters.merge_gap


@given(any_series(least=1), any_parameters())
def test_frames_above_the_threshold_are_missed_only_in_short_runs(
    given_series: tuple[np.ndarray, np.ndarray], parameters: Parameters
) -> None:
    times, values = given_series
    parameters = parameters.model_copy(update={"minimum_duration": 0.0})
    inside = flagged(find_intervals(times, values, parameters))
    assert {i for i, value in enumerate(values) if value >= parameters.enter_threshold} <= inside


@given(any_series(), any_parameters(), st.floats(0.0, 0.9))
def test_a_higher_threshold_never_flags_more(
    given_series: tuple[np.ndarray, np.ndarray], parameters: Parameters, towards_one: float
) -> None:
    times, values = given_series
    higher = parameters.enter_threshold + (0.999 - parameters.enter_threshold) * towards_one
    stricter = parameters.model_copy(update={"enter_threshold": higher})
    assert flagged(find_intervals(times, values, stricter)) <= flagged(
        find_intervals(times, values, parameters)
    )


@given(
    st.lists(probabilities, max_size=80), st.integers(1, 30), st.integers(0, 100_000), any_parameters()
)  # fmt: skip
def test_shifted_times_shift_the_segments(
    values: list[float], rate: int, offset: int, parameters: Parameters
) -> None:
    """Times in exact binary fractions, so that the shift itself rounds nothing."""
    series_values = np.array(values, np.float64)
    times = np.arange(len(values)) * (rate / 64)
    later = times + offset
    smooth = sliding_median(times, series_values, parameters.median_window)
    assert np.array_equal(smooth, sliding_median(later, series_values, parameters.median_window))
    intervals = find_intervals(times, smooth, parameters)
    assert intervals == find_intervals(later, smooth, parameters)
    for interval in intervals:
        assert find_peaks(times, smooth, series_values, interval) == find_peaks(
            later, smooth, series_values, interval
        )


@given(
    count=st.integers(2, 60),
    place=st.integers(0, 59),
    rate=st.floats(0.25, 120),
    low=st.floats(-12, -0.5),
    high=st.floats(0.5, 30),
)
@example(count=2, place=0, rate=1.6, low=-1.0, high=6.0)
def test_single_spike_is_never_a_segment(
    count: int, place: int, rate: float, low: float, high: float
) -> None:
    """As the engine does it: logits are smoothed, made probabilities, and cut."""
    logits = np.full(count, low)
    logits[place % count] = high
    times = np.arange(count) / rate
    smooth = 1 / (1 + np.exp(-sliding_median(times, logits, DEFAULT.median_window)))
    assert find_intervals(times, smooth, DEFAULT) == []


@given(
    between=st.lists(gaps, min_size=2, max_size=40),
    place=st.integers(0, 39),
    low=st.floats(-12, -0.5),
    high=st.floats(0.5, 30),
)
@example(between=[0.1, 0.625], place=1, low=-2.0, high=8.0)
def test_single_spike_at_irregular_times_is_never_a_segment(
    between: list[float], place: int, low: float, high: float
) -> None:
    """A face too small to judge in most frames leaves few, at irregular times."""
    logits = np.full(len(between), low)
    logits[place % len(between)] = high
    times = np.cumsum(np.array(between))
    smooth = 1 / (1 + np.exp(-sliding_median(times, logits, DEFAULT.median_window)))
    assert find_intervals(times, smooth, DEFAULT) == []


@pytest.mark.parametrize("rate", [1.5, 2.0, 4.0, 8.0, 25.0, 60.0])
def test_ten_certain_seconds_are_found_at_any_rate(rate: float) -> None:
    """A clip of few frames a second, or few samples, is no way to hide."""
    times = np.arange(0, 20, 1 / rate)
    logits = np.where((times >= 5) & (times < 15), 6.0, -6.0)
    smooth = 1 / (1 + np.exp(-sliding_median(times, logits, DEFAULT.median_window)))
    intervals = find_intervals(times, smooth, DEFAULT)
    assert len(intervals) == 1
    assert times[intervals[0].first] == pytest.approx(5, abs=1 / rate + 1e-9)
    assert times[intervals[0].last] == pytest.approx(15, abs=1 / rate + 1e-9)


@given(any_series(least=1), st.data())
def test_peaks_are_separate_local_maxima_inside(
    given_series: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    times, smooth = given_series
    first = data.draw(st.integers(0, len(times) - 1))
    interval = IndexRange(first, data.draw(st.integers(first, len(times) - 1)))
    raw = np.array(data.draw(st.lists(probabilities, min_size=len(times), max_size=len(times))))
    peaks = find_peaks(times, smooth, raw, interval)
    assert 1 <= len(peaks) <= MOST_PEAKS
    assert peaks == sorted(set(peaks))
    for a, b in zip(peaks, peaks[1:], strict=False):
        assert times[b] - times[a] >= PEAK_DISTANCE - 1e-6
    for i in peaks:
        assert interval.first <= i <= interval.last
        assert smooth[i] >= smooth[max(interval.first, i - 1)]
        assert smooth[i] >= smooth[min(interval.last, i + 1)]
    inside = smooth[interval.first : interval.last + 1]
    assert max(smooth[peaks]) == inside.max(), "the highest moment is among them"
