"""Base of the networks of the second look: a face in two framings, two questions about each.

Unlike other networks they give four logits a crop: each framing (inner face, whole head) has two heads,
*altered* and *synthesised*. Those of the framing the crop is not in mean nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from detector.networks.base import Network

FRAMINGS, HEADS = 2, 2


class FramingNetwork(Network):
    """Crops (n, 3, size, size), normalised, to logits (n, framings · heads), a framing's heads together."""

    architecture: str
    size: int  # px of a crop
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def of_framing(self, logits: Tensor, framing: Tensor) -> Tensor:
        """The logits (n, heads) of the framing (n,) each crop is in."""
        by_framing = logits.view(-1, FRAMINGS, HEADS)
        return by_framing[torch.arange(len(framing), device=framing.device), framing]

    def normalised(self, crops: Tensor) -> Tensor:
        """uint8 (n, h, w, 3) to what the network takes."""
        x = crops.permute(0, 3, 1, 2).float().div_(255)
        return (x - torch.tensor(self.mean).view(1, 3, 1, 1)) / torch.tensor(self.std).view(1, 3, 1, 1)
