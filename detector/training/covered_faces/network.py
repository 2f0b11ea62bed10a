"""The network: whether something lies before a part of a face (inverted residuals; Sandler et al., 2018)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from detector.training.proposals.network import Residual, convolution, separable


class CoveredNetwork(nn.Module):
    """Crops (n, 3, s, s), RGB in 0 to 255, to the logit (n, 1) that a part of the face is covered."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            convolution(3, 12, 3, 2), separable(12, 24, 2), Residual(24, 72), separable(24, 40, 2),
            Residual(40, 120), Residual(40, 120), separable(40, 64, 2), Residual(64, 192),
        )  # fmt: skip
        self.answer = nn.Linear(128, 1)

    def forward(self, crops: Tensor) -> Tensor:
        """See the class."""
        features = self.features(crops / 127.5 - 1)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return cast(Tensor, self.answer(pooled))
