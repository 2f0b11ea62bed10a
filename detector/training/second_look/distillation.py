"""Distil the transformer's lower blocks further, each step on examples drawn for it.

Kept tokens (:mod:`~detector.training.second_look.kept_tokens`) are those of a few thousand whole heads. Here
inner faces are among the examples, none comes twice, and the pretrained network is asked beside the one that
learns from it. Most steps see less than half of the patches, which both networks then have alike and which
costs half; the last ones see all, as when it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from detector.backends.openvino import knows_bfloat16
from detector.faces.framing import HEAD
from detector.networks.vit_small_14 import PRETRAINED, ViTSmall14
from detector.training.second_look.examples.sampling import TRANSFORMER_SHARES
from detector.training.second_look.halves import (
    FEATURES,
    LOWER,
    Average,
    BlockTraining,
    Report,
    descend,
    lower_optimiser,
    lower_parameters,
)
from detector.training.second_look.kept_tokens import UPPER_BLOCKS

FURTHER_SHARES = TRANSFORMER_SHARES | {
    ("talking", HEAD): 0.20,
    ("lips", HEAD): 0.08,
    ("aligned", HEAD): 0.06,
    ("deepfacelive", HEAD): 0.04,
}
"""How often an example is of a pool: more heads of footage than when heads are fitted."""
FURTHER = BlockTraining(
    examples=54_912, batch=16, rate=2e-4, betas=(0.9, 0.98), least=0.02, warm_up=60, seed=12
)
_IN_PART = 0.77  # of the steps see a part of the patches
_PART = 0.45  # of the patches
_FEW = 4  # batches by which the spread of tokens and features is measured
_TOKENS_EVERY = 4  # of these
_REPORT_EVERY = 20  # steps

Draw = Callable[[int], NDArray[np.uint8]]
"""From a number to so many crops (n, size, size, 3)."""


@dataclass(frozen=True)
class _Below:
    """Tokens (n, t, width) below the upper blocks, and features (n, f) of the taps there."""

    tokens: Tensor
    features: Tensor

    def distance(self, wanted: _Below, spread: _Below) -> Tensor:
        """Smooth L1, in the standard deviations of ``spread``."""
        of_tokens = F.smooth_l1_loss(self.tokens / spread.tokens, wanted.tokens / spread.tokens)
        of_features = F.smooth_l1_loss(self.features / spread.features, wanted.features / spread.features)
        return of_tokens + FEATURES * of_features


def distil_further(
    network: ViTSmall14, first: ViTSmall14, draw: Draw, recipe: BlockTraining, report: Report
) -> None:
    """Train the blocks below the upper ones, and the embeddings, towards the pretrained ``first`` network.

    The rate follows a cosine over what the steps cost; the average of the weights is kept.
    """
    torch.manual_seed(recipe.seed)  # which patches are seen
    first.eval()
    wanted = [_wanted(first, _normalised(first, draw(recipe.batch)), None) for _ in range(_FEW)]
    spread = _spread(wanted)
    trained = lower_parameters(network)
    optimiser, average = lower_optimiser(trained, recipe), Average(trained)
    network.train()
    costs = np.where(np.arange(recipe.steps) < _IN_PART * recipe.steps, _PART, 1.0)
    done = np.concatenate([[0.0], costs.cumsum()[:-1]]) / costs.sum()
    for step in range(recipe.steps):
        crops = _normalised(network, draw(recipe.batch))
        seen = _some_patches(network) if costs[step] < 1 else None
        target = _wanted(first, crops, seen)
        with torch.autocast("cpu", torch.bfloat16, enabled=knows_bfloat16()):
            tokens, features = network.through(_embedded(network, crops, seen), range(LOWER))
        loss = _Below(tokens.float(), features.float()).distance(target, spread)
        descend(optimiser, trained, loss, _rate_at(recipe, step, float(done[step])))
        average.add(step)
        if step % _REPORT_EVERY == 0:
            report(f"lower blocks, further: step {step} of {recipe.steps}, loss {float(loss.detach()):.4f}")
    average.put_in()


def _rate_at(recipe: BlockTraining, step: int, done: float) -> float:
    cosine = 0.5 * (1 + np.cos(np.pi * done))
    return float(min(1.0, (step + 1) / recipe.warm_up) * (recipe.least + (1 - recipe.least) * cosine))


def _normalised(network: ViTSmall14, crops: NDArray[np.uint8]) -> Tensor:
    return network.normalised(torch.from_numpy(crops))


def _embedded(network: ViTSmall14, crops: Tensor, seen: Tensor | None) -> Tensor:
    """Tokens of ``crops``: the class token, and the patches that are ``seen``."""
    tokens = network.embedded(crops)
    return tokens if seen is None else torch.cat([tokens[:, :1], tokens[:, 1:][:, seen]], dim=1)


@torch.no_grad()
def _wanted(first: ViTSmall14, crops: Tensor, seen: Tensor | None) -> _Below:
    with torch.autocast("cpu", torch.bfloat16, enabled=knows_bfloat16()):
        tokens, features = first.through(
            _embedded(first, crops, seen), range(PRETRAINED.depth - UPPER_BLOCKS)
        )
    return _Below(tokens.float(), features.float())


def _some_patches(network: ViTSmall14) -> Tensor:
    patches: int = network.backbone.patch_embed.num_patches
    return torch.randperm(patches)[: int(patches * _PART)].sort().values


def _spread(found: list[_Below]) -> _Below:
    """Standard deviations of tokens, without outliers, and of features."""
    tokens = torch.cat([each.tokens[:, ::_TOKENS_EVERY].flatten(0, 1) for each in found]).numpy()
    low, high = np.percentile(tokens, [1, 99], axis=0)
    of_tokens = torch.from_numpy(np.clip(tokens, low, high).std(axis=0) + 1e-3).float()
    return _Below(of_tokens, torch.cat([each.features for each in found]).std(dim=0) + 1e-3)
