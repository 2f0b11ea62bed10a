"""Vision transformer of the second look: 11 blocks on patches of 14 px at 224 px, for both framings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn
from torch.nn import functional

from detector.networks.base import Network, register
from detector.networks.graphs import QUESTIONS, READINGS


class FramingNetwork(Network):
    """Base of networks of the second look: normalised crops to logits (n, readings · questions).

    Another architecture than the shipped one is fitted and shipped in the same way
    (training/docs/training.md). It is registered under its ``architecture`` and has ``forward`` and, for
    heatmaps, ``cam_layers``.
    """

    architecture: str
    size: int  # px of a crop
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def of_reading(self, logits: Tensor, reading: Tensor) -> Tensor:
        """Select the logits (n, questions) of the reading (n,) of each crop."""
        by_reading = logits[:, : READINGS * QUESTIONS].reshape(-1, READINGS, QUESTIONS)
        return by_reading[torch.arange(len(reading), device=reading.device), reading]

    def normalise(self, crops: Tensor) -> Tensor:
        """Convert uint8 (n, h, w, 3) to the network's input."""
        x = crops.permute(0, 3, 1, 2).float().div_(255)
        return (x - torch.tensor(self.mean).view(1, 3, 1, 1)) / torch.tensor(self.std).view(1, 3, 1, 1)


PATCH = 14  # px
CLIPPED = 8.0  # standard deviations; on unusual pictures single features lie far outside
# Blocks below which no patch is left out, so that a crop passes them once for all its copies without patches.
# After more blocks maps of other faces are confirmed more often (training/docs/experiments.md).
_WHOLE_BLOCKS = 4


@dataclass(frozen=True)
class Shape:
    """Dimensions of the network. Linear heads read after the blocks ``taps``, counted from one."""

    size: int = 224
    taps: tuple[int, ...] = (5, 8, 11)
    dropout: float = 0.2
    width: int = 384
    depth: int = 11
    attention_heads: int = 6

    @property
    def features(self) -> int:
        return len(self.taps) * 3 * self.width

    @property
    def whole_blocks(self) -> int:
        """The number of first blocks that see all patches, which end before the first tap."""
        return min(_WHOLE_BLOCKS, self.taps[0] - 1)


PRETRAINED = Shape(depth=12, taps=(6, 9, 12))
"""The shape of the pretrained encoder."""


