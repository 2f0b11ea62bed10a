"""The thousand outputs of ResNet-18 as features, judged by a small multilayer perceptron."""

from __future__ import annotations

import timm
from torch import Tensor, nn

from detector.networks.base import FeatureNetwork, Network, freeze_backbone, register
from detector.networks.resnet18 import ResNet18


@register("resnet18_features_mlp")
class ResNet18FeaturesMLP(FeatureNetwork):
    """ResNet-18 (1000 outputs, kept as they are), then 1000 → 512 → 256 → 1; 12.3 million parameters.

    There are no ImageNet weights here whose thousand classes the outputs could be. Started
    from a trained ResNet-18 they are a fixed random projection of its 512 features, which
    loses nothing of them.
    """

    width = 1000

    def __init__(self) -> None:
        super().__init__()
        self.backbone = timm.create_model("resnet18", num_classes=1000)
        self.head = nn.Sequential(
            nn.Linear(1000, 512),
            nn.LeakyReLU(),
            nn.Dropout(0.2),
            nn.Linear(512, 256),
            nn.LeakyReLU(),
            nn.Dropout(0.2),
            nn.Linear(256, 1),
        )

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        return (self.backbone.layer4,)

    def start_from(self, other: Network) -> None:
        if not isinstance(other, ResNet18):
            return super().start_from(other)
        state = {n: v for n, v in other.backbone.state_dict().items() if not n.startswith("fc.")}
        self.backbone.load_state_dict(self.backbone.state_dict() | state)

    def freeze_stages(self, count: int) -> None:
        freeze_backbone(self.backbone, count)

    def features(self, crops: Tensor) -> Tensor:
        features: Tensor = self.backbone(crops)
        return features

    def judge(self, features: Tensor) -> Tensor:
        logits: Tensor = self.head(features)
        return logits.flatten()
