"""The network: a heat map of faces' middles and their boxes (CenterNet, Zhou et al., 2019)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class ProposalNetwork(nn.Module):
    """Pictures (n, 3, h, w), RGB in 0 to 255, both sides multiples of 32, to a heat map and boxes.

    Both have a cell for every :data:`~detector.faces.search.proposals.STRIDE` px: heat (n, 1, ...) is the
    logit that a face has its middle there; boxes (n, 4, ...) are the middle's offset from the cell's own, in
    cells, and the logarithms of width and height in cells.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(3, 12, 3, 2), separable(12, 16, 2), separable(16, 24, 2))
        self.eighth = nn.Sequential(Residual(24, 48), Residual(24, 48))
        self.sixteenth = nn.Sequential(separable(24, 48, 2), Residual(48, 96), Residual(48, 96))
        self.half_of_it = nn.Sequential(
            separable(48, 80, 2), Residual(80, 160), Residual(80, 160), Residual(80, 160)
        )
        self.from_lowest = convolution(80, 48, 1)
        self.from_middle = convolution(48, 24, 1)
        self.joined = nn.Sequential(Residual(24, 48), convolution(24, 24, 1))
        self.heat = nn.Conv2d(24, 1, 1)
        self.box = nn.Conv2d(24, 4, 1)
        nn.init.constant_(cast(Tensor, self.heat.bias), -4.0)  # few cells have a face (Lin et al., 2017)
        nn.init.zeros_(self.box.weight)
        nn.init.constant_(cast(Tensor, self.box.bias), 0.0)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        eighth = self.eighth(self.stem(images / 127.5 - 1))
        sixteenth = self.sixteenth(eighth)
        lowest = self.from_lowest(self.half_of_it(sixteenth))
        middle = self.from_middle(sixteenth + functional.interpolate(lowest, scale_factor=2.0))
        joined = self.joined(eighth + functional.interpolate(middle, scale_factor=2.0))
        return self.heat(joined), self.box(joined)


class Residual(nn.Module):
    """An inverted residual block (Sandler et al., 2018)."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            convolution(channels, wide, 1),
            convolution(wide, wide, 3, groups=wide),
            nn.Conv2d(wide, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = features + self.block(features)
        return out


def separable(channels: int, out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        convolution(channels, channels, 3, stride, groups=channels), convolution(channels, out, 1)
    )


def convolution(channels: int, out: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


def loss(heat: Tensor, box: Tensor, wanted: Tensor, ignored: Tensor, boxes: Tensor) -> Tensor:
    """CenterNet's focal loss of the heat, and the L1 loss of ``boxes`` (n, 4, h, w) at faces' middles.

    ``wanted`` (n, 1, h, w) is 1 at a middle and falls to 0 around it; cells ``ignored`` teach nothing.
    """
    logits = heat.clamp(-12, 12)
    probability = torch.sigmoid(logits)
    middles = wanted == 1
    right = functional.logsigmoid(logits) * (1 - probability).square() * middles
    wrong = functional.logsigmoid(-logits) * probability.square() * (1 - wanted).pow(4) * ~middles
    count = middles.sum().clamp(min=1)
    of_heat = -((right + wrong) * ~ignored).sum() / count
    of_box = ((box - boxes).abs() * middles).sum() / count
    out: Tensor = of_heat + 0.5 * of_box
    return out