@register("vit_small_14")
class ViTSmall14(FramingNetwork):
    """A DINOv2 vision transformer, cut to 11 blocks, with linear heads on pooled features."""

    architecture = "vit_small_14"
    gives_tokens = True
    drops_patches = True
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
        # Mean and standard deviation of the pretrained features, set once before the heads are fitted.
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

    def embed(self, crops: Tensor) -> Tensor:
        """Map crops to tokens (n, 1 + patches, width), the class token first."""
        net = self.backbone
        tokens: Tensor = net.norm_pre(net.patch_drop(net._pos_embed(net.patch_embed(crops))))
        return tokens

    def lower_tokens(self, crops: Tensor) -> Tensor:
        return self.collect_taps(self.embed(crops), range(self.shape.whole_blocks))[0]

    def collect_taps(
        self, tokens: Tensor, blocks: range, bias: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Pass ``tokens`` through ``blocks``; return the tokens, and those after each tap.

        ``bias`` (n, 1, 1, tokens) is added to the attention to each token.
        """
        net, taps = self.backbone, []
        for block in blocks:
            tokens = run_block(net.blocks[block], tokens, bias)
            if block + 1 in self.shape.taps:
                taps.append(net.norm(tokens) if block + 1 == self.shape.depth else tokens)
        return tokens, taps

    def run_blocks(self, tokens: Tensor, blocks: range) -> tuple[Tensor, Tensor]:
        """Pass ``tokens`` through ``blocks``; return the tokens, and the pooled features of these taps."""
        tokens, taps = self.collect_taps(tokens, blocks)
        return tokens, pool_tokens(taps) if taps else tokens[:, 0, :0]

    def features(self, crops: Tensor) -> Tensor:
        """Map crops to features (n, 3 · taps · width), not standardised."""
        return pool_tokens(self.collect_all_taps(crops))

    def collect_all_taps(self, crops: Tensor) -> list[Tensor]:
        """Map crops to the tokens (n, 1 + patches, width) after each tap."""
        return self.collect_taps(self.embed(crops), range(self.shape.depth))[1]

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        """The first norms of the last four blocks, which average out random effects of a single block."""
        return tuple(block.norm1 for block in self.backbone.blocks[-4:])

    def classify(self, features: Tensor) -> Tensor:
        """Map features to logits (n, readings · questions)."""
        standardised = ((features - self.centre) / self.spread).clamp(-CLIPPED, CLIPPED)
        logits: Tensor = self.judge(self.dropout(standardised))
        return logits

    def patch_features(self, crops: Tensor) -> Tensor:
        """Map crops to the patches after the first tap (n, s · s, d), from which most detail can be read."""
        tokens, _ = self.collect_taps(self.embed(crops), range(self.shape.taps[0]))
        return tokens[:, 1:]

    def score_patches(
        self, tokens: Tensor, outputs: Sequence[int] | None = None, weights: Tensor | None = None
    ) -> Tensor:
        blocks = range(self.shape.whole_blocks, self.shape.depth)
        _, taps = self.collect_taps(tokens, blocks, attention_bias(weights))
        return self.score_taps(taps, weights)

    def score_taps(self, taps: Sequence[Tensor], weights: Tensor | None = None) -> Tensor:
        """Map tokens after each tap to logits (n, readings · questions)."""
        return self.classify(pool_tokens(taps, weights))

    def forward(self, crops: Tensor) -> Tensor:
        return self.score_patches(self.lower_tokens(crops))


def run_block(block: nn.Module, tokens: Tensor, bias: Tensor | None) -> Tensor:
    """Pass ``tokens`` through a block of timm; ``bias`` is added to its attention."""
    out: Tensor = block(tokens) if bias is None else block(tokens, attn_mask=bias)
    return out


def attention_bias(weights: Tensor | None) -> Tensor | None:
    """Return what is added to the attention to tokens for their ``weights`` (n, tokens)."""
    return None if weights is None else weights.log()[:, None, None, :]


def mean_patch(patches: Tensor, weights: Tensor | None = None) -> Tensor:
    """Average ``patches`` (n, k, d), by the ``weights`` (n, 1 + k) of their tokens if given."""
    if weights is None:
        return patches.mean(dim=1)
    shares = weights[:, 1:] / weights[:, 1:].sum(dim=1, keepdim=True)
    return (patches * shares[..., None]).sum(dim=1)


def pool_tokens(taps: Sequence[Tensor], weights: Tensor | None = None) -> Tensor:
    """Pool the tokens of each tap to features: class token, mean and deviation of patches.

    ``weights`` (n, tokens) state how much each token counts.
    """
    parts = []
    for tokens in taps:
        patches = tokens[:, 1:]
        mean = mean_patch(patches, weights)
        if weights is None:
            variance = patches.var(dim=1, unbiased=False)
        else:
            variance = mean_patch((patches - mean[:, None]).square(), weights)
        parts += [tokens[:, 0], mean, variance.add(1e-6).sqrt()]
    return torch.cat(parts, dim=1)


def pretrained_state(weights: Path) -> dict[str, Tensor]:
    """Read the pretrained file as float32; its matrices are int8 with one scale per output row."""
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


HIDDEN = 256  # units of the perceptron on patches


@register("vit_small_14_patch_heads")
class ViTSmall14PatchHeads(ViTSmall14):
    """The vision transformer with a perceptron on each patch as well, which is neutral until trained."""

    architecture = "vit_small_14_patch_heads"

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__(shape)
        width = len(self.shape.taps) * self.shape.width
        # Mean and standard deviation of patches, set once, before the perceptron is trained.
        self.patch_centre: Tensor
        self.patch_spread: Tensor
        self.register_buffer("patch_centre", torch.zeros(width))
        self.register_buffer("patch_spread", torch.ones(width))
        self.patch_hidden = nn.Linear(width, HIDDEN)
        self.patch_judge = nn.Linear(HIDDEN, READINGS * QUESTIONS)
        nn.init.zeros_(self.patch_judge.weight)
        nn.init.zeros_(self.patch_judge.bias)

    def patches(self, taps: Sequence[Tensor]) -> Tensor:
        """Join the tokens of each tap to patch features (n, patches, taps · width), not standardised."""
        return torch.cat([tokens[:, 1:] for tokens in taps], dim=2)

    def standardise_patches(self, patches: Tensor) -> Tensor:
        """Standardise patch features."""
        return ((patches - self.patch_centre) / self.patch_spread).clamp(-CLIPPED, CLIPPED)

    def patch_units(self, patches: Tensor) -> Tensor:
        """Map patch features to the perceptron's units (n, patches, HIDDEN)."""
        units: Tensor = functional.gelu(self.patch_hidden(self.standardise_patches(patches)))
        return units

    def score_taps(self, taps: Sequence[Tensor], weights: Tensor | None = None) -> Tensor:
        # The last layer is linear, so it may be applied to the mean of its inputs.
        units = mean_patch(self.patch_units(self.patches(taps)), weights)
        of_patches: Tensor = self.patch_judge(units)
        return self.classify(pool_tokens(taps, weights)) + of_patches
