"""Start a larger EfficientNet from a smaller one that has learned already.

Net2Net (Chen, Goodfellow and Shlens, ICLR 2016) widens and deepens a network so that it
computes at first what the smaller one did. Here the smaller weights take the first
channels of each layer, what the new channels send to the old ones starts at zero, and
added blocks pass their input on. Activations differ (ReLU6 against SiLU) and gates are
added, so the start is near, not equal; training goes on from there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from detector.networks.base import Network
from detector.networks.efficientnet_lite0 import EfficientNetLite0


class GrownFromLite0(Network):
    """Base of architectures with an EfficientNet as backbone, which can start from a trained Lite0."""

    backbone: Any  # an EfficientNet of timm

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        return self.backbone.blocks[5], self.backbone.bn2

    def start_from(self, other: Network) -> None:
        if not isinstance(other, EfficientNetLite0):
            return super().start_from(other)
        self.backbone.load_state_dict(grown(self.backbone.state_dict(), other.features_state()))


def grown(large: dict[str, Tensor], small: dict[str, Tensor]) -> dict[str, Tensor]:
    """``large``'s state with ``small``'s in it; both are states of timm EfficientNets, heads left out.

    Tensors are met by name. Raises ``ValueError`` where a tensor of ``small`` is larger
    than its namesake, or has none.
    """
    out = {name: value.clone() for name, value in large.items()}
    for name, value in small.items():
        if name not in out:
            raise ValueError(f"the larger network has no tensor {name}")
        kept = out[name]
        if kept.dim() != value.dim() or any(a < b for a, b in zip(kept.shape, value.shape, strict=True)):
            raise ValueError(
                f"{name}: {tuple(value.shape)} does not go into {tuple(kept.shape)} of the larger network"
            )
        if value.dim() > 1:  # old outputs listen to old inputs alone
            kept[: value.shape[0], value.shape[1] :] = 0
        kept[tuple(slice(0, length) for length in value.shape)] = value
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
    """The end of the name of the scale of ``block``'s last normalisation."""
    last = "bn3" if f"{block}.bn3.weight" in state else "bn2"
    return f"blocks.{block.removeprefix('blocks.')}.{last}.weight"
