"""Compute detection metrics with bootstrap intervals resampled over groups, and fit calibrations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar

from detector.schema.analysis import Platt
from detector.schema.scores import sigmoid

BINS = 15


def fit_temperature(labels: ArrayLike, logits: ArrayLike) -> float:
    """The divisor of the logits with the least negative log-likelihood on ``labels`` (1 = manipulated).

    Targets are drawn in as those of :func:`fit_platt`.
    """
    targets, values = _targets(np.asarray(labels, np.float64)), np.asarray(logits, np.float64)

    def loss(log_temperature: float) -> float:
        scaled = values / np.exp(log_temperature)
        return float((np.logaddexp(0, scaled) - targets * scaled).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def fit_platt(labels: ArrayLike, means: ArrayLike) -> Platt:
    """Scale and offset of mean logits with the least negative log-likelihood on ``labels``.

    Targets are Platt's own, drawn in from 0 and 1 by the number of examples, so that a few
    examples which happen to separate do not give certainty.
    """
    targets, means = _targets(np.asarray(labels, np.float64)), np.asarray(means, np.float64)

    def loss(values: NDArray[np.float64]) -> float:
        logits = np.exp(values[0]) * means + values[1]
        return float((np.logaddexp(0, logits) - targets * logits).mean())

    fitted = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9}).x
    # Where scores tell nothing the scale goes to 0, which says the same of all of them.
    scale = max(round(float(np.exp(fitted[0])), 4), 0.0001)
    return Platt(scale=scale, offset=round(float(fitted[1]), 4))


def _targets(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """What stands for labels 1 and 0 in a fit (Platt, 1999): the fewer there are, the nearer to a half."""
    fakes = labels.sum()
    return np.where(labels == 1, (fakes + 1) / (fakes + 2), 1 / (len(labels) - fakes + 2))


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> float:
    """ECE of the probability of manipulation over equal-width bins (Naeini et al., 2015)."""
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    which = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        abs(labels[which == b].mean() - probabilities[which == b].mean()) * (which == b).sum()
        for b in np.unique(which)
    ]
    return float(sum(gaps) / len(labels))


Floats = NDArray[np.float64]

RESAMPLES = 1000
_CHUNK = 100  # resamples computed at once, to bound memory
_LOW_RATES = (0.01, 0.05)
_ALIKE = 1e-9  # draws that differ by less are the same but for rounding


@dataclass(frozen=True)
class Scored:
    """Items with a label (n,), a score (n,) that orders them, its probability (n,) and a group (n,).

    ``said`` (n,) is the decision on each where it is not made by a threshold.
    """

    labels: NDArray[np.int_]
    scores: Floats
    probabilities: Floats
    groups: NDArray[np.int_]
    said: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls, labels: ArrayLike, logits: ArrayLike, groups: Sequence[str], temperature: float = 1.0
    ) -> Scored:
        """From logits, calibrated by ``temperature``; group names become numbers."""
        _, numbers = np.unique(np.asarray(groups), return_inverse=True)
        values = np.asarray(logits, np.float64)
        return cls(np.asarray(labels, np.int_), values, sigmoid(values / temperature), numbers)

    def only(self, chosen: NDArray[np.bool_]) -> Scored:
        """The items where ``chosen`` (n,) is True."""
        return Scored(
            self.labels[chosen],
            self.scores[chosen],
            self.probabilities[chosen],
            self.groups[chosen],
            None if self.said is None else self.said[chosen],
        )

    @property
    def has_both(self) -> bool:
        return 0 < int(self.labels.sum()) < len(self.labels)


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval; the interval is None where resampling says nothing."""

    value: float
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, float | None]:
        return {"value": _rounded(self.value), "from": _rounded(self.low), "to": _rounded(self.high)}


