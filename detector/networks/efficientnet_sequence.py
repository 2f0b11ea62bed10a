"""What sequence networks over EfficientNet features have in common."""

from __future__ import annotations

import timm
from torch import Tensor, nn

from detector.networks.base import SequenceNetwork, freeze_backbone
from detector.networks.grow import GrownFromLite0


class EfficientNetSequence(GrownFromLite0, SequenceNetwork):
    """A timm EfficientNet without its head, and its features projected to ``width``."""

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.backbone = timm.create_model(name, num_classes=0, drop_path_rate=0.1)
        found: int = self.backbone.num_features
        self.project = nn.Sequential(nn.LayerNorm(found), nn.Linear(found, width))

    def freeze_stages(self, count: int) -> None:
        freeze_backbone(self.backbone, count)

    def features(self, crops: Tensor) -> Tensor:
        features: Tensor = self.project(self.backbone(crops))
        return features
