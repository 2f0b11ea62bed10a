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
    """Fit the divisor of the logits by maximum likelihood on ``labels`` (1 = manipulated).

    This is temperature scaling (Guo et al., ICML 2017), with the targets of :func:`fit_platt`.
    """
    targets, values = _targets(np.asarray(labels, np.float64)), np.asarray(logits, np.float64)

    def loss(log_temperature: float) -> float:
        scaled = values / np.exp(log_temperature)
        return float((np.logaddexp(0, scaled) - targets * scaled).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def fit_platt(labels: ArrayLike, means: ArrayLike) -> Platt:
    """Fit scale and offset of mean logits by maximum likelihood on ``labels``.

    Targets are Platt's, moved away from 0 and 1 according to the number of examples, so that a few examples
    that happen to be separable do not give certainty.
    """
    targets, means = _targets(np.asarray(labels, np.float64)), np.asarray(means, np.float64)

    def loss(values: NDArray[np.float64]) -> float:
        logits = np.exp(values[0]) * means + values[1]
        return float((np.logaddexp(0, logits) - targets * logits).mean())

    fitted = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9}).x
    # Scores without information have scale 0; keep it positive.
    scale = max(round(float(np.exp(fitted[0])), 4), 0.0001)
    return Platt(scale=scale, offset=round(float(fitted[1]), 4))


def _targets(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the target for each label (Platt, 1999): the fewer examples, the closer to one half."""
    fakes = labels.sum()
    return np.where(labels == 1, (fakes + 1) / (fakes + 2), 1 / (len(labels) - fakes + 2))


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> float:
    """Return the ECE of the probability over equal-width bins (Naeini et al., 2015)."""
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    bin_numbers = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        abs(labels[bin_numbers == b].mean() - probabilities[bin_numbers == b].mean())
        * (bin_numbers == b).sum()
        for b in np.unique(bin_numbers)
    ]
    return float(sum(gaps) / len(labels))


Floats = NDArray[np.float64]

RESAMPLES = 1000
_CHUNK = 100  # resamples computed at once, to bound memory
_LOW_RATES = (0.01, 0.05)
_ALIKE = 1e-9  # smaller differences between draws are rounding errors


@dataclass(frozen=True)
class Scored:
    """Items with label (n,), score (n,) that orders them, probability (n,) and group number (n,).

    A group is a unit that must not be split, such as a source video. ``said`` (n,) are decisions that were
    not made by a threshold.
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
        """Build it from logits calibrated by ``temperature``; group names become numbers."""
        _, numbers = np.unique(np.asarray(groups), return_inverse=True)
        values = np.asarray(logits, np.float64)
        return cls(np.asarray(labels, np.int_), values, sigmoid(values / temperature), numbers)

    def only(self, chosen: NDArray[np.bool_]) -> Scored:
        """Return the items where ``chosen`` (n,) is True."""
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
    """A value and its 95 % interval; the interval is None if resampling is not informative."""

    value: float
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, float | None]:
        return {"value": _rounded(self.value), "from": _rounded(self.low), "to": _rounded(self.high)}


def measure(scored: Scored, threshold: float, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Figure]:
    """Compute every metric of ``scored`` by name; ``threshold`` is a probability.

    Intervals are percentiles (2.5 and 97.5) over ``resamples`` draws of whole groups with replacement (Efron,
    1979; Field and Welsh, 2007, for clusters). Draws in which a metric is undefined are ignored, such as an
    AUC without unmanipulated items. The result is empty if one class is missing.
    """
    if not scored.has_both:
        return {}
    ones = np.ones((1, len(scored.labels)))
    values = figures(scored, threshold, ones)
    resampled: dict[str, list[Floats]] = {name: [] for name in values}
    for times in draws(scored.groups, resamples, seed):
        for name, resampled_values in figures(scored, threshold, times[:, scored.groups]).items():
            resampled[name].append(resampled_values)
    return {
        name: Figure(
            float(value[0]), *(interval(np.concatenate(resampled[name])) if resampled[name] else (None, None))
        )
        for name, value in values.items()
    }


def draws(groups: NDArray[np.int_], resamples: int = RESAMPLES, seed: int = 0) -> Iterator[Floats]:
    """Yield how often each group is drawn, as arrays (b, groups), ``resamples`` rows in total."""
    rng = np.random.default_rng(seed)
    present = np.unique(groups)
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        times = np.zeros((rows, int(present.max()) + 1))
        times[:, present] = rng.multinomial(len(present), [1 / len(present)] * len(present), size=rows)
        yield times


