"""Fit the transformer's heads on features of the frozen start, the first step of training."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.networks.framings import HEADS
from detector.networks.vit_small_14 import ViTSmall14

_STRENGTH = 0.001  # C of the logistic regression
_CLIPPED = 8.0  # as in the network


def fit_linear_heads(
    network: ViTSmall14, features: NDArray[np.float32], targets: NDArray[np.float32]
) -> None:
    """Set the standardisation and the heads of whole heads from features (n, f) and targets (n, heads).

    Those of the inner face, at which the network does not look, give 0.
    """
    centre, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    weight, bias = linear_heads(np.clip((features - centre) / spread, -_CLIPPED, _CLIPPED), targets)
    with torch.no_grad():
        network.centre.copy_(torch.from_numpy(centre))
        network.spread.copy_(torch.from_numpy(spread))
        network.judge.weight.zero_()[-HEADS:] = torch.from_numpy(weight)
        network.judge.bias.zero_()[-HEADS:] = torch.from_numpy(bias)


def linear_heads(
    z: NDArray[np.float32], targets: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (heads, f) and biases of a logistic regression for each head."""
    weight, bias = np.zeros((HEADS, z.shape[1]), np.float32), np.zeros(HEADS, np.float32)
    for head in range(HEADS):
        asked = targets[:, head] >= 0
        model = LogisticRegression(C=_STRENGTH, max_iter=300, class_weight="balanced")
        model.fit(z[asked], targets[asked, head])
        weight[head], bias[head] = model.coef_[0], model.intercept_[0]
    return weight, bias
