"""Linear heads of windows, fitted on cached features of the branch, and the network that has them.

Each window has a head of its own, which asks whether a face is manipulated at all. A head's logits are in
standard deviations over unmanipulated faces, whose mean is 0, so that those of all windows can be added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.networks.vit_small_14 import ViTSmall14
from detector.networks.vit_small_14_windows import ViTSmall14Windows
from training.unseen.features import FeatureSet
from training.unseen.linear import Features, Standardisation, example_weights, regression

STRENGTH = 3e-3
"""C of the regressions, for weights that add up to 5,000."""
LEVELLING = 0.03
"""Weight of the distances of pages (:func:`~training.unseen.linear.regression`)."""
CLIPS_SHARE = 0.15
"""Of the weight, of clips of the first collection, which are scaled."""


@dataclass(frozen=True)
class LinearHead:
    """Weights (f,) and bias for features standardised by ``centre`` and ``spread`` (f,)."""

    weight: Features
    bias: float
    centre: Features
    spread: Features

    def __call__(self, features: Features) -> NDArray[np.float32]:
        """Features (n, f) to logits (n,)."""
        out: NDArray[np.float32] = (
            np.clip((features - self.centre) / self.spread, -8, 8) @ self.weight + self.bias
        )
        return out

    def standardised(self, real: Features) -> LinearHead:
        """Return the head in standard deviations from the mean over ``real`` (n, f)."""
        logits = self(real)
        by = np.float32(1 / (logits.std() + 1e-6))
        return LinearHead(self.weight * by, float((self.bias - logits.mean()) * by), self.centre, self.spread)

    def read_as(self, centre: Features, spread: Features) -> LinearHead:
        """The same for features standardised otherwise, but for what is clipped."""
        moved = float(((centre - self.centre) / self.spread) @ self.weight)
        return LinearHead(self.weight * spread / self.spread, self.bias + moved, centre, spread)


def fitted(native: FeatureSet, clips: FeatureSet | None = None) -> LinearHead:
    """Fit a head on samples of one window: those of ``native`` and, as a small share, of older ``clips``.

    Raises ValueError for a sample of another role than ``train``.
    """
    parts = [native] if clips is None or not len(clips) else [native, clips]
    samples = [sample for part in parts for sample in part.samples]
    if any(sample.role != "train" for sample in samples):
        raise ValueError("a sample of another role than train")
    features = np.concatenate([part.features for part in parts]).astype(np.float32)
    weights = [example_weights(part.samples) for part in parts]
    shares = (1.0,) if len(parts) == 1 else (1 - CLIPS_SHARE, CLIPS_SHARE)
    standardisation = Standardisation(native.features)
    labels = np.array([sample.fake for sample in samples])
    weight, bias = regression(
        standardisation(features),
        labels,
        np.concatenate([share * of_part for share, of_part in zip(shares, weights, strict=True)]),
        STRENGTH,
        [sample.origin for sample in native.samples],
        LEVELLING,
    )
    head = LinearHead(weight, bias, standardisation.centre, standardisation.spread)
    return head.standardised(native.features[~labels[: len(native)]])


def learnable(samples: FeatureSet) -> FeatureSet:
    """Return those of role ``train``."""
    return samples.of(np.array([sample.role == "train" for sample in samples.samples]))


def network_with(
    shipped: ViTSmall14, branch: Mapping[str, Tensor], heads: Mapping[int, LinearHead]
) -> ViTSmall14Windows:
    """Return ``shipped`` with the ``branch`` (blocks and norm) and ``heads`` by output of the windows.

    Outputs without a head stay as they are. Raises ValueError where the branch is of another network.
    """
    network = ViTSmall14Windows(shipped.shape)
    state = {**shipped.state_dict(), **{f"branch_{name}": value for name, value in branch.items()}}
    missing, unknown = network.load_state_dict(state, strict=False)
    if unknown or any("branch_blocks" in name or "branch_norm" in name for name in missing):
        raise ValueError(f"not a branch of this network: {unknown or missing}")
    if not heads:
        return network.eval()
    with torch.no_grad():
        # Outputs that stay are read with the centre and spread that the first of ``heads`` brings.
        first = next(iter(heads.values()))
        before = network.branch_centre.numpy(), network.branch_spread.numpy()
        for output in range(network.window_judge.out_features):
            row = network.window_judge.weight[output].numpy(), float(network.window_judge.bias[output])
            head = heads.get(output) or LinearHead(*row, *before)
            alike = head.read_as(first.centre, first.spread)
            network.window_judge.weight[output] = torch.from_numpy(alike.weight)
            network.window_judge.bias[output] = alike.bias
        network.branch_centre.copy_(torch.from_numpy(first.centre))
        network.branch_spread.copy_(torch.from_numpy(first.spread))
    return network.eval()