def measure(scored: Scored, threshold: float, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Figure]:
    """Every figure of ``scored`` by name; ``threshold`` is a probability.

    Intervals are percentiles (2.5 and 97.5) of the figure over ``resamples`` draws of
    whole groups with replacement (Efron, 1979; Field and Welsh, 2007, for clusters). Draws
    in which a figure is undefined, such as the AUC without one unmanipulated item, are left
    out; so is the interval where all draws agree (:func:`interval`). Empty when one class is missing.
    """
    if not scored.has_both:
        return {}
    ones = np.ones((1, len(scored.labels)))
    values = figures(scored, threshold, ones)
    drawn: dict[str, list[Floats]] = {name: [] for name in values}
    for times in draws(scored.groups, resamples, seed):
        for name, one in figures(scored, threshold, times[:, scored.groups]).items():
            drawn[name].append(one)
    return {
        name: Figure(
            float(value[0]), *(interval(np.concatenate(drawn[name])) if drawn[name] else (None, None))
        )
        for name, value in values.items()
    }


def draws(groups: NDArray[np.int_], resamples: int = RESAMPLES, seed: int = 0) -> Iterator[Floats]:
    """How often each group, by its number, is drawn: arrays (b, groups), ``resamples`` rows together."""
    rng = np.random.default_rng(seed)
    present = np.unique(groups)
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        times = np.zeros((rows, int(present.max()) + 1))
        times[:, present] = rng.multinomial(len(present), [1 / len(present)] * len(present), size=rows)
        yield times


