"""EfficientNet-Lite0 (Tan and Le, 2019) as network of the second look: four logits a crop at 160 px."""

from __future__ import annotations

import timm
from torch import Tensor, nn

from detector.networks.base import Network, register
from detector.networks.efficientnet_lite0 import EfficientNetLite0
from detector.networks.framings import FRAMINGS, HEADS, FramingNetwork


@register("efficientnet_lite0_framings")
class EfficientNetLite0Framings(FramingNetwork):
    """timm's ``tf_efficientnet_lite0`` with an output for each head of each framing."""

    architecture = "efficientnet_lite0_framings"
    size = 160
    mean = std = (0.5, 0.5, 0.5)

    def __init__(self) -> None:
        super().__init__()
        self.backbone = timm.create_model(
            "tf_efficientnet_lite0", num_classes=FRAMINGS * HEADS, drop_rate=0.2, drop_path_rate=0.1
        )

    @property
    def cam_layer(self) -> nn.Module:
        layer: nn.Module = self.backbone.blocks[5]
        return layer

    def start_from(self, other: Network) -> None:
        """The backbone of a network of one logit, with which all four begin."""
        if not isinstance(other, EfficientNetLite0):
            raise AttributeError(f"{type(self).__name__} cannot start from a {type(other).__name__}")
        state = other.backbone.state_dict()
        for name in ("classifier.weight", "classifier.bias"):
            state[name] = state[name].repeat(FRAMINGS * HEADS, *[1] * (state[name].ndim - 1))
        self.backbone.load_state_dict(state)

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.backbone(crops)
        return logits
