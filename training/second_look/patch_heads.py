"""Train the heads that judge single patches; the blocks and linear heads stay fixed."""

from __future__ import annotations

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
from training.second_look.examples.pairs import BlendPair, blend_pairs
from training.second_look.examples.patches import Patch
from training.second_look.examples.sampling import plain_crop
from training.second_look.linear_heads import in_batches, taps_of

Patches = NDArray[np.float16]
Masks = NDArray[np.float32]

_BLENDED = {"clips": 1000, "videos": 216, "ffpp": 1133, "dfdc": 833, "lfw": 316, "utkface": 316}
"""How many unmanipulated faces of each source are blended."""
_SEED = 77
SHARE = 0.5
"""Spread of what the patches add, over unmanipulated faces, in that of the logit to which it is added."""
_ROW = outputs_of(INNER)[ALTERED]  # of the network's logits
_REPORT_EVERY = 50  # batches
_MOSTLY = 0.3  # blended share of a patch from which on it is taken for blended
_TOUCHED = 0.05  # from which on its weight is that of blended ones: both kinds count alike
_SAMPLED = 7  # every seventh crop is enough for mean and standard deviation of patches


@dataclass(frozen=True)
class PatchTraining:
    """How the perceptron is trained."""

    passes: int = 2  # over all pairs; a third of the pairs, twice as often, taught less (docs/experiments.md)
    pairs: int = 16  # in a batch
    rate: float = 1e-3  # falls to zero by a cosine
    decay: float = 1e-2
    dropped: tuple[float, float] = (0.2, 0.3)  # share of inputs, and of hidden units
    seed: int = _SEED


def with_patch_heads(network: ViTSmall14) -> ViTSmall14PatchHeads:
    """``network`` with heads for patches that say nothing yet, also in place of such as it has."""
    out = ViTSmall14PatchHeads(network.shape)
    others = {name: kept for name, kept in network.state_dict().items() if not name.startswith("patch_")}
    missing, unknown = out.load_state_dict(others, strict=False)
    assert not unknown and all(name.startswith("patch_") for name in missing)
    return out.eval()


def training_pairs(patches: Sequence[Patch]) -> list[BlendPair]:
    """What it learns from, of ``patches`` of role ``train``."""
    return blend_pairs(patches, _BLENDED, _SEED)


def fit_patch_heads(
    network: ViTSmall14PatchHeads,
    pairs: Sequence[BlendPair],
    unmanipulated: Sequence[Patch],
    folder: Path,
    report: ReportText,
    training: PatchTraining | None = None,
) -> None:
    """Let inner faces' *altered* say what single patches show of blends as well.

    The patches of ``pairs`` are kept in ``folder`` while it learns (1.2 MB a pair at full size). By
    ``unmanipulated`` faces, which it does not learn from, what is added is scaled.
    """
    path = folder / "patches.npy"
    try:
        patches, masks = _kept(network, pairs, path, report)
        sampled = torch.from_numpy(np.asarray(patches[::_SAMPLED])).float()
        network.patch_centre.copy_(sampled.mean(dim=(0, 1)))
        network.patch_spread.copy_(sampled.std(dim=(0, 1)) + 1e-3)
        judge = _trained(network, patches, masks, training or PatchTraining(), report)
    finally:
        path.unlink(missing_ok=True)
    linear, added = _said(network, judge, (plain_crop(patch, INNER, network.size) for patch in unmanipulated))
    weight = SHARE * float(linear.std() / added.std())
    with torch.no_grad():
        network.patch_judge.weight[_ROW] = judge.weight[0] * weight
        network.patch_judge.bias[_ROW] = (judge.bias[0] - float(added.mean())) * weight
    report(f"what patches say is multiplied by {weight:.3f}")


def _kept(
    network: ViTSmall14PatchHeads, pairs: Sequence[BlendPair], path: Path, report: ReportText
) -> tuple[Patches, Masks]:
    """Patches (2 n, patches, f) of ``pairs`` in a file, without and with a blend in turn; and their masks."""
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
    for count, some in enumerate(in_batches(crops()), 1):
        patches[at : at + len(some)] = network.patches(taps_of(network, some)).numpy()
        at += len(some)
        if count % _REPORT_EVERY == 0:
            report(f"patches of {at} crops")
    return patches, masks


def _trained(
    network: ViTSmall14PatchHeads, patches: Patches, masks: Masks, training: PatchTraining, report: ReportText
) -> nn.Linear:
    """Train the network's perceptron and the one unit above it that is given back."""
    torch.manual_seed(training.seed)
    rng = np.random.default_rng(training.seed)
    hidden, judge = network.patch_hidden, nn.Linear(network.patch_hidden.out_features, 1)
    hidden.reset_parameters()
    learnt = [*hidden.parameters(), *judge.parameters()]
    optimizer = torch.optim.AdamW(learnt, training.rate, weight_decay=training.decay)
    count = len(patches) // 2
    steps = max(1, training.passes * count // training.pairs)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = np.concatenate([rng.permutation(count) for _ in range(training.passes)])
    mean = 0.0
    for step in range(steps):
        of = np.sort(order[step * training.pairs : (step + 1) * training.pairs])
        rows = np.stack([2 * of, 2 * of + 1], axis=1).reshape(-1)
        read = network.standardise_patches(torch.from_numpy(patches[rows]).float())
        read = functional.dropout(read, training.dropped[0])
        units = functional.dropout(functional.gelu(hidden(read)), training.dropped[1])
        loss = _loss(judge(units)[..., 0], torch.from_numpy(masks[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
        mean += (loss.item() - mean) / min(step + 1, _REPORT_EVERY)
        if (step + 1) % _REPORT_EVERY == 0:
            report(f"{step + 1} of {steps} steps, loss {mean:.3f}")
    return judge.requires_grad_(False)


def _loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy of patches (n, patches); those touched by a blend count about as much as others."""
    touched = masks > _TOUCHED
    weights = torch.where(touched, 1 / touched.float().mean().clamp(min=0.02), 1.0)
    blended = (masks > _MOSTLY).float()
    loss = functional.binary_cross_entropy_with_logits(logits, blended, weights)
    return loss / weights.mean()


@torch.inference_mode()
def _said(network: ViTSmall14PatchHeads, judge: nn.Linear, crops: Iterable[Image]) -> tuple[Tensor, Tensor]:
    """Of each crop the linear head's logit, and the mean of what ``judge`` says of its patches, both (n,)."""
    linear, added = [], []
    for some in in_batches(crops):
        taps = taps_of(network, some)
        linear.append(network.classify(pool_tokens(taps))[:, _ROW])
        units = network.patch_units(network.patches(taps))
        added.append(judge(units)[..., 0].mean(dim=1))
    return torch.cat(linear), torch.cat(added)
