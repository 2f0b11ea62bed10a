"""Temperature scaling (Guo et al., ICML 2017) and how well calibrated the result is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar

from detector.schema.analysis import Platt

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
