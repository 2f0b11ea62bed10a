"""Train the heads that judge single patches; the blocks and linear heads stay fixed.

A patch is here what the transformer reads as one token, 14 px wide; a :class:`Patch` is a face cut from its
picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from detector.faces.crop import INNER
from detector.media.frame import Image
from detector.networks.graphs import ALTERED, outputs_of
from detector.networks.vit_small_14 import PATCH, ViTSmall14, ViTSmall14PatchHeads, pool_tokens
from detector.progress import ReportText
from training.loop import Loop, train
from training.second_look.examples.pairs import BlendPair, blend_pairs
from training.second_look.examples.patches import Patch
from training.second_look.examples.sampling import plain_crop
from training.second_look.linear_heads import in_batches, taps_of

Patches = NDArray[np.float16]
Masks = NDArray[np.float32]

_BLENDED = {"clips": 1000, "videos": 216, "ffpp": 1133, "dfdc": 833, "lfw": 316, "utkface": 316}
"""Numbers of blended unmanipulated faces by source."""
_SEED = 77
SHARE = 0.5
"""Spread of the patches' contribution over unmanipulated faces, relative to the logit it is added to."""
_ROW = outputs_of(INNER)[ALTERED]  # in the network's logits
_REPORT_EVERY = 50  # batches
_MOSTLY = 0.3  # blended share from which a patch counts as blended
_TOUCHED = 0.05  # blended share from which a patch has the weight of blended ones
_SAMPLED = 7  # every seventh crop suffices for mean and standard deviation of patches


@dataclass(frozen=True)
class PatchTraining:
    """Settings of training the perceptron."""

    passes: int = (
        2  # over all pairs; a third of the pairs, twice as often, is worse (training/docs/experiments.md)
    )
    pairs: int = 16  # in a batch
    rate: float = 1e-3  # falls to zero by a cosine
    decay: float = 1e-2
    dropped: tuple[float, float] = (0.2, 0.3)  # share of inputs, and of hidden units
    seed: int = _SEED


def with_patch_heads(network: ViTSmall14) -> ViTSmall14PatchHeads:
    """Return ``network`` with empty heads for patches, replacing existing ones."""
    out = ViTSmall14PatchHeads(network.shape)
    others = {name: value for name, value in network.state_dict().items() if not name.startswith("patch_")}
    missing, unknown = out.load_state_dict(others, strict=False)
    assert not unknown and all(name.startswith("patch_") for name in missing)
    return out.eval()


def training_pairs(patches: Sequence[Patch]) -> list[BlendPair]:
    """Make training pairs from ``patches`` of role ``train``."""
    return blend_pairs(patches, _BLENDED, _SEED)


def fit_patch_heads(
    network: ViTSmall14PatchHeads,
    pairs: Sequence[BlendPair],
    unmanipulated: Sequence[Patch],
    folder: Path,
    report: ReportText,
    training: PatchTraining | None = None,
) -> None:
    """Train the perceptron on single patches and add its mean to the head *altered* of inner faces.

    Each pair is an unmanipulated face without and with a blend, so the blended patches are known. No
    generator is among them: only traces of blending are learned. The patches are stored in ``folder`` during
    training (1.2 MB a pair at full size), and beside them a checkpoint,
    from which an interrupted run continues. ``unmanipulated`` faces, which are not trained on, scale the
    contribution.
    """
    path, checkpoint = folder / "patches.npy", folder / "patch-heads.checkpoint.pt"
    try:
        patches, masks = _store_patches(network, pairs, path, report)
        sampled = torch.from_numpy(np.asarray(patches[::_SAMPLED])).float()
        network.patch_centre.copy_(sampled.mean(dim=(0, 1)))
        network.patch_spread.copy_(sampled.std(dim=(0, 1)) + 1e-3)
        judge = _train(network, patches, masks, training or PatchTraining(), checkpoint, report)
    finally:
        path.unlink(missing_ok=True)
    linear, added = _outputs(
        network, judge, (plain_crop(patch, INNER, network.size) for patch in unmanipulated)
    )
    weight = SHARE * float(linear.std() / added.std())
    with torch.no_grad():
        network.patch_judge.weight[_ROW] = judge.weight[0] * weight
        network.patch_judge.bias[_ROW] = (judge.bias[0] - float(added.mean())) * weight
    checkpoint.unlink()
    report(f"the contribution of patches is multiplied by {weight:.3f}")


