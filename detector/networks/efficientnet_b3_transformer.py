"""EfficientNet-B3 features of a face over time, read by a Transformer encoder (Vaswani et al., 2017)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from detector.networks.base import register
from detector.networks.efficientnet_sequence import EfficientNetSequence

_WIDTH = 256


@register("efficientnet_b3_transformer")
class EfficientNetB3Transformer(EfficientNetSequence):
    """B3 features (1536), projected to 256; two encoder layers; 12.2 million parameters.

    Sequences of 10 to 30 frames of 112 px are what it is meant for; padding is masked.
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
        # Places count the frames there are, so that padding in front moves nothing.
        places = (present.long().cumsum(dim=1) - 1).clamp(min=0)
        coded = features + _sinusoids(self.window, features)[places]
        read = self.encoder(coded, src_key_padding_mask=~present)
        weight = present[..., None].to(read.dtype)
        pooled = (read * weight).sum(dim=1) / weight.sum(dim=1)
        logits: Tensor = self.head(pooled)
        return logits.flatten()


def _sinusoids(length: int, like: Tensor) -> Tensor:
    """Sinusoidal positional encoding, (length, width)."""
    place = torch.arange(length, device=like.device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, _WIDTH, 2, device=like.device) * (-math.log(10_000.0) / _WIDTH))
    return torch.stack([torch.sin(place * rate), torch.cos(place * rate)], dim=-1).flatten(1).to(like.dtype)
