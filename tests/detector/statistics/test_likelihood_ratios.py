"""Likelihood ratios against values worked out by hand, and against what they must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_validation import items, validation

from detector.schema.laboratory import LikelihoodRatios, Subject, stated_log10
from detector.statistics.likelihood_ratios import _folds, _Labelled, cllr, likelihood_ratios
from detector.validation.limits import find_limits
from detector.validation.rates import scored_items


@pytest.fixture(scope="module")
def ratios() -> LikelihoodRatios:
    result = likelihood_ratios(Subject.VIDEO, scored_items(items(60)))
    assert result is not None
    return result


def test_cost_of_known_ratios() -> None:
    manipulated = np.array([True, True, False, False])
    assert cllr(np.zeros(4), manipulated) == pytest.approx(1), "saying nothing costs one bit"
    log10 = np.log10([3.0, 1.0, 1 / 3, 1.0])
    by_hand = ((math.log2(1 + 1 / 3) + math.log2(2)) / 2 + (math.log2(1 + 1 / 3) + math.log2(2)) / 2) / 2
    assert cllr(log10, manipulated) == pytest.approx(by_hand)


def test_cllr_min_is_a_lower_bound(ratios: LikelihoodRatios) -> None:
    assert 0 < ratios.cllr_min < min(system.cllr for system in ratios.systems) < 1
    best = dict(zip(ratios.ece_odds, ratios.ece_best, strict=True))
    assert best[0.0] == pytest.approx(ratios.cllr_min, abs=1e-3), "at even odds the entropy is the cost"
    assert dict(zip(ratios.ece_odds, ratios.ece_neutral, strict=True))[0.0] == pytest.approx(1)


def test_platt_recovers_the_slope(ratios: LikelihoodRatios) -> None:
    # Two normal distributions of the same spread s, means apart by 2 m: ln LR = score · 2 m / s².
    assert ratios.platt.scale == pytest.approx(2 * 1.6 / 1.3**2, rel=0.35)
    assert abs(ratios.platt.offset) < 0.6


def test_ratios_are_bounded_by_the_number_of_groups(ratios: LikelihoodRatios) -> None:
    assert ratios.most == pytest.approx(math.log10(61), abs=1e-3)
    assert stated_log10(ratios, 1.0) == ratios.most
    assert stated_log10(ratios, 0.0) == ratios.least
    for system in ratios.systems[1:]:
        assert all(ratios.least - 1e-3 <= p.log10_lr <= ratios.most + 1e-3 for p in system.tippett)
    assert [step.log10_lr for step in ratios.pav] == sorted({step.log10_lr for step in ratios.pav})


def test_few_files_give_no_ratios() -> None:
    assert likelihood_ratios(Subject.VIDEO, scored_items(items(9))) is None


def test_ratios_without_left_out_groups_are_not_stated() -> None:
    """Where all of a class belong to one group, no fit can leave it out."""
    for together in ((True, False), (True,), (False,)):
        some = tuple(
            item.model_copy(update={"group": 99}) if item.manipulated in together else item
            for item in items(20)
        )
        assert likelihood_ratios(Subject.VIDEO, scored_items(some)) is None
        text = " ".join(validation(some).limits)
        assert "No likelihood ratios for clips: all of one label belong to one group" in text


def test_folds_keep_both_labels_for_fitting() -> None:
    """Also where all groups of a class would fall into one of the twenty parts if dealt by number."""
    groups = np.r_[np.zeros(5), np.arange(1, 20), np.full(5, 20)].astype(int)
    data = _Labelled(np.zeros(len(groups)), (groups > 0) & (groups < 20), groups)
    folds = _folds(data)
    for fold in np.unique(folds):
        assert min(data.only(folds != fold).counts) > 0
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1


def test_uninformative_ratios_are_a_limit(ratios: LikelihoodRatios) -> None:
    made = validation(items(60))
    for cost, words in ((0.994, ""), (0.998, "cost as much (Cllr 1.00)"), (1.2, "cost more (Cllr 1.20)")):
        platt = ratios.systems[1].model_copy(update={"cllr": cost})
        dear = ratios.model_copy(update={"systems": (ratios.systems[0], platt, ratios.systems[2])})
        limits = find_limits(made.items, made.levels, (dear,), made.repetitions, made.labelled)
        text = " ".join(limit.text for limit in limits)
        assert words in text
        assert ("do not use them" in text) == bool(words)


def test_uninformative_scores_cost_about_one_bit() -> None:
    some = items(60)
    rng = np.random.default_rng(5)
    blind = [item.model_copy(update={"probability": float(rng.uniform(0.1, 0.9))}) for item in some]
    result = likelihood_ratios(Subject.VIDEO, scored_items(blind))
    assert result is not None
    assert result.systems[1].cllr == pytest.approx(1, abs=0.1)
