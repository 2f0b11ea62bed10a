"""Tune a network for photographs: a copy of the finished second look, all its blocks, on whole heads.

Footage hides what tells a generated picture, and the second look's blocks were tuned on footage above all.
For photographs a copy of it goes on learning: from stills, photographs and frames of clips, as they are and
as platforms hand them on. Its heads for photographs are first fitted to its features (linear probing, then
fine-tuning: Kumar et al., 2022); the heads of other readings stay as they were and mean nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.faces.framing import HEAD
from detector.media.frame import Image
from detector.networks.readings import HEADS, PHOTOGRAPH
from detector.networks.vit_small_14 import ViTSmall14
from detector.training.second_look.examples.crops import photograph_crop
from detector.training.second_look.examples.kinds import targets
from detector.training.second_look.examples.patches import Patch, require_training
from detector.training.second_look.examples.sampling import Sampler
from detector.training.second_look.halves import Half, random_patches, take_step
from detector.training.second_look.linear_heads import fit_linear_heads
from detector.training.second_look.train import head_loss

SHARES: Mapping[tuple[str, int], float] = {
    ("stills", HEAD): 0.66,
    ("photos", HEAD): 0.10,
    ("talking", HEAD): 0.12,
    ("lips", HEAD): 0.05,
    ("aligned", HEAD): 0.04,
    ("deepfacelive", HEAD): 0.03,
}
TUNED = Half(examples=12_800, batch=32, rate=5e-5, betas=(0.9, 0.999), least=0.02, falling=0.8)
_FOR_HEADS = 3200  # examples by which the heads are fitted first
_HEAD_RATE = 1e-4
_AVERAGE = 0.99
_SMOOTHING = 0.03
_BATCH = 8
_REPORT_EVERY = 25  # steps


@dataclass(frozen=True)
class PhotographExample:
    """A patch of role ``train`` as a photograph; raises ``RoleError`` for another role."""

    patch: Patch
    seed: int

    def __post_init__(self) -> None:
        require_training([self.patch], None)

    @property
    def targets(self) -> tuple[int, ...]:
        return targets(self.patch.generator, self.patch.fake)

    def crop(self, size: int) -> Image:
        """The whole head, jittered and handed on as its seed says."""
        return photograph_crop(self.patch, size, np.random.default_rng(self.seed))


def photograph_examples(sampler: Sampler, count: int, rng: np.random.Generator) -> list[PhotographExample]:
    """``count`` examples of whole heads, drawn by a sampler of :data:`SHARES`."""
    out: list[PhotographExample] = []
    while len(out) < count:
        out += [PhotographExample(one.patch, one.seed) for one in sampler.draw(rng) if one.framing == HEAD]
    return out[:count]


def tune_for_photographs(
    network: ViTSmall14, patches: Iterable[Patch], half: Half, report: Callable[[str], None]
) -> None:
    """Fit the heads of ``network`` for photographs, and tune it as a whole; the average is kept."""
    sampler, rng = Sampler(patches, shares=SHARES), np.random.default_rng(half.seed)
    _fit_heads(network, photograph_examples(sampler, _FOR_HEADS, rng), report)
    optimiser = torch.optim.AdamW(_groups(network, half), lr=half.rate, betas=half.betas)
    trained = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    average = [parameter.detach().clone() for parameter in trained]
    for block in network.backbone.blocks:
        block.attn.fused_attn = False  # whose backward pass takes longer in half precision
    network.train()
    losses: list[float] = []
    for step in range(half.steps):
        examples = photograph_examples(sampler, half.batch, rng)
        given = _logits(network, examples)
        wanted = torch.tensor([example.targets for example in examples], dtype=torch.float32)
        loss = head_loss(given, wanted, _SMOOTHING)
        take_step(optimiser, trained, loss, half.rate_at(step))
        share = min(_AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, now in zip(average, trained, strict=True):
                mean.lerp_(now, 1 - share)
        losses = [*losses, float(loss.detach())][-_REPORT_EVERY:]
        if step % _REPORT_EVERY == 0:
            report(f"photographs: step {step} of {half.steps}, loss {np.mean(losses):.4f}")
    with torch.no_grad():
        for mean, now in zip(average, trained, strict=True):
            now.copy_(mean)
    network.eval()


def _logits(network: ViTSmall14, examples: Sequence[PhotographExample]) -> Tensor:
    """Logits (n, heads) for photographs, of a random share of each crop's patches."""
    crops = torch.from_numpy(np.stack([example.crop(network.size) for example in examples]))
    # On a processor with matrix units (AMX) half precision learns from 14.6 examples a second instead of 6.2.
    with torch.autocast("cpu", torch.bfloat16):
        tokens = random_patches(network.embedded(network.normalised(crops)))
        features = network.through(tokens, range(network.shape.depth))[1]
    return network.of_reading(network.judged(features.float()), torch.full((len(crops),), PHOTOGRAPH))


def _fit_heads(
    network: ViTSmall14, examples: Sequence[PhotographExample], report: Callable[[str], None]
) -> None:
    own = slice(HEADS * PHOTOGRAPH, HEADS * (PHOTOGRAPH + 1))
    with torch.no_grad():
        network.judge.weight[own] = 0.0
        network.judge.bias[own] = 0.0
    features = head_features(network, (example.crop(network.size) for example in examples), report)
    wanted = np.array([example.targets for example in examples], np.float32)
    fit_linear_heads(network, features, np.full(len(examples), PHOTOGRAPH), wanted)


def _groups(network: ViTSmall14, half: Half) -> list[dict[str, object]]:
    """Parameters with their highest rates (``peak``), which fall from block to block towards the input."""
    net, depth = network.backbone, network.shape.depth
    by_rate: list[tuple[float, list[nn.Parameter]]] = [
        (half.rate * half.falling ** (depth - 1 - number), list(block.parameters()))
        for number, block in enumerate(net.blocks)
    ]
    by_rate += [
        (half.rate, list(net.norm.parameters())),
        (half.rate * half.falling**depth, [*net.patch_embed.parameters(), net.pos_embed, net.cls_token]),
        (_HEAD_RATE, list(network.judge.parameters())),
    ]
    groups: list[dict[str, object]] = []
    for rate, parameters in by_rate:
        for matrices, decay in ((True, half.weight_decay), (False, 0.0)):
            some = [p for p in parameters if (p.ndim > 1 and len(p) > 1) == matrices]
            groups.append({"params": some, "peak": rate, "weight_decay": decay})
    return groups


@torch.inference_mode()
def head_features(
    network: ViTSmall14, crops: Iterable[Image], report: Callable[[str], None]
) -> NDArray[np.float32]:
    """Features (n, f) of whole heads, not standardised."""
    network.eval()
    out: list[NDArray[np.float32]] = []
    for some in _batched(crops, _BATCH):
        # Twice as fast in half precision; features differ by a hundredth.
        with torch.autocast("cpu", torch.bfloat16):
            seen = network.features(network.normalised(torch.from_numpy(np.stack(some))))
        out.append(seen.float().numpy())
        if len(out) % (2 * _REPORT_EVERY) == 0:
            report(f"features of {len(out) * _BATCH} heads")
    return np.concatenate(out)


def _batched(crops: Iterable[Image], size: int) -> Iterator[list[Image]]:
    """Lists of ``size`` crops; the last may be shorter."""
    some: list[Image] = []
    for crop in crops:
        some.append(crop)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some
