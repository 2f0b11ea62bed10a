"""The vision transformer with outputs for each patch, beside the linear heads that read the whole crop.

A small perceptron reads one patch's tokens after all taps and says whether something was made *there*; a
crop's logit is that of its linear head plus the mean over its patches. It learns from faces of which it is
known where they were blended, so each crop is 256 examples instead of one, and what it learns are traces, not
the generators that are among the examples (docs/models.md). That local labels carry over to unknown
generators is what Face X-ray (Li et al., CVPR 2020) reports.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from detector.networks.base import register
from detector.networks.readings import QUESTIONS, READINGS
from detector.networks.vit_small_14 import CLIPPED, Shape, ViTSmall14, pooled

HIDDEN = 256
"""Units of the perceptron."""


@register("vit_small_14_patch_heads")
class ViTSmall14PatchHeads(ViTSmall14):
    """See :class:`~detector.networks.vit_small_14.ViTSmall14`; what is added says nothing until trained."""

    architecture = "vit_small_14_patch_heads"

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__(shape)
        width = len(self.shape.taps) * self.shape.width
        # Mean and standard deviation of patches, set once, before the perceptron is trained.
        self.patch_centre: Tensor
        self.patch_spread: Tensor
        self.register_buffer("patch_centre", torch.zeros(width))
        self.register_buffer("patch_spread", torch.ones(width))
        self.patch_hidden = nn.Linear(width, HIDDEN)
        self.patch_judge = nn.Linear(HIDDEN, READINGS * QUESTIONS)
        nn.init.zeros_(self.patch_judge.weight)
        nn.init.zeros_(self.patch_judge.bias)

    def patches(self, taps: Sequence[Tensor]) -> Tensor:
        """Tokens after each tap to what is read of patches (n, patches, taps · width), not standardised."""
        return torch.cat([tokens[:, 1:] for tokens in taps], dim=2)

    def standardised_patches(self, patches: Tensor) -> Tensor:
        """What is read of patches, standardised as the perceptron takes it."""
        return ((patches - self.patch_centre) / self.patch_spread).clamp(-CLIPPED, CLIPPED)

    def patch_units(self, patches: Tensor) -> Tensor:
        """What is read of patches to the perceptron's units (n, patches, HIDDEN)."""
        units: Tensor = functional.gelu(self.patch_hidden(self.standardised_patches(patches)))
        return units

    def forward(self, crops: Tensor) -> Tensor:
        taps = self.all_taps(crops)
        # The last layer is linear: of the mean of its inputs it says the mean of what it says of each.
        of_patches: Tensor = self.patch_judge(self.patch_units(self.patches(taps)).mean(dim=1))
        return self.judged(pooled(taps)) + of_patches