def interval(drawn: Floats) -> tuple[float | None, float | None]:
    """The middle 95 % of what was drawn (b,).

    None where fewer than two draws are defined, and where all of them agree: that shows what could not be
    drawn otherwise, such as one group alone, and nothing of how well the figure is known.
    """
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < 2 or np.ptp(drawn) < _ALIKE:
        return None, None
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def figures(scored: Scored, threshold: float, weights: Floats) -> dict[str, Floats]:
    """Each figure for each row of ``weights`` (b, n), as arrays (b,); NaN where undefined."""
    true_positive, false_positive, levels = _curve(scored, weights)
    positives, negatives = true_positive[:, -1:], false_positive[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        tpr, fpr = true_positive / positives, false_positive / negatives
        precision = np.where(true_positive + false_positive > 0, true_positive, 1) / np.maximum(
            true_positive + false_positive, 1e-12
        )
        steps = np.diff(true_positive, axis=1, prepend=0)
        out = {
            "AUC": np.trapezoid(_from_zero(tpr), _from_zero(fpr), axis=1),
            "AP": (steps * np.where(steps > 0, precision, 0)).sum(axis=1) / positives[:, 0],
            "equal error rate": _equal_error_rate(_from_zero(fpr), _from_zero(tpr)),
        }
        for rate in _LOW_RATES:
            reached = np.where(_from_zero(fpr) <= rate + 1e-12, _from_zero(tpr), 0).max(axis=1)
            out[f"true positive rate at {rate:.0%} false positives".replace("%", " %")] = np.where(
                np.isfinite(fpr[:, -1]), reached, np.nan
            )
        confusion = confusions(scored, threshold, weights)
        tp, fp, fn, tn = (confusion[name] for name in ("tp", "fp", "fn", "tn"))
        out |= {
            "accuracy": (tp + tn) / (tp + fp + fn + tn),
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "F1": 2 * tp / (2 * tp + fp + fn),
            "false positive rate": fp / (fp + tn),
        }
        total = weights.sum(axis=1)
        out["expected calibration error"] = _calibration_errors(scored, weights)
        out["Brier score"] = (weights * (scored.probabilities - scored.labels) ** 2).sum(axis=1) / total
        half = (scored.probabilities >= 0.5) == (scored.labels == 1)
        out["accuracy at 0.5"] = (weights * half).sum(axis=1) / total
    return out


def confusions(scored: Scored, threshold: float, weights: Floats) -> dict[str, Floats]:
    """``tp``, ``fp``, ``fn`` and ``tn`` at ``threshold`` for each row of ``weights``, as arrays (b,)."""
    said = scored.probabilities >= threshold if scored.said is None else scored.said
    is_fake = scored.labels == 1
    cells = {"tp": said & is_fake, "fp": said & ~is_fake, "fn": ~said & is_fake, "tn": ~said & ~is_fake}
    return {name: weights @ cell.astype(np.float64) for name, cell in cells.items()}


def confusion(scored: Scored, threshold: float) -> dict[str, int]:
    """Counts of the four cells at ``threshold``."""
    counts = confusions(scored, threshold, np.ones((1, len(scored.labels))))
    return {name: int(count[0]) for name, count in counts.items()}


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: probabilities said, share truly manipulated, how many items."""

    said: float
    true: float
    count: int


def reliability(scored: Scored, bins: int = BINS) -> list[Bin]:
    """The filled ones of ``bins`` equal-width bins, in order of probability."""
    which = np.minimum((scored.probabilities * bins).astype(int), bins - 1)
    return [
        Bin(
            float(scored.probabilities[which == b].mean()),
            float(scored.labels[which == b].mean()),
            int((which == b).sum()),
        )
        for b in np.unique(which)
    ]


def roc(scored: Scored) -> tuple[Floats, Floats]:
    """False and true positive rates from (0, 0) to (1, 1), one point a distinct score."""
    true_positive, false_positive, _ = _curve(scored, np.ones((1, len(scored.labels))))
    tpr, fpr = true_positive / true_positive[:, -1:], false_positive / false_positive[:, -1:]
    return _from_zero(fpr)[0], _from_zero(tpr)[0]


@dataclass(frozen=True)
class LeftOut:
    """Decisions with thresholds chosen on the other groups; ``thresholds`` by group number."""

    balanced_accuracy: float
    recall: float
    false_positive_rate: float
    thresholds: dict[int, float]


def leave_one_group_out(scored: Scored) -> LeftOut:
    """For each group choose the threshold of best balanced accuracy on all others, and apply it.

    Of equally good thresholds the one in the middle of the highest stretch is taken.
    Raises ``ValueError`` when a class vanishes with some group.
    """
    said = np.zeros(len(scored.labels), bool)
    thresholds = {}
    for group in np.unique(scored.groups):
        held = scored.groups == group
        others = scored.only(~held)
        if not others.has_both:
            raise ValueError("leaving one group out leaves one class only")
        thresholds[int(group)] = best_threshold(others)
        said[held] = scored.scores[held] >= thresholds[int(group)]
    fake = scored.labels == 1
    recall, wrong = float(said[fake].mean()), float(said[~fake].mean())
    return LeftOut((recall + 1 - wrong) / 2, recall, wrong, thresholds)


def best_threshold(scored: Scored) -> float:
    """The score that parts the classes with the best balanced accuracy; ties go to the highest."""
    true_positive, false_positive, levels = _curve(scored, np.ones((1, len(scored.labels))))
    quality = true_positive[0] / true_positive[0, -1] - false_positive[0] / false_positive[0, -1]
    best = int(np.argmax(quality >= quality.max() - 1e-12))
    if best + 1 == len(levels):
        return float(levels[best])
    return float((levels[best] + levels[best + 1]) / 2)


def _calibration_errors(scored: Scored, weights: Floats) -> Floats:
    """The expected calibration error for each row of ``weights``."""
    which = np.minimum((scored.probabilities * BINS).astype(int), BINS - 1)
    member = (which[:, None] == np.arange(BINS)).astype(np.float64)
    gaps = (weights * (scored.labels - scored.probabilities)) @ member
    result: Floats = np.abs(gaps).sum(axis=1) / weights.sum(axis=1)
    return result


def _curve(scored: Scored, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """True and false positives (b, l) when the l highest distinct scores are said to be manipulated."""
    order = np.argsort(-scored.scores, kind="stable")
    ranked = scored.scores[order]
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    fake = (scored.labels[order] == 1).astype(np.float64)
    sorted_weights = weights[:, order]
    true_positive = np.cumsum(sorted_weights * fake, axis=1)[:, ends]
    false_positive = np.cumsum(sorted_weights * (1 - fake), axis=1)[:, ends]
    return true_positive, false_positive, ranked[ends]


def _from_zero(rates: Floats) -> Floats:
    return np.concatenate([np.zeros((len(rates), 1)), rates], axis=1)


def _equal_error_rate(fpr: Floats, tpr: Floats) -> Floats:
    """Where false positives and false negatives cross, interpolated along each row."""
    difference = fpr - (1 - tpr)
    after = np.maximum(np.argmax(difference >= 0, axis=1), 1)
    rows = np.arange(len(fpr))
    high, low = difference[rows, after], difference[rows, after - 1]
    part = -low / (high - low)
    result: Floats = fpr[rows, after - 1] + part * (fpr[rows, after] - fpr[rows, after - 1])
    return result


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)
