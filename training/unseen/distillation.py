"""The branch: upper blocks distilled from the start's, beside the shipped ones.

The start's upper blocks tell generators that nobody learned from better than any that were tuned on labels
(docs/experiments.md). The branch is initialised with the shipped blocks, which have been tuned, and trained
until its taps give what the start's give. No label is used, so families held out cannot leak into it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from detector.backends.runtimes import knows_bfloat16
from detector.networks.vit_small_14 import ViTSmall14, pool_tokens
from detector.networks.vit_small_14_windows import ViTSmall14Windows
from detector.progress import ReportText
from training.loop import Loop, cosine, train
from training.unseen.token_cache import UPPER

Tokens = NDArray[np.float16]


@dataclass(frozen=True)
class Distillation:
    """How the branch is trained."""

    steps: int = 160
    batch: int = 8
    rate: float = 1e-4
    warm_up: int = 20  # steps
    least: float = 0.02  # share of the rate at the end of the cosine
    decay: float = 0.01
    feature_weight: float = 1.0  # of pooled features beside tokens
    kept: float = 0.6  # share of the patches
    seed: int = 11


class Branch(nn.Module):
    """Upper blocks and last norm of ``network``, to be trained."""

    def __init__(self, network: ViTSmall14) -> None:
        super().__init__()
        depth = network.shape.depth
        self.blocks = copy.deepcopy(network.backbone.blocks[depth - UPPER :])
        self.norm = copy.deepcopy(network.backbone.norm)
        self._taps = tuple(tap - (depth - UPPER) for tap in network.shape.taps if tap > depth - UPPER)

    @classmethod
    def of(cls, network: ViTSmall14Windows) -> Self:
        """The branch of a network that has one."""
        made = cls(network)
        made.blocks.load_state_dict(network.branch_blocks.state_dict())
        made.norm.load_state_dict(network.branch_norm.state_dict())
        return made.eval()

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Tokens (n, t, d) to tokens after each tap, in single precision."""
        taps = []
        for number, block in enumerate(self.blocks, 1):
            tokens = block(tokens)
            if number in self._taps:
                taps.append((self.norm(tokens) if number == len(self.blocks) else tokens).float())
        return taps


def distil(
    start: ViTSmall14,
    shipped: ViTSmall14,
    tokens: Callable[[NDArray[np.int64]], Tokens],
    count: int,
    recipe: Distillation,
    checkpoint: Path,
    report: ReportText,
) -> Branch:
    """A branch with the shipped blocks' weights, trained to give the start's taps on ``count`` samples.

    An interrupted run continues from ``checkpoint``.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    teacher, branch = Branch(start).eval(), Branch(shipped).train()
    loop = Loop(
        [{"params": list(branch.parameters()), "peak": recipe.rate}],
        cosine(recipe.steps, recipe.warm_up, recipe.least),
        weight_decay=recipe.decay,
        clip_norm=1.0,
        random=rng,
    )

    def losses() -> Iterator[Tensor]:
        while loop.step < recipe.steps:
            given = torch.from_numpy(tokens(np.sort(rng.choice(count, recipe.batch, replace=False)))).float()
            patches = given.shape[1] - 1
            chosen = 1 + torch.randperm(patches)[: int(patches * recipe.kept)]
            given = torch.cat([given[:, :1], given[:, chosen]], dim=1)
            with torch.autocast("cpu", torch.bfloat16, enabled=knows_bfloat16()):
                with torch.no_grad():
                    wanted = teacher(given)
                made = branch(given)
            loss = torch.zeros(())
            for student, other in zip(made, wanted, strict=True):
                spread = other.std(dim=(0, 1)) + 1e-3
                loss = loss + functional.smooth_l1_loss(student / spread, other / spread)
                of_one, of_other = pool_tokens([student]), pool_tokens([other])
                scale = of_other.std(dim=0) + 1e-2
                pooled = functional.smooth_l1_loss(of_one / scale, of_other / scale)
                loss = loss + recipe.feature_weight * pooled
            yield loss

    train(loop, losses, {"branch": branch}, checkpoint, recipe.steps, report, (recipe, count))
    return branch.eval()


def distances(branch: Branch, start: ViTSmall14) -> dict[str, float]:
    """How far each matrix of the branch lies from the start's, relative to its norm."""
    given = Branch(start).state_dict()
    return {
        name: float((value - given[name]).norm() / given[name].norm())
        for name, value in branch.state_dict().items()
        if value.ndim > 1
    }
