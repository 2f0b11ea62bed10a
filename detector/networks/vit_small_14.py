"""Vision transformer of 11 blocks on patches of 14 px at 224 px: the second network, for both framings.

It starts from the encoder of Depth Anything V2 Small (Yang et al., 2024), which is DINOv2 ViT-S/14 (Oquab et
al., 2023), of 12 blocks: the lower eight are distilled here into seven, the upper four tuned, once more
above the distilled ones. Linear heads read the class token, and mean and standard deviation of the patches,
after blocks 5, 8 and 11: traces of generated pictures are strongest in the middle blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from detector.networks.base import register
from detector.networks.framing_network import FramingNetwork
from detector.networks.readings import QUESTIONS, READINGS

PATCH = 14  # px
CLIPPED = 8.0  # standard deviations; single features lie far outside on unusual pictures


@dataclass(frozen=True)
class Shape:
    """What the network is built with. Linear heads read after the blocks ``taps``, counted from one."""

    size: int = 224
    taps: tuple[int, ...] = (5, 8, 11)
    dropout: float = 0.2
    width: int = 384
    depth: int = 11
    attention_heads: int = 6

    @property
    def features(self) -> int:
        return len(self.taps) * 3 * self.width


PRETRAINED = Shape(depth=12, taps=(6, 9, 12))
"""The start, at the size the network has here."""


@register("vit_small_14")
class ViTSmall14(FramingNetwork):
    """See :class:`~detector.networks.framing_network.FramingNetwork`."""

    architecture = "vit_small_14"
    gives_tokens = True
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = shape or Shape()
        self.size = self.shape.size
        self.backbone = timm.create_model(
            "vit_small_patch14_dinov2",
            pretrained=False,
            num_classes=0,
            img_size=self.shape.size,
            embed_dim=self.shape.width,
            depth=self.shape.depth,
            num_heads=self.shape.attention_heads,
        )
        # Mean and standard deviation of the start's features, set once, before linear heads are fitted.
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", torch.zeros(self.shape.features))
        self.register_buffer("spread", torch.ones(self.shape.features))
        self.dropout = nn.Dropout(self.shape.dropout)
        self.judge = nn.Linear(self.shape.features, READINGS * QUESTIONS)

    def load_pretrained(self, weights: Path) -> None:
        """Start from the pretrained encoder in ``weights``, position embeddings resampled to this size."""
        state = pretrained_state(weights)
        state["pos_embed"] = resample_abs_pos_embed(
            state["pos_embed"], [self.shape.size // PATCH] * 2, num_prefix_tokens=1
        )
        self.backbone.load_state_dict(state)

    def embedded(self, crops: Tensor) -> Tensor:
        """Crops to tokens (n, 1 + patches, width), the class token first."""
        net = self.backbone
        tokens: Tensor = net.norm_pre(net.patch_drop(net._pos_embed(net.patch_embed(crops))))
        return tokens

    def tapped(self, tokens: Tensor, blocks: range) -> tuple[Tensor, list[Tensor]]:
        """``tokens`` through ``blocks``: tokens (n, 1 + patches, width), and these after each tap."""
        net, taps = self.backbone, []
        for block in blocks:
            tokens = net.blocks[block](tokens)
            if block + 1 in self.shape.taps:
                taps.append(net.norm(tokens) if block + 1 == self.shape.depth else tokens)
        return tokens, taps

    def through(self, tokens: Tensor, blocks: range) -> tuple[Tensor, Tensor]:
        """``tokens`` through ``blocks``: tokens, and features (n, 3 · taps among them · width)."""
        tokens, taps = self.tapped(tokens, blocks)
        return tokens, pooled(taps) if taps else tokens[:, 0, :0]

    def features(self, crops: Tensor) -> Tensor:
        """Crops to features (n, 3 · taps · width), not standardised."""
        return pooled(self.all_taps(crops))

    def all_taps(self, crops: Tensor) -> list[Tensor]:
        """Crops to tokens (n, 1 + patches, width) after each tap."""
        return self.tapped(self.embedded(crops), range(self.shape.depth))[1]

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        """The first norms of the last four blocks: what one says of a place by chance, the others do not."""
        return tuple(block.norm1 for block in self.backbone.blocks[-4:])

    def judged(self, features: Tensor) -> Tensor:
        """Features to logits (n, readings · questions)."""
        standardised = ((features - self.centre) / self.spread).clamp(-CLIPPED, CLIPPED)
        logits: Tensor = self.judge(self.dropout(standardised))
        return logits

    def forward(self, crops: Tensor) -> Tensor:
        return self.judged(self.features(crops))


def pooled(taps: Sequence[Tensor]) -> Tensor:
    """Tokens after each tap to features (n, 3 · taps · width): class token, mean and deviation of patches."""
    parts = []
    for tokens in taps:
        patches = tokens[:, 1:]
        deviation = patches.var(dim=1, unbiased=False).add(1e-6).sqrt()
        parts += [tokens[:, 0], patches.mean(dim=1), deviation]
    return torch.cat(parts, dim=1)


def pretrained_state(weights: Path) -> dict[str, Tensor]:
    """Float32 tensors of the pretrained file, whose matrices are int8 with one scale per output row."""
    stored = load_file(weights)
    state = {}
    for name, value in stored.items():
        if name.endswith(".int8"):
            base = name.removesuffix(".int8")
            scale = stored[base + ".scale"].reshape(-1, *[1] * (value.ndim - 1))
            state[base] = value.float() * scale
        elif not name.endswith(".scale"):
            state[name] = value.float()
    return state
