"""EfficientNet features of a face over time, read by an LSTM (Hochreiter and Schmidhuber, 1997).

The design of Güera and Delp (AVSS 2018), with EfficientNet in place of Inception.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from detector.networks.base import register
from detector.networks.efficientnet_sequence import EfficientNetSequence


@register("efficientnet_lstm")
class EfficientNetLSTM(EfficientNetSequence):
    """EfficientNet-Lite0 features (1280), projected to 256, into an LSTM of 128; 4.0 million parameters."""

    window = 16

    def __init__(self) -> None:
        super().__init__("tf_efficientnet_lite0", 256)
        self.lstm = nn.LSTM(256, 128, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, 1))

    def judge(self, features: Tensor, present: Tensor) -> Tensor:
        # The frames there are move to the front: padding may stand on either side.
        order = (~present).int().argsort(dim=1, stable=True)
        features = features.gather(1, order[..., None].expand_as(features))
        packed = pack_padded_sequence(
            features, present.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        return self._read(packed)

    def judge_whole(self, features: Tensor) -> Tensor:
        # Without the sorting and packing, which no exporter knows.
        return self._read(features)

    def _read(self, features: Tensor | PackedSequence) -> Tensor:
        _, (last, _) = self.lstm(features)
        logits: Tensor = self.head(last[-1])
        return logits.flatten()
