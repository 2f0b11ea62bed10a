"""Fit the linear head on pooled cells, and judge every page by a head that has not seen it."""

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


def fit_on(
    recordings: Sequence[Recording],
    conditions: Sequence[Mapping[str, Cells]],
    left_out: frozenset[str] = frozenset(),
) -> Head:
    """Fit on recordings in several ``conditions``, clean or degraded, without the pages ``left_out``."""
    features, synthetic, weights = [], [], []
    kept = [recording for recording in recordings if recording.page not in left_out]
    for cells in conditions:
        present = [recording for recording in kept if recording.name in cells]
        features.append(np.stack([cells[recording.name].window() for recording in present]))
        synthetic.append(np.array([recording.synthetic for recording in present]))
        weights.append(balanced_weights(present))
    return fit_head(np.concatenate(features), np.concatenate(synthetic), np.concatenate(weights))


def heads_of_folds(
    recordings: Sequence[Recording], folds: Mapping[str, int], conditions: Sequence[Mapping[str, Cells]]
) -> dict[int, Head]:
    """Return a head for each fold, fitted without its pages."""
    return {
        fold: fit_on(
            recordings, conditions, frozenset(page for page, number in folds.items() if number == fold)
        )
        for fold in sorted(set(folds.values()))
    }
