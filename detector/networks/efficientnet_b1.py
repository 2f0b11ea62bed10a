"""EfficientNet-B1 (Tan and Le, ICML 2019) with a hidden layer in its head."""

from __future__ import annotations

import timm
from torch import Tensor, nn

from detector.networks.base import register
from detector.networks.grow import GrownFromLite0


@register("efficientnet_b1")
class EfficientNetB1(GrownFromLite0):
    """timm's ``tf_efficientnet_b1``, then 1280 → 512 → 2 with ReLU and dropout 0.3; 7.2 million parameters.

    The logit is the difference of the two outputs, manipulated less unmanipulated.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = timm.create_model("tf_efficientnet_b1", num_classes=0, drop_path_rate=0.1)
        self.head = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(1280, 512), nn.ReLU(), nn.Dropout(0.3), nn.Linear(512, 2)
        )

    def forward(self, crops: Tensor) -> Tensor:
        real, fake = self.head(self.backbone(crops)).unbind(dim=1)
        return fake - real
