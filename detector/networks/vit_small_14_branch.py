"""The vision transformer with a branch: a second set of upper blocks, with linear heads.

The tuned upper blocks tell the generators that they learnt from, and altered inner faces. The branch's were
distilled from the encoder that the network started from, without any label: linear heads on its features tell
generators that nobody learnt from better (docs/experiments.md). Both stand on the same lower blocks. An
output is the sum of what both say; of most outputs one of them says nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from detector.networks.base import register
from detector.networks.graphs import QUESTIONS, READINGS
from detector.networks.vit_small_14 import (
    CLIPPED,
    Shape,
    ViTSmall14PatchHeads,
    attention_bias,
    pool_tokens,
    run_block,
)

BRANCH_MATRICES = "branch_blocks."
"""What names of the branch's matrices start with, which are stored in twelve bits."""
UPPER_BLOCKS = 4
"""Blocks of the branch, which begins below the same number of blocks of the other."""


@register("vit_small_14_branch")
class ViTSmall14Branch(ViTSmall14PatchHeads):
    """Add a branch to :class:`~detector.networks.vit_small_14.ViTSmall14PatchHeads`.

    The outputs of its heads are zero until they are fitted.
    """

    architecture = "vit_small_14_branch"

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__(shape)
        self.branch_blocks = copy.deepcopy(self.backbone.blocks[self.shape.depth - UPPER_BLOCKS :])
        self.branch_norm = copy.deepcopy(self.backbone.norm)
        # Mean and standard deviation of the branch's features, set once, before linear heads are fitted.
        self.branch_centre: Tensor
        self.branch_spread: Tensor
        self.register_buffer("branch_centre", torch.zeros(self.shape.features))
        self.register_buffer("branch_spread", torch.ones(self.shape.features))
        self.branch_judge = nn.Linear(self.shape.features, READINGS * QUESTIONS)
        nn.init.zeros_(self.branch_judge.weight)
        nn.init.zeros_(self.branch_judge.bias)

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        """The first norms of the upper blocks of both: those that do not say an output have no gradient."""
        return (*super().cam_layers, *(block.norm1 for block in self.branch_blocks))

    @property
    def cam_starts(self) -> tuple[nn.Module, ...]:
        return super().cam_layers[0], self.branch_blocks[0].norm1

    def lower(self, crops: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Crops to tokens (n, 1 + patches, width) below both, and tokens after each tap up to there."""
        return self.collect_taps(self.embed(crops), range(self.shape.depth - UPPER_BLOCKS))

    def branch_taps(self, tokens: Tensor, bias: Tensor | None = None) -> list[Tensor]:
        """Tokens below the branch to tokens after each of its taps; ``bias`` as for ``collect_taps``."""
        taps = []
        for number, block in enumerate(self.branch_blocks, self.shape.depth - UPPER_BLOCKS + 1):
            tokens = run_block(block, tokens, bias)
            if number in self.shape.taps:
                taps.append(self.branch_norm(tokens) if number == self.shape.depth else tokens)
        return taps

    def branch_features(self, crops: Tensor) -> Tensor:
        """Crops to the branch's features (n, 3 · taps · width), not standardised."""
        tokens, low = self.lower(crops)
        return pool_tokens([*low, *self.branch_taps(tokens)])

    def branch_judged(self, features: Tensor) -> Tensor:
        """The branch's features to its logits (n, readings · questions)."""
        standardised = ((features - self.branch_centre) / self.branch_spread).clamp(-CLIPPED, CLIPPED)
        logits: Tensor = self.branch_judge(standardised)
        return logits

    def score_patches(
        self, tokens: Tensor, outputs: Sequence[int] | None = None, weights: Tensor | None = None
    ) -> Tensor:
        bias = attention_bias(weights)
        tokens, low = self.collect_taps(tokens, range(self.shape.depth - UPPER_BLOCKS), bias)
        # Of an output that does not read them, either upper blocks only say their constants.
        if outputs is None or self._reads(outputs, self.judge, self.patch_judge):
            upper = range(self.shape.depth - UPPER_BLOCKS, self.shape.depth)
            tuned = self.score_taps([*low, *self.collect_taps(tokens, upper, bias)[1]], weights)
        else:
            tuned = self.judge.bias + self.patch_judge.bias
        if outputs is None or self._reads(outputs, self.branch_judge):
            taps = [*low, *self.branch_taps(tokens, bias)]
            return tuned + self.branch_judged(pool_tokens(taps, weights))
        return tuned + self.branch_judge.bias

    @staticmethod
    def _reads(outputs: Sequence[int], *heads: nn.Linear) -> bool:
        return any(bool(head.weight[list(outputs)].any()) for head in heads)
