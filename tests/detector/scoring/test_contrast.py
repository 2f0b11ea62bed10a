"""What stands out from the rest of its track: where it is found, and what it adds."""

from __future__ import annotations

import numpy as np
import pytest

from detector.models.card import Contrast
from detector.scoring import person_look
from detector.scoring.person_look import RaisedInterval, find_outliers, raise_at, raised_intervals

RATE = 8.0  # samples a second
NOISE = np.random.default_rng(5).normal(0, 0.5, 2400)


def track(seconds: float, *higher: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Times and logits around -1 that lie higher from start to end by so much."""
    times = np.arange(int(seconds * RATE)) / RATE
    logits = NOISE[: len(times)] - 1.0
    for start, end, by in higher:
        logits[(times >= start) & (times < end)] += by
    return times, logits


def found(times: np.ndarray, logits: np.ndarray, least: float = 2.0) -> list[tuple[float, float]]:
    return [(times[outlier.first], times[outlier.last]) for outlier in find_outliers(times, logits, least)]


def test_calm_track_has_no_outlier() -> None:
    assert found(*track(300.0)) == []


@pytest.mark.parametrize("start, end", [(1.0, 2.5), (0.0, 1.5), (3.0, 5.0), (1.0, 4.0)])
def test_interval_is_located(start: float, end: float) -> None:
    ((first, last),) = found(*track(5.0, (start, end, 4.0)))
    assert first == pytest.approx(start, abs=1 / RATE) and last == pytest.approx(end, abs=1.5 / RATE)


def test_several_intervals_are_found_in_order() -> None:
    first, second = found(*track(14.0, (1.5, 3.0, 4.0), (8.0, 10.0, 5.0)))
    assert first == pytest.approx((1.5, 3.0), abs=0.2) and second == pytest.approx((8.0, 10.0), abs=0.2)


def test_intervals_do_not_span_earlier_ones() -> None:
    """However low the others lie, what is taken out of them is not taken for higher."""
    times, logits = track(14.0, (3.0, 4.0, 6.0))
    assert found(times, logits - 5.0) == [(3.0, 3.875)]


def test_long_tracks_are_compared_in_windows() -> None:
    """A level that drifts over minutes is no interval; a second within a minute is."""
    times, logits = track(280.0, (200.0, 201.5, 4.5))
    ((first, last),) = found(times, logits + times / 70)
    assert first == pytest.approx(200.0, abs=0.2) and last == pytest.approx(201.5, abs=0.2)


def test_many_samples_are_processed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    times, logits = track(60.0, (10.0, 12.0, 3.0), (40.0, 43.0, 4.0))
    at_once = find_outliers(times, logits, 2.0)
    monkeypatch.setattr(person_look, "_PAIRS", 1000)
    assert find_outliers(times, logits, 2.0) == at_once and len(at_once) == 2


def test_interval_across_windows_is_found() -> None:
    """In either minute half of it is too short by itself."""
    assert found(*track(120.0, (59.5, 60.5, 2.7))) == [(59.5, 60.375)]


def test_clearer_of_two_window_results_is_kept() -> None:
    """What it is compared with lies lower in the first minute than around it."""
    times, logits = track(120.0, (45.0, 46.5, 6.0))
    logits[times >= 60] += 1.5
    (outlier,) = find_outliers(times, logits, 2.0)
    minute, around = times < 60, (times >= 30) & (times < 90)
    (first,), (second,) = (find_outliers(times[seen], logits[seen], 2.0) for seen in (minute, around))
    assert outlier.contrast == first.contrast > second.contrast + 0.3


@pytest.mark.parametrize("samples", [5, 6])
def test_minimum_length_counts_the_duration_of_samples(samples: int) -> None:
    """Six stand for 0.75 s, five for 0.625 s; 0.7 s are needed."""
    times, logits = track(5.0, (2.0, 2.0 + samples / RATE, 6.0))
    assert (found(times, logits) == [(2.0, 2.0 + (samples - 1) / RATE)]) is (samples == 6)


@pytest.mark.parametrize("seconds", [0.0, 0.125, 1.0])
def test_too_short_track_has_no_outlier(seconds: float) -> None:
    assert found(*track(seconds, (0.0, 0.5, 20.0))) == []


def test_glimpse_is_no_outlier() -> None:
    """Two samples alone may be a turn of the head."""
    times, logits = track(5.0, (2.0, 2.2, 3.0))
    assert found(times, logits) == []


def test_logits_are_raised_inside_by_the_excess() -> None:
    times, logits = track(5.0, (1.0, 2.5, 4.0))
    (interval,) = raised_intervals(3, times, logits, Contrast(least=2.0, gain=0.5))
    assert interval.contrast == pytest.approx(4.0, abs=0.4)
    assert interval.amount == pytest.approx(0.5 * (interval.contrast - 2.0))
    asked = np.array([0.5, 1.0, 2.375, 2.6, 1.5])
    added = raise_at([interval], np.array([3, 3, 3, 3, 4], np.int32), asked)
    assert added == pytest.approx([0, interval.amount, interval.amount, 0, 0])
    assert raised_intervals(3, times, logits, None) == []


def test_amount_follows_the_contrast() -> None:
    interval = RaisedInterval(0, 1.0, 2.0, contrast=3.0, amount=2.0).moved(
        -0.5, Contrast(least=2.0, gain=2.0)
    )
    assert (interval.contrast, interval.amount) == (2.5, 1.0)
