"""Intervals of error rates, against tables and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from detector.models.model_files import load_card, read_card
from detector.statistics.error_rates import clopper_pearson


@pytest.mark.parametrize(
    ("events", "items", "low", "high"),
    [(0, 13, 0.0, 0.2471), (3, 11, 0.0602, 0.6097), (5, 5, 0.4782, 1.0), (1, 20, 0.0013, 0.2487)],
)
def test_known_intervals(events: int, items: int, low: float, high: float) -> None:
    assert clopper_pearson(events, items) == pytest.approx((low, high), abs=1e-4)
    other = binomtest(events, items).proportion_ci(method="exact")
    assert clopper_pearson(events, items) == pytest.approx((other.low, other.high), abs=1e-9)


def test_coverage_of_the_interval() -> None:
    drawn = np.random.default_rng(0).binomial(24, 0.1, size=2000)
    covered = np.mean([low <= 0.1 <= high for low, high in (clopper_pearson(int(k), 24) for k in drawn)])
    assert covered >= 0.95


def test_card_without_rates_loads() -> None:
    card, _ = load_card()
    old = card.model_dump_json(exclude={"rates", "validated"})
    assert read_card(old.encode(), "old.json").rates == ()
