"""ResNet-18 (He et al., CVPR 2016), one logit a crop."""

from __future__ import annotations

import timm
from torch import Tensor, nn

from detector.networks.base import Network, register


@register("resnet18")
class ResNet18(Network):
    """timm's ``resnet18`` with one output; 11.2 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = timm.create_model("resnet18", num_classes=1, drop_rate=0.2)

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        return (self.backbone.layer4,)

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.backbone(crops)
        return logits.flatten()