def _store_patches(
    network: ViTSmall14PatchHeads, pairs: Sequence[BlendPair], path: Path, report: ReportText
) -> tuple[Patches, Masks]:
    """Store patches (2 n, patches, f) of ``pairs``, without and with a blend in turn, and return masks."""
    side = network.size // PATCH
    width = len(network.shape.taps) * network.shape.width
    patches = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float16, shape=(2 * len(pairs), side * side, width)
    )
    masks = np.zeros(patches.shape[:2], np.float32)

    def crops() -> Iterator[Image]:
        for row, pair in enumerate(pairs):
            without, blend, mask = pair.masked(network.size, side)
            masks[2 * row + 1] = mask.reshape(-1)
            yield from (without, blend)

    at = 0
    for count, batch in enumerate(in_batches(crops()), 1):
        patches[at : at + len(batch)] = network.patches(taps_of(network, batch)).numpy()
        at += len(batch)
        if count % _REPORT_EVERY == 0:
            report(f"patches of {at} crops")
    return patches, masks


def _train(
    network: ViTSmall14PatchHeads,
    patches: Patches,
    masks: Masks,
    training: PatchTraining,
    checkpoint: Path,
    report: ReportText,
) -> nn.Linear:
    """Train the network's perceptron and the output unit above it; return the latter."""
    torch.manual_seed(training.seed)
    rng = np.random.default_rng(training.seed)
    hidden, judge = network.patch_hidden, nn.Linear(network.patch_hidden.out_features, 1)
    hidden.reset_parameters()
    count = len(patches) // 2
    steps = max(1, training.passes * count // training.pairs)
    order = np.concatenate([rng.permutation(count) for _ in range(training.passes)])
    rates = _annealed(training.rate, steps)
    groups = [{"params": [*hidden.parameters(), *judge.parameters()], "peak": training.rate}]
    loop = Loop(groups, lambda step, _: rates[step], weight_decay=training.decay)

    def losses() -> Iterator[Tensor]:
        while loop.step < steps:
            numbers = np.sort(order[loop.step * training.pairs : (loop.step + 1) * training.pairs])
            rows = np.stack([2 * numbers, 2 * numbers + 1], axis=1).reshape(-1)
            inputs = network.standardise_patches(torch.from_numpy(patches[rows]).float())
            inputs = functional.dropout(inputs, training.dropped[0])
            units = functional.dropout(functional.gelu(hidden(inputs)), training.dropped[1])
            yield _loss(judge(units)[..., 0], torch.from_numpy(masks[rows]))

    kept = {"hidden": hidden, "judge": judge}
    train(loop, losses, kept, checkpoint, steps, report, (training, count))
    return judge.requires_grad_(False)


def _annealed(highest: float, steps: int) -> list[float]:
    """Return the rate of each step: a half cosine to zero, step by step as CosineAnnealingLR rounds it."""
    rates = [highest]
    for step in range(1, steps):
        rates.append(
            (1 + math.cos(math.pi * step / steps)) / (1 + math.cos(math.pi * (step - 1) / steps)) * rates[-1]
        )
    return rates


def _loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Compute cross-entropy of patches; those touched by a blend have about half of the weight."""
    touched = masks > _TOUCHED
    weights = torch.where(touched, 1 / touched.float().mean().clamp(min=0.02), 1.0)
    blended = (masks > _MOSTLY).float()
    loss = functional.binary_cross_entropy_with_logits(logits, blended, weights)
    return loss / weights.mean()


@torch.inference_mode()
def _outputs(
    network: ViTSmall14PatchHeads, judge: nn.Linear, crops: Iterable[Image]
) -> tuple[Tensor, Tensor]:
    """Return the linear head's logit of each crop, and the mean of ``judge`` over its patches, both (n,)."""
    linear, added = [], []
    for batch in in_batches(crops):
        taps = taps_of(network, batch)
        linear.append(network.classify(pool_tokens(taps))[:, _ROW])
        units = network.patch_units(network.patches(taps))
        added.append(judge(units)[..., 0].mean(dim=1))
    return torch.cat(linear), torch.cat(added)
