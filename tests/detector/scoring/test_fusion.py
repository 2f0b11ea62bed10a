"""What a logit of the scan and four of the second look amount to together."""

from __future__ import annotations

import numpy as np
import pytest
from second_looks import card

from detector.schema.model import Platt
from detector.scoring.fusion import Fusion


def test_fused_is_a_soft_maximum_of_both_halves() -> None:
    fusion = Fusion.of(card())
    quiet = np.array([[-1.0, -2.0, -1.5, 0.5, -2.5]])  # the centres
    assert fusion.logit(quiet)[0] == pytest.approx(np.log(np.exp(-1.0) + np.exp(-2.0)))
    for column in range(5):
        louder = quiet.copy()
        louder[0, column] += 4
        assert fusion.logit(louder)[0] > fusion.logit(quiet)[0]
    altered, synthesised = fusion.halves(quiet)
    assert (altered[0], synthesised[0]) == (fusion.logit(quiet)[0], -2.0)
    assert fusion.neutral.tolist() == quiet[0].tolist()


def test_a_reserve_holds_the_synthesised_half_back() -> None:
    """It alone must be so much surer; no answer is above what both say together."""
    fusion = Fusion.of(card().model_copy(update={"reserve": 2.0}))
    inputs = np.array([[-1.0, -2.0, -1.5, 0.5, 5.0]])
    plain = Fusion.of(card())
    assert fusion.logit(inputs)[0] == pytest.approx(plain.logit(inputs)[0] - 2, abs=0.01)
    altered, synthesised = fusion.halves(inputs)
    assert altered[0] < synthesised[0] == fusion.logit(inputs)[0]


def test_networks_that_lie_too_far_apart_contradict_each_other() -> None:
    """In standard deviations of each; the centres of both are alike, whatever their logits."""
    fusion = Fusion.of(card().model_copy(update={"agreement": 2.0}))
    inputs = np.tile(fusion.neutral, (4, 1))
    inputs[:, 0] += [0.0, 1.9, 2.1, -2.1]
    assert fusion.apart(inputs) == pytest.approx([0.0, 1.9, 2.1, -2.1])
    assert fusion.contradicts(inputs).tolist() == [False, False, True, True]
    assert not Fusion.of(card()).contradicts(inputs).any(), "without a limit they may"


def test_published_logits_are_scaled() -> None:
    inputs = np.zeros((2, 5))
    plain, scaled = Fusion.of(card()), Fusion.of(card(Platt(scale=2.0, offset=-1.0)))
    assert scaled.logit(inputs) == pytest.approx(2 * plain.logit(inputs) - 1)


def test_beyond_the_knee_published_logits_rise_faster() -> None:
    plain = Fusion.of(card(Platt(scale=0.5, offset=-1.0)))
    bent = Fusion.of(card(Platt(scale=0.5, offset=-1.0)).model_copy(update={"knee": 0.6, "beyond": 1.5}))
    fast = np.zeros((40, 5))
    fast[:, 0] = np.linspace(-5, 10, 40)
    before, after = plain.logit(fast), bent.logit(fast)
    below = before <= 0.6
    assert below.any() and not below.all()
    assert after[below] == pytest.approx(before[below])
    assert after[~below] - 0.6 == pytest.approx(3 * (before[~below] - 0.6))
