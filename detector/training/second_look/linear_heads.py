"""Fit the transformer's linear heads on features of its blocks, which stay as they are."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.networks.readings import QUESTIONS, READINGS, outputs_of
from detector.networks.vit_small_14 import ViTSmall14

STRENGTH = 0.001
"""C of the logistic regression, unless another is given."""
_CLIPPED = 8.0  # as in the network


def fit_linear_heads(
    network: ViTSmall14,
    features: NDArray[np.float32],
    framings: NDArray[np.int64],
    targets: NDArray[np.float32],
) -> None:
    """Set heads that say nothing yet, from features (n, f) of ``framings`` (n,) and targets (n, questions).

    With the first ones the standardisation is set. The heads of a framing without examples stay as they are.
    """
    weights, biases = (
        part.detach().view(READINGS, QUESTIONS, -1) for part in (network.judge.weight, network.judge.bias)
    )
    if not weights.any():
        network.centre.copy_(torch.from_numpy(features.mean(axis=0)))
        network.spread.copy_(torch.from_numpy(features.std(axis=0) + 1e-3))
    for framing in np.unique(framings).tolist():
        if weights[framing].any():
            continue
        chosen = framings == framing
        z = as_read(network, features[chosen])
        weight, bias = linear_heads(z, targets[chosen])
        weights[framing], biases[framing] = torch.from_numpy(weight), torch.from_numpy(bias)[:, None]


def standardised(
    features: NDArray[np.float32], centre: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Features (n, f) less ``centre`` (f,), divided by ``spread`` (f,), clipped."""
    return np.clip((features - centre) / spread, -_CLIPPED, _CLIPPED)


def as_read(network: ViTSmall14, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (n, f) of crops by ``network``, standardised as its heads take them."""
    return standardised(features, network.centre.numpy(), network.spread.numpy())


def head_of(network: ViTSmall14, reading: int, question: int) -> tuple[NDArray[np.float32], float]:
    """Weights (f,) and bias of one head of ``network``, for standardised features."""
    row = outputs_of(reading)[question]
    return network.judge.weight[row].detach().numpy().copy(), network.judge.bias[row].item()


def set_head(
    network: ViTSmall14, reading: int, question: int, weight: NDArray[np.float32], bias: float
) -> None:
    """Let one head of ``network`` say what weights (f,) and ``bias`` make of standardised features."""
    row = outputs_of(reading)[question]
    with torch.no_grad():
        network.judge.weight[row] = torch.from_numpy(weight)
        network.judge.bias[row] = bias


def linear_heads(
    features: NDArray[np.float32], targets: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (questions, f) and biases of a logistic regression for each question."""
    weight = np.zeros((QUESTIONS, features.shape[1]), np.float32)
    bias = np.zeros(QUESTIONS, np.float32)
    for question in range(QUESTIONS):
        asked = targets[:, question] >= 0
        weight[question], bias[question] = linear_head(features[asked], targets[asked, question])
    return weight, bias


def linear_head(
    features: NDArray[np.float32],
    labels: NDArray[np.generic],
    strength: float = STRENGTH,
    weights: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Weights (f,) and bias of a logistic regression on ``features`` (n, f) with ``labels`` (n,).

    Classes count alike; ``weights`` (n,) say what an example counts among those of its class. ``strength`` is
    the regression's C, for weights that add up to the number of examples.
    """
    among = np.ones(len(features)) if weights is None else weights.copy()
    for chosen in (labels == 1, labels != 1):
        share_out(among, chosen, len(features) / 2)
    model = LogisticRegression(C=strength, max_iter=300).fit(features, labels, sample_weight=among)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def head_with_pairs(
    features: NDArray[np.float32],
    labels: NDArray[np.generic],
    pairs: NDArray[np.float32],
    share: float,
    strength: float,
    weights: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Weights (f,) and bias of a logistic regression on ``features`` (n, f) of ``labels`` (n,) and on pairs.

    Of the ``pairs`` (2 m, f) every other row is of something made. They have ``share`` of the weight, which
    adds up to one; ``strength`` is the regression's C for that. In both parts the classes count alike;
    ``weights`` (n,) say what an example counts among those of its class.
    """
    every = np.concatenate([features, pairs])
    is_made = np.concatenate([labels, np.tile([0, 1], len(pairs) // 2)]) == 1
    among = np.concatenate([np.ones(len(features)) if weights is None else weights, np.ones(len(pairs))])
    is_pair = np.arange(len(every)) >= len(features)
    for part, of_all in ((~is_pair, 1 - share), (is_pair, share)):
        for chosen in (part & is_made, part & ~is_made):
            share_out(among, chosen, of_all / 2)
    model = LogisticRegression(C=strength, max_iter=500).fit(every, is_made, sample_weight=among)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def share_out(weights: NDArray[np.float64], chosen: NDArray[np.bool_], total: float) -> None:
    """Scale the ``chosen`` of ``weights`` (n,) in place, so that they add up to ``total``."""
    weights[chosen] *= total / max(weights[chosen].sum(), 1e-9)
