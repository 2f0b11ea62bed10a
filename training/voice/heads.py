"""Fit the linear head on pooled cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.voice.cells import Cells
from training.voice.recordings import Recording, balanced_weights

Floats = NDArray[np.float64]
STRENGTH = 1e-3
"""Inverse of the head's regularisation, on standardised features; chosen by pages left out."""
_ROUNDS = 300


@dataclass(frozen=True)
class Head:
    """A linear function of pooled cells."""

    weight: Floats
    bias: float

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """Return the raw scores (n,) of features (n, 2048)."""
        scores: Floats = features @ self.weight + self.bias
        return scores


def fit_head(features: NDArray[np.floating], synthetic: NDArray[np.bool_], weights: Floats) -> Head:
    """Fit a logistic regression to features (n, 2048)."""
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=STRENGTH, max_iter=_ROUNDS)
    model.fit(scaler.transform(features), synthetic, sample_weight=weights)
    weight = model.coef_[0] / scaler.scale_
    return Head(weight, float(model.intercept_[0] - weight @ scaler.mean_))


def fit_on(recordings: Sequence[Recording], conditions: Sequence[Mapping[str, Cells]]) -> Head:
    """Fit on recordings in one or several ``conditions``, such as clean and degraded."""
    features, synthetic, weights = [], [], []
    for cells in conditions:
        present = [recording for recording in recordings if recording.name in cells]
        features.append(np.stack([cells[recording.name].window() for recording in present]))
        synthetic.append(np.array([recording.synthetic for recording in present]))
        weights.append(balanced_weights(present))
    return fit_head(np.concatenate(features), np.concatenate(synthetic), np.concatenate(weights))