def interval(values: Floats) -> tuple[float | None, float | None]:
    """Return the central 95 % of the draws (b,).

    None if fewer than two draws are defined, or if all agree: with a single group, for example, agreement
    says nothing about the uncertainty.
    """
    values = values[np.isfinite(values)]
    if len(values) < 2 or np.ptp(values) < _ALIKE:
        return None, None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def figures(scored: Scored, threshold: float, weights: Floats) -> dict[str, Floats]:
    """Compute each metric for each row of ``weights`` (b, n), as arrays (b,); NaN if undefined.

    A row says how often each item counts in a resample, so that a thousand resamples are a few array
    operations; in the row of the metric itself every item counts once.
    """
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
    """Count ``tp``, ``fp``, ``fn`` and ``tn`` at ``threshold`` for each row of ``weights``."""
    flagged = scored.probabilities >= threshold if scored.said is None else scored.said
    is_fake = scored.labels == 1
    cells = {
        "tp": flagged & is_fake,
        "fp": flagged & ~is_fake,
        "fn": ~flagged & is_fake,
        "tn": ~flagged & ~is_fake,
    }
    return {name: weights @ cell.astype(np.float64) for name, cell in cells.items()}


def confusion(scored: Scored, threshold: float) -> dict[str, int]:
    """Count the four cells at ``threshold``."""
    counts = confusions(scored, threshold, np.ones((1, len(scored.labels))))
    return {name: int(count[0]) for name, count in counts.items()}


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: mean probability, share of manipulated items, and count."""

    said: float
    true: float
    count: int


def reliability(scored: Scored, bins: int = BINS) -> list[Bin]:
    """Return the non-empty bins of a reliability diagram, in order of probability."""
    bin_numbers = np.minimum((scored.probabilities * bins).astype(int), bins - 1)
    return [
        Bin(
            float(scored.probabilities[bin_numbers == b].mean()),
            float(scored.labels[bin_numbers == b].mean()),
            int((bin_numbers == b).sum()),
        )
        for b in np.unique(bin_numbers)
    ]


def roc(scored: Scored) -> tuple[Floats, Floats]:
    """Return false and true positive rates from (0, 0) to (1, 1), one point for each distinct score."""
    true_positive, false_positive, _ = _curve(scored, np.ones((1, len(scored.labels))))
    tpr, fpr = true_positive / true_positive[:, -1:], false_positive / false_positive[:, -1:]
    return _from_zero(fpr)[0], _from_zero(tpr)[0]


@dataclass(frozen=True)
class LeaveOneOutResult:
    """Decisions with thresholds chosen on the other groups; ``thresholds`` by group number."""

    balanced_accuracy: float
    recall: float
    false_positive_rate: float
    thresholds: dict[int, float]


def leave_one_group_out(scored: Scored) -> LeaveOneOutResult:
    """Apply to each group the threshold with the best balanced accuracy on all other groups.

    Raises ``ValueError`` if the other groups lack a class.
    """
    flagged = np.zeros(len(scored.labels), bool)
    thresholds = {}
    for group in np.unique(scored.groups):
        held = scored.groups == group
        others = scored.only(~held)
        if not others.has_both:
            raise ValueError("leaving one group out leaves one class only")
        thresholds[int(group)] = best_threshold(others)
        flagged[held] = scored.scores[held] >= thresholds[int(group)]
    fake = scored.labels == 1
    recall, wrong = float(flagged[fake].mean()), float(flagged[~fake].mean())
    return LeaveOneOutResult((recall + 1 - wrong) / 2, recall, wrong, thresholds)


def best_threshold(scored: Scored) -> float:
    """Return the threshold with the best balanced accuracy; ties go to the highest."""
    true_positive, false_positive, levels = _curve(scored, np.ones((1, len(scored.labels))))
    quality = true_positive[0] / true_positive[0, -1] - false_positive[0] / false_positive[0, -1]
    best = int(np.argmax(quality >= quality.max() - 1e-12))
    if best + 1 == len(levels):
        return float(levels[best])
    return float((levels[best] + levels[best + 1]) / 2)


def _calibration_errors(scored: Scored, weights: Floats) -> Floats:
    """Return the expected calibration error for each row of ``weights``."""
    bin_numbers = np.minimum((scored.probabilities * BINS).astype(int), BINS - 1)
    member = (bin_numbers[:, None] == np.arange(BINS)).astype(np.float64)
    gaps = (weights * (scored.labels - scored.probabilities)) @ member
    result: Floats = np.abs(gaps).sum(axis=1) / weights.sum(axis=1)
    return result


def _curve(scored: Scored, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return true and false positives (b, l) if the l highest distinct scores are flagged."""
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
    """Return where false positives and false negatives cross, interpolated in each row."""
    difference = fpr - (1 - tpr)
    after = np.maximum(np.argmax(difference >= 0, axis=1), 1)
    rows = np.arange(len(fpr))
    high, low = difference[rows, after], difference[rows, after - 1]
    part = -low / (high - low)
    result: Floats = fpr[rows, after - 1] + part * (fpr[rows, after] - fpr[rows, after - 1])
    return result


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)
