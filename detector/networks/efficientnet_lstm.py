"""EfficientNet features of a face over time, read by an LSTM (Hochreiter and Schmidhuber, 1997).

The design of Güera and Delp (AVSS 2018), with EfficientNet in place of Inception.
"""

from __future__ import annotations

import timm
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from detector.networks import Network, SequenceNetwork, freeze_backbone, register
from detector.networks.efficientnet_lite0 import EfficientNetLite0


@register("efficientnet_lstm")
class EfficientNetLSTM(SequenceNetwork):
    """EfficientNet-Lite0 features (1280), projected to 256, into an LSTM of 128; 4.0 million parameters."""

    window = 16

    def __init__(self) -> None:
        super().__init__()
        self.backbone = timm.create_model("tf_efficientnet_lite0", num_classes=0)
        self.project = nn.Sequential(nn.LayerNorm(1280), nn.Linear(1280, 256))
        self.lstm = nn.LSTM(256, 128, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, 1))

    @property
    def cam_layer(self) -> nn.Module:
        layer: nn.Module = self.backbone.blocks[5]
        return layer

    def start_from(self, other: Network) -> None:
        if not isinstance(other, EfficientNetLite0):
            return super().start_from(other)
        self.backbone.load_state_dict(other.features_state())

    def freeze_stages(self, count: int) -> None:
        freeze_backbone(self.backbone, count)

    def features(self, crops: Tensor) -> Tensor:
        features: Tensor = self.project(self.backbone(crops))
        return features

    def judge(self, features: Tensor, present: Tensor) -> Tensor:
        # The frames there are move to the front: padding may stand on either side.
        order = (~present).int().argsort(dim=1, stable=True)
        features = features.gather(1, order[..., None].expand_as(features))
        packed = pack_padded_sequence(
            features, present.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        _, (last, _) = self.lstm(packed)
        logits: Tensor = self.head(last[-1])
        return logits.flatten()
