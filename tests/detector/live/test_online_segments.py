"""Segments found one score at a time are those found in the whole track."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detector.live.session import ClosedInterval, OnlineSegments
from detector.schema.analysis import Parameters
from detector.segments.rules import find_intervals, sliding_median

DEFAULT = Parameters()


def probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def online(
    times, logits, parameters, spacing=0.0
) -> tuple[list[tuple[float, float]], list[ClosedInterval], list[float]]:
    """Smoothed scores, closed segments, and when each was known."""
    track = OnlineSegments(parameters, probability)
    smoothed, closed, known = [], [], []
    for time, logit in zip(times, logits, strict=True):
        for result in track.add(float(time), float(logit), spacing):
            (closed if isinstance(result, ClosedInterval) else smoothed).append(result)
            known += [float(time)] * isinstance(result, ClosedInterval)
    for result in track.end():
        (closed if isinstance(result, ClosedInterval) else smoothed).append(result)
    return smoothed, closed, known


def offline(times, logits, parameters):
    smooth = sliding_median(times, logits, parameters.median_window)
    heights = np.array([probability(value) for value in smooth])
    return heights, find_intervals(times, heights, parameters)


def same(times, logits, parameters, spacing=0.0) -> None:
    heights, intervals = offline(times, logits, parameters)
    smoothed, closed, _ = online(times, logits, parameters, spacing)
    assert [time for time, _ in smoothed] == list(times)
    assert np.allclose([height for _, height in smoothed], heights)
    assert [(c.start, c.end) for c in closed] == [(times[i.first], times[i.last]) for i in intervals]
    for segment, interval in zip(closed, intervals, strict=True):
        inside = slice(interval.first, interval.last + 1)
        assert segment.frames == interval.last - interval.first + 1
        assert np.isclose(segment.level, np.mean(logits[inside]))
        assert np.isclose(segment.height, heights[inside].max())


@given(
    st.lists(st.tuples(st.integers(1, 12), st.floats(-3, 3, width=16)), max_size=120),
    st.sampled_from(
        [
            DEFAULT,
            Parameters(median_window=0, minimum_duration=0, merge_gap=0),
            Parameters(median_window=3.0, merge_gap=2.0, minimum_duration=1.0),
            Parameters(median_window=0.4, merge_gap=0.3, exit_threshold=0.3, bridge_gap=2.0),
        ]
    ),
)
def test_any_track_matches_the_offline_rules(steps, parameters):
    """Scores at eighths of a second with gaps of up to one and a half."""
    times = np.cumsum([step for step, _ in steps]) / 8 if steps else np.empty(0)
    logits = np.array([value for _, value in steps])
    # A track whose scores are mostly far apart needs all of it to know what counts as a gap.
    assume(len(times) < 2 or 1.5 * float(np.median(np.diff(times))) <= parameters.bridge_gap)
    same(times, logits, parameters)


@given(
    st.lists(st.sampled_from([-2.0, 0.2, 0.3, 2.0]), min_size=30, max_size=200),
    st.sampled_from([2.0, 8.0, 25.0]),
)
def test_runs_match_at_any_rate(logits, rate):
    parameters = Parameters(sample_rate=rate)
    same(np.arange(len(logits)) / rate, np.array(logits), parameters)


@given(
    st.lists(st.sampled_from([-2.0, 0.2, 0.3, 2.0]), min_size=5, max_size=60),
    st.sampled_from([0.7, 1.4, 4.0]),
)
def test_frames_far_apart_are_neighbours(logits, spacing):
    """As where a machine is too slow for the source, and most of its frames are dropped."""
    same(np.arange(len(logits)) * spacing, np.array(logits), DEFAULT, spacing)


@pytest.mark.parametrize(
    "parameters",
    [DEFAULT, Parameters(median_window=0), Parameters(median_window=0, merge_gap=1.0, minimum_duration=1.5)],
    ids=["default", "no median", "other lengths"],
)
def test_merging_and_minimum_duration_match_the_offline_rules(parameters):
    """Tracks of stretches, high, low and missing ones, about as long as the rules ask for.

    Scores drawn one by one hardly ever make such tracks.
    """
    rng = np.random.default_rng(7)
    for _ in range(40):
        steps, logits = [], []
        for _ in range(30):
            length = int(rng.integers(1, 9))
            steps += [int(rng.choice([1, 1, 1, 5, 6, 7])), *[1] * (length - 1)]
            logits += [float(rng.choice([-3.0, 0.3, 3.0, 3.0]))] * length
        same(np.cumsum(steps) / 8, np.array(logits), parameters)


def test_segment_closes_soon_after_its_end():
    """Half the median's window and the gap in which another could be joined to it, and no more."""
    times = np.arange(400) / 8
    logits = np.where((times >= 10) & (times < 15), 3.0, -3.0)
    _, (closed,), (known,) = online(times, logits, DEFAULT)
    assert (closed.start, closed.end) == (10.0, 14.875)
    assert known - closed.end <= DEFAULT.median_window / 2 + DEFAULT.merge_gap + 0.25


def test_memory_is_bounded():
    track = OnlineSegments(DEFAULT, probability)
    sizes = set()
    for index in range(20_000):
        track.add(index / 8, 3.0 if index % 100 < 50 else -3.0)
        sizes.add(len(track._kept))
    assert max(sizes) < 30
