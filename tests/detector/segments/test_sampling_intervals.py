"""Each sampling interval counts once, and it is known which scores are of sampled frames."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from detector.segments.rules import is_held, is_sampled, mean_per_interval, sample_weights, seconds_sampled

EIGHT = 8.0
TIMES = np.array([0, 0.04, 0.08, 0.16, 0.28, 1.0])


def test_frames_of_an_interval_have_a_total_weight_of_one() -> None:
    assert sample_weights(TIMES, EIGHT) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1, 1, 1])


def test_an_interval_counts_once_in_a_mean() -> None:
    values = np.array([3.0, 6, 9, 1, 2, 4])
    assert mean_per_interval(TIMES, values, EIGHT).tolist() == [6, 1, 2, 4]
    assert len(mean_per_interval(np.empty(0), np.empty(0), EIGHT)) == 0


@pytest.mark.parametrize("rate", [8.0, 12.5, 25.0, 30.0, 120.0])
def test_sampled_frames_lie_in_separate_intervals(rate: float) -> None:
    """Their times are fractions; the nearest floats must not fall into a neighbour's interval."""
    times = np.array([float(Fraction(-(-number * 25 // Fraction(rate)), 25)) for number in range(5000)])
    times = np.unique(times)
    assert sample_weights(times, min(rate, 25.0)).tolist() == [1.0] * len(times)


def test_first_and_held_frames_are_sampled() -> None:
    """0.28 stays for 0.72 s; the last is held as far as anybody knows."""
    assert is_held(TIMES, EIGHT).tolist() == [False, False, False, False, True, True]
    assert is_sampled(TIMES, EIGHT).tolist() == [True, False, False, True, True, True]
    held_late = np.array([0.0, 0.05, 0.5])
    assert is_sampled(held_late, EIGHT).tolist() == [True, True, True]


def test_last_sample_lasts_to_the_end_of_its_interval() -> None:
    assert seconds_sampled(0.0, 0.0, EIGHT) == 0.125
    assert seconds_sampled(0.13, 0.49, EIGHT) == 0.375
