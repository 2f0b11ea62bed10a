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
STRENGTH = 3e-4
"""Inverse of the head's regularisation, on standardised features; chosen by pages left out."""
_ROUNDS = 300


@dataclass(frozen=True)
class Head:
    """A linear function of pooled cells."""

    weight: Floats
    bias: float

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """Return the raw scores (n,) of features (n, 4848)."""
        scores: Floats = features @ self.weight + self.bias
        return scores


def fit_head(
    features: NDArray[np.floating], synthetic: NDArray[np.bool_], weights: Floats, pages: Sequence[str]
) -> Head:
    """Fit a logistic regression to features (n, 4848) from which their page's part was removed.

    That part is the middle between the means of both classes of a page, so that channel and speakers of a
    page teach nothing. A page of one class stays as it is.
    """
    scaler = StandardScaler().fit(features)
    scaled, of_page = scaler.transform(features), np.array(pages)
    for page in sorted(set(pages)):
        here = of_page == page
        if 0 < synthetic[here].sum() < here.sum():
            means = [scaled[here & (synthetic == side)].mean(axis=0) for side in (False, True)]
            scaled[here] -= np.mean(means, axis=0)
    model = LogisticRegression(C=STRENGTH, max_iter=_ROUNDS)
    model.fit(scaled, synthetic, sample_weight=weights)
    weight = model.coef_[0] / scaler.scale_
    return Head(weight, float(model.intercept_[0] - weight @ scaler.mean_))


def fit_on(recordings: Sequence[Recording], conditions: Sequence[Mapping[str, Cells]]) -> Head:
    """Fit on the pooled cells of ``recordings`` in several ``conditions``, such as clean and degraded.

    A page is one in all conditions, so that the head learns to score speech alike in each.
    """
    features = np.stack([cells[recording.name].window() for cells in conditions for recording in recordings])
    synthetic = np.array([recording.synthetic for recording in recordings])
    pages = [recording.page for recording in recordings] * len(conditions)
    weights = np.tile(balanced_weights(recordings), len(conditions))
    return fit_head(features, np.tile(synthetic, len(conditions)), weights, pages)
