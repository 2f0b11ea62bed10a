"""Fit the heads on features of the frozen start, the first step of training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.files import atomic_path
from detector.networks.framings import FRAMINGS, HEADS
from detector.networks.vit_small_14 import ViTSmall14
from detector.training.second_look.train import Source, batch_of

_BATCH = 16
_STRENGTH = 0.001  # C of the logistic regression
_CLIPPED = 8.0  # as in the network


def fit_linear_heads(
    network: ViTSmall14,
    source: Source,
    cache: Path,
    report: Callable[[str], None],
    examples: int = 2600,
    seed: int = 20,
) -> None:
    """Set the standardisation and the heads of ``network``; features are kept at ``cache`` (``.npz``)."""
    if not cache.exists():
        _keep_features(network, source, cache, examples, seed)
        report(f"features of {examples} examples: {cache}")
    with np.load(cache) as kept:
        x, framing, y = kept["x"], kept["framing"], kept["y"]
    centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-3
    weight, bias = linear_heads(np.clip((x - centre) / spread, -_CLIPPED, _CLIPPED), framing, y)
    with torch.no_grad():
        network.centre.copy_(torch.from_numpy(centre))
        network.spread.copy_(torch.from_numpy(spread))
        network.judge.weight.copy_(torch.from_numpy(weight))
        network.judge.bias.copy_(torch.from_numpy(bias))


def linear_heads(
    z: NDArray[np.float32], framing: NDArray[np.int64], y: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (framings · heads, features) and biases of a logistic regression for each framing and head."""
    count = FRAMINGS * HEADS
    weight, bias = np.zeros((count, z.shape[1]), np.float32), np.zeros(count, np.float32)
    for f in range(FRAMINGS):
        for head in range(HEADS):
            asked = (framing == f) & (y[:, head] >= 0)
            model = LogisticRegression(C=_STRENGTH, max_iter=300, class_weight="balanced")
            model.fit(z[asked], y[asked, head])
            weight[f * HEADS + head], bias[f * HEADS + head] = model.coef_[0], model.intercept_[0]
    return weight, bias


def _keep_features(network: ViTSmall14, source: Source, cache: Path, examples: int, seed: int) -> None:
    network.eval()
    rng, parts = np.random.default_rng(seed), []
    for _ in range(examples // _BATCH):
        crops, framing, wanted = batch_of(source.batch(rng, _BATCH), network.size)
        with torch.inference_mode():
            features = network.features(network.normalised(crops))
        parts.append((features.numpy(), framing.numpy(), wanted.numpy()))
    x, framings, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    with atomic_path(cache) as temporary, temporary.open("wb") as file:
        np.savez(file, x=x, framing=framings, y=y)
