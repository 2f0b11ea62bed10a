"""Linear heads of the branch, fitted on cached features of role ``train``, and the network that has them.

All heads ask whether a face is manipulated at all. What an output is called follows from the fusion it
enters: the whole head's and the inner face's *synthesised* in footage, and both of photographs. Where a head
is the mean of one with and one without twins, the second knows what talking heads have after a video codec,
the first what a decoder leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.networks.graphs import outputs_of
from detector.networks.vit_small_14 import ViTSmall14
from detector.networks.vit_small_14_branch import ViTSmall14Branch
from training.unseen.linear import Features, Standardisation, example_weights, regression
from training.unseen.samples import Sample


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

    def scaled(self, by: float) -> LinearHead:
        """Logits multiplied by ``by``."""
        return LinearHead(self.weight * np.float32(by), self.bias * by, self.centre, self.spread)

    def read_as(self, centre: Features, spread: Features) -> LinearHead:
        """The same for features standardised otherwise, but for what is clipped."""
        moved = float(((centre - self.centre) / self.spread) @ self.weight)
        return LinearHead(self.weight * spread / self.spread, self.bias + moved, centre, spread)


def fitted(
    samples: Sequence[Sample], features: Features, strength: float, twin_share: float = 0.0
) -> LinearHead:
    """A head on ``samples`` with ``features`` (n, f); pairs of twins among them have ``twin_share``.

    Raises ValueError for a sample of another role than ``train``.
    """
    if any(sample.role != "train" for sample in samples):
        raise ValueError("a sample of another role than train")
    own = np.array([sample.pair < 0 for sample in samples])
    chosen = own if not twin_share else np.ones(len(samples), bool)
    standardisation = Standardisation(features[own])
    kept = [sample for sample, keep in zip(samples, chosen, strict=True) if keep]
    labels = np.array([sample.fake for sample in kept])
    weights = example_weights(kept, twin_share)
    weight, bias = regression(standardisation(features[chosen]), labels, weights, strength)
    return LinearHead(weight, bias, standardisation.centre, standardisation.spread)


def mean_of(heads: Sequence[LinearHead], shares: Sequence[float]) -> LinearHead:
    """What ``heads`` say on average, by ``shares``; all read features as the first does."""
    first = heads[0]
    alike = [head.read_as(first.centre, first.spread) for head in heads]
    weight = sum((share * head.weight for share, head in zip(shares, alike, strict=True)), np.float32(0))
    bias = sum(share * head.bias for share, head in zip(shares, alike, strict=True))
    return LinearHead(np.asarray(weight, np.float32), float(bias), first.centre, first.spread)


def network_with(
    shipped: ViTSmall14,
    branch: dict[str, Tensor],
    heads: dict[tuple[int, int], LinearHead],
    kept: dict[tuple[int, int], float] | None = None,
) -> ViTSmall14Branch:
    """``shipped`` with the ``branch`` (blocks and norm), whose ``heads`` take the place of its own.

    ``heads`` are by reading and question; without any, the branch has features only. Of the shipped logit of
    the same output, ``kept`` is the share that is added, none by default. Raises ValueError where the branch
    is of another network.
    """
    network = ViTSmall14Branch(shipped.shape)
    state = shipped.state_dict()
    state |= {f"branch_{name}": value for name, value in branch.items()}
    missing, unknown = network.load_state_dict(state, strict=False)
    if unknown or any("branch_blocks" in name or "branch_norm" in name for name in missing):
        raise ValueError(f"not a branch of this network: {unknown or missing}")
    if not heads:
        return network.eval()
    first = next(iter(heads.values()))
    with torch.no_grad():
        network.branch_centre.copy_(torch.from_numpy(first.centre))
        network.branch_spread.copy_(torch.from_numpy(first.spread))
        for (reading, question), head in heads.items():
            row = outputs_of(reading)[question]
            alike = head.read_as(first.centre, first.spread)
            network.branch_judge.weight[row] = torch.from_numpy(alike.weight)
            network.branch_judge.bias[row] = alike.bias
            for old in (network.judge, network.patch_judge):
                old.weight[row] *= (kept or {}).get((reading, question), 0.0)
                old.bias[row] *= (kept or {}).get((reading, question), 0.0)
    return network.eval()
