"""Figures against hand-computed cases and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from sklearn import metrics as sk

from detector.statistics.metrics import (
    Scored,
    best_threshold,
    confusion,
    expected_calibration_error,
    figures,
    leave_one_group_out,
    measure,
    reliability,
    roc,
)


def scored(labels: list[int], probabilities: list[float], groups: list[str] | None = None) -> Scored:
    values = np.array(probabilities, np.float64)
    _, numbers = np.unique(groups or [str(i) for i in range(len(labels))], return_inverse=True)
    return Scored(np.array(labels), values, values, numbers)


def drawn(seed: int, count: int = 200, ties: bool = True) -> Scored:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    logits = rng.normal(labels * 1.2, 1.5)
    return Scored.of(
        labels, np.round(logits, 1) if ties else logits, [f"g{i % 40}" for i in range(count)], 1.3
    )


def once(items: Scored, threshold: float = 0.5) -> dict[str, float]:
    return {n: float(v[0]) for n, v in figures(items, threshold, np.ones((1, len(items.labels)))).items()}


def crossing(fpr: np.ndarray, tpr: np.ndarray) -> float:
    """The rate at which false positives and false negatives are equal, interpolated along the curve."""
    difference = fpr - (1 - tpr)
    after = int(np.argmax(difference >= 0))
    if after == 0:
        return float(fpr[0])
    before = after - 1
    part = -difference[before] / (difference[after] - difference[before])
    return float(fpr[before] + part * (fpr[after] - fpr[before]))


def equal_error_rate(labels: ArrayLike, scores: ArrayLike) -> float:
    labels = np.asarray(labels).astype(int)
    items = Scored(labels, np.asarray(scores, float), np.full(len(labels), 0.5), np.arange(len(labels)))
    return once(items)["equal error rate"]


def test_worked_example() -> None:
    # Descending: fake .9, real .8, fake .7, real .3 → AUC 3/4, AP (1 + 2/3) / 2.
    items = scored([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.3])
    values = once(items, 0.75)
    assert values["AUC"] == pytest.approx(3 / 4)
    assert values["AP"] == pytest.approx((1 + 2 / 3) / 2)
    assert values["accuracy"] == values["precision"] == values["recall"] == values["F1"] == 0.5
    assert values["false positive rate"] == 0.5
    assert values["accuracy at 0.5"] == 0.75
    assert values["equal error rate"] == pytest.approx(0.5)
    assert values["true positive rate at 1 % false positives"] == 0.5
    assert values["true positive rate at 5 % false positives"] == 0.5
    assert values["Brier score"] == pytest.approx((0.01 + 0.64 + 0.09 + 0.09) / 4)
    assert values["expected calibration error"] == pytest.approx((0.1 + 0.8 + 0.3 + 0.3) / 4)
    assert confusion(items, 0.75) == {"tp": 1, "fp": 1, "fn": 1, "tn": 1}


def test_ties_count_half() -> None:
    assert once(scored([1, 0], [0.5, 0.5]))["AUC"] == 0.5


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [True, False])
def test_as_scikit_learn_has_it(seed: int, ties: bool) -> None:
    items = drawn(seed, ties=ties)
    labels, scores, probabilities = items.labels, items.scores, items.probabilities
    values, decisions = once(items, 0.6), probabilities >= 0.6
    fpr, tpr, _ = sk.roc_curve(labels, scores, drop_intermediate=False)
    assert values["AUC"] == pytest.approx(sk.roc_auc_score(labels, scores))
    assert values["AP"] == pytest.approx(sk.average_precision_score(labels, scores))
    assert values["accuracy"] == pytest.approx(sk.accuracy_score(labels, decisions))
    assert values["precision"] == pytest.approx(sk.precision_score(labels, decisions))
    assert values["recall"] == pytest.approx(sk.recall_score(labels, decisions))
    assert values["F1"] == pytest.approx(sk.f1_score(labels, decisions))
    assert values["Brier score"] == pytest.approx(sk.brier_score_loss(labels, probabilities))
    assert values["equal error rate"] == pytest.approx(crossing(fpr, tpr))
    assert values["expected calibration error"] == pytest.approx(
        expected_calibration_error(labels, probabilities)
    )
    for rate, name in ((0.01, "1 %"), (0.05, "5 %")):
        assert values[f"true positive rate at {name} false positives"] == tpr[fpr <= rate].max()
    ((tn, fp), (fn, tp)) = sk.confusion_matrix(labels, decisions)
    assert confusion(items, 0.6) == {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    assert np.allclose(np.column_stack(roc(items)), np.column_stack([fpr, tpr]))


@given(st.integers(0, 1000))
def test_a_weight_is_so_many_copies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items, times = drawn(seed, 30), rng.integers(0, 3, 30)
    copies = Scored(*(np.repeat(part, times) for part in (items.labels, items.scores)), *(
        np.repeat(part, times) for part in (items.probabilities, items.groups)
    ))  # fmt: skip
    if not copies.has_both:
        return
    weighted = {n: float(v[0]) for n, v in figures(items, 0.6, times[None].astype(np.float64)).items()}
    assert weighted == pytest.approx(once(copies, 0.6), nan_ok=True)


def test_intervals_are_repeatable_and_hold_the_value() -> None:
    items = drawn(3)
    first, again = measure(items, 0.7, 200), measure(items, 0.7, 200)
    assert first == again
    assert measure(items, 0.7, 200, seed=1) != first
    for name in ("AUC", "AP", "accuracy", "Brier score"):
        figure = first[name]
        assert figure.low is not None and figure.high is not None
        assert figure.low < figure.value < figure.high


def test_groups_widen_the_interval() -> None:
    """A hundred copies of four pairs say no more than the pairs do."""
    base = drawn(5, 8, ties=False)
    many = Scored(*(np.tile(p, 100) for p in (base.labels, base.scores, base.probabilities)), np.arange(800))
    tied = Scored(many.labels, many.scores, many.probabilities, np.tile(np.arange(8), 100))
    loose, held = measure(many, 0.5, 300)["AUC"], measure(tied, 0.5, 300)["AUC"]
    assert loose.value == pytest.approx(held.value)
    assert loose.high and held.high and loose.low is not None and held.low is not None
    assert held.high - held.low > 3 * (loose.high - loose.low)


def test_draws_that_all_agree_say_nothing() -> None:
    """Neither one group alone, nor scores that part the classes whatever is drawn."""
    base = drawn(5, 40)
    sample = Scored(base.labels, base.scores, base.probabilities, np.zeros(40, int))
    assert {(figure.low, figure.high) for figure in measure(sample, 0.5, 50).values()} == {(None, None)}
    parted = measure(scored([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.8, 0.9]), 0.5)["AUC"]
    assert (parted.value, parted.low, parted.high) == (1, None, None)


def test_one_class_is_not_measured() -> None:
    assert measure(scored([1, 1], [0.2, 0.4]), 0.5) == {}


def test_reliability_bins() -> None:
    bins = reliability(scored([0, 1, 1, 1], [0.01, 0.03, 0.99, 1.0]))
    assert [(b.said, b.true, b.count) for b in bins] == [(0.02, 0.5, 2), (0.995, 1.0, 2)]


def test_best_threshold_is_in_the_middle() -> None:
    assert best_threshold(scored([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9])) == pytest.approx(0.4)


def test_leave_one_group_out() -> None:
    # Without group c the best threshold is 0.5; its unmanipulated clip at 0.55 is then flagged.
    items = scored([0, 1, 0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8, 0.55, 0.95], ["a", "a", "b", "b", "c", "c"])
    left = leave_one_group_out(items)
    assert left.recall == 1.0 and left.false_positive_rate == pytest.approx(1 / 3)
    assert left.balanced_accuracy == pytest.approx((1 + 2 / 3) / 2)
    assert left.thresholds[2] == pytest.approx(0.5)
    with pytest.raises(ValueError, match="one class"):
        leave_one_group_out(scored([0, 1], [0.1, 0.9], ["a", "b"]))


class TestEqualErrorRate:
    def test_by_hand(self) -> None:
        assert equal_error_rate([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == 0
        assert equal_error_rate([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1]) == 1
        assert equal_error_rate([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9]) == pytest.approx(0.5)
        # Of four each, one false alarm and one miss at any threshold between 0.4 and 0.6.
        assert equal_error_rate(
            [0, 0, 0, 0, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.35, 0.8, 0.85, 0.9]
        ) == pytest.approx(0.25)  # fmt: skip

    def test_interpolated_between_the_steps(self) -> None:
        """One tie holds everything: the line from (0, 0) to (1, 1) crosses at one half."""
        assert equal_error_rate([0, 1, 1], [0.5, 0.5, 0.5]) == pytest.approx(0.5)

    @pytest.mark.parametrize("seed", range(5))
    def test_both_errors_are_equal_there(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        labels = rng.random(400) < 0.4
        scores = rng.normal(labels.astype(float), 1.0)
        rate = equal_error_rate(labels, scores)
        false_positive, true_positive, _ = sk.roc_curve(labels, scores)
        false_negative = 1 - np.interp(rate, false_positive, true_positive)
        assert 0.2 < rate < 0.45
        assert false_negative == pytest.approx(rate, abs=0.02)
        assert equal_error_rate(1 - labels.astype(int), -scores) == pytest.approx(rate, abs=0.01)
