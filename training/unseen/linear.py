"""Linear classifiers on frozen features: weights of examples, and the regression."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from training.unseen.samples import Sample

CLIPPED = 8.0  # standard deviations, as in the network

Features = NDArray[np.float32]


def example_weights(
    samples: Sequence[Sample], twin_share: float, evening: float = 0.5
) -> NDArray[np.float64]:
    """Weights (n,), one on average: both classes alike, twins with ``twin_share`` of the whole.

    A family of fakes weighs the number of its clips to the power ``1 - evening``; unmanipulated clips weigh
    alike within their group's number to the same power.
    """
    pairs = np.array([sample.pair >= 0 for sample in samples])
    fake = np.array([sample.fake for sample in samples])
    keys = [sample.family if sample.fake else sample.group or sample.file for sample in samples]
    frames = Counter(sample.file for sample, of in zip(samples, pairs, strict=True) if not of)
    clips = Counter(key for key, _ in {(k, s.file) for k, s in zip(keys, samples, strict=True) if s.pair < 0})
    weights = np.ones(len(samples))
    for row, (sample, key) in enumerate(zip(samples, keys, strict=True)):
        if sample.pair < 0:
            weights[row] = clips[key] ** -evening / frames[sample.file]
    for chosen, share in ((pairs, twin_share), (~pairs, 1 - twin_share)):
        for label in (fake, ~fake):
            rows = chosen & label
            if rows.any():
                weights[rows] *= share / 2 / weights[rows].sum()
    return weights * len(samples) / weights.sum()


class Standardisation:
    """Centre and spread (f,) of features, and clipping, as the network's heads read them."""

    def __init__(self, features: Features) -> None:
        self.centre = features.mean(axis=0)
        self.spread = features.std(axis=0) + 1e-3

    def __call__(self, features: Features) -> Features:
        out: Features = np.clip((features - self.centre) / self.spread, -CLIPPED, CLIPPED)
        return out


def regression(
    features: Features, labels: NDArray[np.bool_], weights: NDArray[np.float64], strength: float
) -> tuple[Features, float]:
    """Weights (f,) and bias of a logistic regression; ``strength`` is C where weights add up to 5,000."""
    scaled = weights * 5000 / weights.sum()
    model = LogisticRegression(C=strength, max_iter=400).fit(features, labels, sample_weight=scaled)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])
