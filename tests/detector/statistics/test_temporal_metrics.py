"""Temporal figures against small worked examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.statistics.temporal_metrics import (
    Timed,
    average_precision,
    average_recall,
    detection_delay,
    flicker,
    mean_overlap,
    overlap,
    sign_changes,
    span_overlap,
)


def video(name: str, truth: list[Any], *proposals: tuple[float, float, float]) -> Timed:
    return Timed(name, tuple(truth), proposals)


@pytest.mark.parametrize(
    ("truth", "predictions", "expected"),
    [
        ([], [], 0.0),
        ([(0, 1)], [], 0.0),
        ([], [(0, 1)], 0.0),
        ([(0, 1)], [(0, 1)], 1.0),
        ([(0, 2)], [(1, 3)], 1 / 3),
        ([(0, 4)], [(1, 2)], 1 / 4),
        ([(0, 1)], [(1, 2)], 0.0),
        ([(0, 1)], [(5, 6)], 0.0),
        ([(0, 2), (4, 6)], [(1, 5)], 2 / 6),
        ([(0, 2), (4, 6)], [(0, 2), (4, 6)], 1.0),
        # Two persons flagged at once are one stretch of time, not two.
        ([(0, 2)], [(0, 2), (1, 3)], 2 / 3),
        ([(0, 2)], [(1, 1)], 0.0),
    ],
)
def test_overlap(truth: list[Any], predictions: list[Any], expected: float) -> None:
    assert overlap(truth, predictions) == pytest.approx(expected)
    assert overlap(predictions, truth) == pytest.approx(expected)


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda s: (s[0] / 4, (s[0] + s[1]) / 4)), max_size=5
)


@given(spans, spans)
def test_overlap_by_counting(truth: list[Any], said: list[Any]) -> None:
    """Quarter seconds are counted one by one."""
    ticks = [i / 4 + 0.125 for i in range(90)]
    a, b = ([any(start <= t < end for start, end in these) for t in ticks] for these in (truth, said))
    both, either = sum(map(all, zip(a, b, strict=True))), sum(map(any, zip(a, b, strict=True)))
    assert overlap(truth, said) == pytest.approx(both / either if either else 0.0)


def test_span_overlap() -> None:
    assert span_overlap((0, 2), (1, 3)) == pytest.approx(1 / 3)
    assert span_overlap((0, 1), (2, 3)) == 0
    assert span_overlap((1, 1), (1, 1)) == 0


def test_average_precision_worked_example() -> None:
    """Ranked: hit, false alarm, hit; three true segments → 1/3 · 1 + 1/3 · 2/3."""
    videos = [
        video("a", [(0, 2), (5, 7)], (0, 2, 0.9), (5, 7.5, 0.5)),
        video("b", [(1, 2)], (8, 9, 0.7)),
    ]
    assert average_precision(videos, 0.5) == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    # At 0.95 the second of a (0.8) is no hit any more.
    assert average_precision(videos, 0.95) == pytest.approx(1 / 3)


def test_precision_is_interpolated() -> None:
    """False alarm first, then two hits: precision 2/3 counts for both."""
    videos = [video("a", [(0, 1), (2, 3)], (8, 9, 0.9), (0, 1, 0.8), (2, 3, 0.7))]
    assert average_precision(videos, 0.5) == pytest.approx(2 / 3)


def test_segment_is_matched_once() -> None:
    twice = [video("a", [(0, 2)], (0, 2, 0.9), (0, 2, 0.8)), video("b", [(0, 2)], (0, 2, 0.7))]
    # Hit, false alarm, hit of two: 1/2 + 1/2 · 2/3.
    assert average_precision(twice, 0.5) == pytest.approx(1 / 2 + 1 / 3)


def test_matches_stay_within_a_video() -> None:
    assert average_precision([video("a", [(0, 2)]), video("b", [], (0, 2, 0.9))], 0.5) == 0
    assert average_precision([video("a", [(0, 2)])], 0.5) == 0
    with pytest.raises(ValueError, match="true segment"):
        average_precision([video("a", [])], 0.5)


def test_best_free_segment_is_matched() -> None:
    """A proposal over two true segments takes the nearer one, the next proposal the other."""
    near = [video("a", [(0, 3), (0, 4)], (0, 4, 0.9), (0, 3.5, 0.8))]
    assert average_precision(near, 0.5) == 1


def test_average_recall() -> None:
    videos = [video("a", [(0, 2)], (0, 2, 0.1), (5, 6, 0.9)), video("b", [(0, 4)], (0, 3, 0.4))]
    # b's overlap of 0.75 holds for six of ten thresholds; a's for all, if two proposals count.
    assert average_recall(videos, 10) == pytest.approx((1 + 0.6) / 2)
    assert average_recall(videos, 1) == pytest.approx(0.6 / 2)
    with pytest.raises(ValueError, match="true segment"):
        average_recall([], 10)


def test_mean_overlap_is_over_manipulated_ones() -> None:
    videos = [video("a", [(0, 2)], (1, 3, 1)), video("b", [(0, 2)]), video("c", [], (0, 9, 1))]
    assert mean_overlap(videos) == pytest.approx(1 / 6)


def test_detection_delay() -> None:
    videos = [
        video("a", [(1, 4), (6, 8)], (0, 2, 0.9), (3, 4, 0.9), (6.5, 7, 0.9)),
        video("b", [(1, 2)], (2, 3, 0.9)),
    ]
    delay = detection_delay(videos)
    assert (delay.mean, delay.median) == pytest.approx((0.25, 0.25))
    assert (delay.met, delay.missed) == (2, 1)
    assert detection_delay([video("b", [(1, 2)])]).mean is None


def test_flicker() -> None:
    times = np.arange(5) / 2
    values = np.array([0.1, 0.7, 0.8, 0.2, 0.9])
    assert sign_changes(times, values, 0.7) == 3
    assert flicker([(times, values), (times, np.zeros(5))], 0.7) == pytest.approx(3 / 4)
    assert flicker([(times[:1], values[:1])], 0.7) == 0
