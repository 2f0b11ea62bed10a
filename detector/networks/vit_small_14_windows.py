"""The vision transformer of the second look: tuned upper blocks for alteration, a branch for synthesis.

The tuned upper blocks recognise altered inner faces. The branch is a second set of upper blocks on the same
lower ones, distilled without any label from the encoder that the network started from: linear heads on its
features tell generators that nobody learned from better (training/docs/experiments.md). They read windows of
a face (:mod:`detector.faces.windows`), mostly at native resolution.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from detector.networks.base import register
from detector.networks.graphs import (
    ALTERED,
    PHOTOGRAPH,
    PHOTOGRAPH_ALTERED,
    WINDOW_OUTPUTS,
    outputs_of,
)
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
_SHARED = outputs_of(PHOTOGRAPH)[ALTERED]  # the output to which both sets of upper blocks add


@register("vit_small_14_windows")
class ViTSmall14Windows(ViTSmall14PatchHeads):
    """Add a branch and linear heads for windows to the network of the tuned blocks.

    Logits are those of the tuned blocks (n, readings · questions), then those of the windows. Heads of
    windows are zero until they are fitted.
    """

    architecture = "vit_small_14_windows"

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__(shape)
        self.branch_blocks = copy.deepcopy(self.backbone.blocks[self.shape.depth - UPPER_BLOCKS :])
        self.branch_norm = copy.deepcopy(self.backbone.norm)
        # Mean and standard deviation of the branch's features, set once, before linear heads are fitted.
        self.branch_centre: Tensor
        self.branch_spread: Tensor
        self.register_buffer("branch_centre", torch.zeros(self.shape.features))
        self.register_buffer("branch_spread", torch.ones(self.shape.features))
        self.window_judge = nn.Linear(self.shape.features, WINDOW_OUTPUTS)
        nn.init.zeros_(self.window_judge.weight)
        nn.init.zeros_(self.window_judge.bias)

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        """The first norms of the upper blocks of both: those that do not say an output have no gradient."""
        return (*super().cam_layers, *(block.norm1 for block in self.branch_blocks))

    @property
    def cam_starts(self) -> tuple[nn.Module, ...]:
        return super().cam_layers[0], self.branch_blocks[0].norm1

    def lower(self, crops: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map crops to tokens (n, 1 + patches, width) below both, and tokens after each tap up to there."""
        return self.collect_taps(self.embed(crops), range(self.shape.depth - UPPER_BLOCKS))

    def branch_taps(self, tokens: Tensor, bias: Tensor | None = None) -> list[Tensor]:
        """Map tokens below the branch to tokens after each of its taps; ``bias`` as for ``collect_taps``."""
        taps = []
        for number, block in enumerate(self.branch_blocks, self.shape.depth - UPPER_BLOCKS + 1):
            tokens = run_block(block, tokens, bias)
            if number in self.shape.taps:
                taps.append(self.branch_norm(tokens) if number == self.shape.depth else tokens)
        return taps

    def branch_features(self, crops: Tensor) -> Tensor:
        """Map crops to the branch's features (n, 3 · taps · width), not standardised."""
        tokens, low = self.lower(crops)
        return pool_tokens([*low, *self.branch_taps(tokens)])

    def judge_windows(self, features: Tensor) -> Tensor:
        """Map the branch's features to logits (n, WINDOW_OUTPUTS)."""
        standardised = ((features - self.branch_centre) / self.branch_spread).clamp(-CLIPPED, CLIPPED)
        logits: Tensor = self.window_judge(standardised)
        return logits

    def score_windows(self, crops: Tensor) -> Tensor:
        """Map crops to the logits (n, WINDOW_OUTPUTS) of the branch alone."""
        return self.judge_windows(self.branch_features(crops))

    def lower_tokens(self, crops: Tensor) -> Tensor:
        """Map crops to tokens (n, 1 + patches, 3 · width): for the tuned blocks, the branch, and its low tap.

        Below the branch no patch is left out: fewer maps of other faces are confirmed then.
        """
        first = super().lower_tokens(crops)
        blocks = range(self.shape.whole_blocks, self.shape.depth - UPPER_BLOCKS)
        below, low = self.collect_taps(first, blocks)
        return torch.cat([first, below, *low], dim=2)

    def score_window_patches(self, tokens: Tensor, weights: Tensor | None = None) -> Tensor:
        """Map the branch's share (n, 1 + k, 2 · width) of lower tokens to logits (n, WINDOW_OUTPUTS)."""
        below, *low = tokens.split(self.shape.width, dim=2)
        taps = self.branch_taps(below, attention_bias(weights))
        return self.judge_windows(pool_tokens([*low, *taps], weights))

    def score_patches(
        self, tokens: Tensor, outputs: Sequence[int] | None = None, weights: Tensor | None = None
    ) -> Tensor:
        tuned_outputs, width = self.judge.out_features, self.shape.width
        # Blocks of which no output is wanted are skipped.
        if outputs is None or min(outputs) < tuned_outputs:
            tuned = super().score_patches(tokens[:, :, :width], outputs, weights)
        else:
            tuned = tokens.new_zeros(len(tokens), tuned_outputs)
        if outputs is None or max(outputs) >= tuned_outputs or _SHARED in outputs:
            of_windows = self.score_window_patches(tokens[:, :, width:], weights)
        else:
            of_windows = tokens.new_zeros(len(tokens), WINDOW_OUTPUTS)
        return join_logits(tuned, of_windows)

    def forward(self, crops: Tensor) -> Tensor:
        tokens, low = self.lower(crops)
        _, tuned = self.collect_taps(tokens, range(self.shape.depth - UPPER_BLOCKS, self.shape.depth))
        of_windows = self.judge_windows(pool_tokens([*low, *self.branch_taps(tokens)]))
        return join_logits(self.score_taps([*low, *tuned]), of_windows)


@register("vit_small_14_window_heads")
class ViTSmall14WindowHeads(ViTSmall14Windows):
    """The part of :class:`ViTSmall14Windows` that reads windows: crops to logits (n, WINDOW_OUTPUTS)."""

    def forward(self, crops: Tensor) -> Tensor:
        return self.score_windows(crops)


def join_logits(tuned: Tensor, of_windows: Tensor) -> Tensor:
    """Join the logits of the tuned blocks (n, t) and of windows (n, w) to those of the whole network."""
    shared = torch.zeros_like(tuned)
    shared[:, _SHARED] = of_windows[:, PHOTOGRAPH_ALTERED]
    return torch.cat([tuned + shared, of_windows], dim=1)
