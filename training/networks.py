"""Architectures without shipped weights; models of the leaderboard were trained with them."""

from __future__ import annotations

import math

import timm
import torch
from torch import Tensor, nn

from detector.networks.base import FeatureNetwork, Network, freeze_backbone, register
from detector.networks.efficientnet import EfficientNetSequence, GrownFromLite0


@register("resnet18")
class ResNet18(Network):
    """ResNet-18 (He et al., CVPR 2016), one logit per crop; 11.2 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = timm.create_model("resnet18", num_classes=1, drop_rate=0.2)

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        return (self.backbone.layer4,)

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.backbone(crops)
        return logits.flatten()


@register("resnet18_features_mlp")
class ResNet18FeaturesMLP(FeatureNetwork):
    """Frozen ResNet-18 (1000 outputs), then 1000 → 512 → 256 → 1; 12.3 million parameters.

    No ImageNet weights are available for the 1000 outputs. Started from a trained ResNet-18 they are a fixed
    random projection of its 512 features, which loses nothing of them.
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


@register("efficientnet_b1")
class EfficientNetB1(GrownFromLite0):
    """EfficientNet-B1 (Tan and Le, ICML 2019), then 1280 → 512 → 2; 7.2 million parameters.

    The logit is the difference of the outputs for manipulated and unmanipulated.
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


_WIDTH = 256


@register("efficientnet_b3_transformer")
class EfficientNetB3Transformer(EfficientNetSequence):
    """EfficientNet-B3 features (1536, projected to 256) in a Transformer encoder (Vaswani et al., 2017).

    Two layers; 12.2 million parameters. Intended for sequences of 10 to 30 frames of 112 px.
    """

    window = 30

    def __init__(self) -> None:
        super().__init__("tf_efficientnet_b3", _WIDTH)
        layer = nn.TransformerEncoderLayer(
            _WIDTH, 4, 512, dropout=0.2, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(
            nn.LayerNorm(_WIDTH), nn.Linear(_WIDTH, 128), nn.GELU(), nn.Dropout(0.3), nn.Linear(128, 1)
        )

    def judge(self, features: Tensor, present: Tensor) -> Tensor:
        # Positions count present frames only, so that padding in front changes nothing.
        positions = (present.long().cumsum(dim=1) - 1).clamp(min=0)
        coded = features + _sinusoids(self.window, features)[positions]
        encoded = self.encoder(coded, src_key_padding_mask=~present)
        weight = present[..., None].to(encoded.dtype)
        pooled = (encoded * weight).sum(dim=1) / weight.sum(dim=1)
        logits: Tensor = self.head(pooled)
        return logits.flatten()


def _sinusoids(length: int, features: Tensor) -> Tensor:
    """Return the sinusoidal positional encoding (length, width) in the type of ``features``."""
    place = torch.arange(length, device=features.device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, _WIDTH, 2, device=features.device) * (-math.log(10_000.0) / _WIDTH))
    waves = torch.stack([torch.sin(place * rate), torch.cos(place * rate)], dim=-1)
    return waves.flatten(1).to(features.dtype)
