"""Both encoders and the head in torch, with the names of :func:`detector.voice.graphs.encoder_graph`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from detector.voice.graphs import (
    BLOCKS,
    FEATURES,
    HEADS,
    MELS,
    QUALITY_BLOCKS,
    QUALITY_HEADS,
    QUALITY_WIDTH,
    STRIDES,
    TOKENS,
    WIDTH,
)
from training.voice.heads import Head


class _Attention(nn.Module):
    """The layers that both kinds of block share."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self._heads = heads

    def attend(self, tokens: Tensor) -> Tensor:
        count, length, width = tokens.shape
        split = self.qkv(tokens).view(count, length, 3, self._heads, width // self._heads)
        seen = F.scaled_dot_product_attention(*split.permute(2, 0, 3, 1, 4))
        attended: Tensor = self.out(seen.transpose(1, 2).reshape(count, length, width))
        return attended


class _Block(_Attention):
    """One block of Whisper's encoder."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (n, t, 512) to tokens."""
        tokens = tokens + self.attend(self.attention_norm(tokens))
        hidden: Tensor = self.fc2(F.gelu(self.fc1(self.mlp_norm(tokens))))
        return tokens + hidden


class _QualityBlock(_Attention):
    """One block of Distill-MOS, which normalises last."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (n, t, 200) to tokens."""
        tokens = self.attention_norm(tokens + self.attend(tokens))
        normalised: Tensor = self.mlp_norm(tokens + self.fc2(F.relu(self.fc1(tokens))))
        return normalised


class _Quality(nn.Module):
    """The encoder of Distill-MOS (Stahl and Gamper, 2025, arXiv:2502.05356)."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        for number, stride in enumerate(STRIDES):
            most, least, *_ = shapes[f"quality.conv{number}.weight"]
            setattr(self, f"conv{number}", nn.Conv2d(least, most, 3, stride, padding=(0, 1)))
        self.project = nn.Linear(shapes["quality.project.weight"][1], QUALITY_WIDTH)
        self.positions = nn.Parameter(torch.zeros(shapes["quality.positions"]))
        for number in range(QUALITY_BLOCKS):
            setattr(self, f"block{number}", _QualityBlock(QUALITY_WIDTH, QUALITY_HEADS, 2 * QUALITY_WIDTH))

    def forward(self, spectrum: Tensor) -> Tensor:
        """Return the tokens (n, t, 1400) of all blocks."""
        for number in range(len(STRIDES)):
            spectrum = F.leaky_relu(getattr(self, f"conv{number}")(spectrum), 0.1)
        tokens = self.project(spectrum.flatten(1, 2).transpose(1, 2))
        tokens = tokens + self.positions[: tokens.shape[1]]
        outputs = []
        for number in range(QUALITY_BLOCKS):
            tokens = getattr(self, f"block{number}")(tokens)
            outputs.append(tokens)
        return torch.cat(outputs, 2)


class Encoder(nn.Module):
    """Both encoders and the head."""

    def __init__(self, tensors: Mapping[str, np.ndarray], head: Head) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(MELS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.zeros(tensors["positions"].shape))
        for number in range(BLOCKS):
            setattr(self, f"block{number}", _Block(WIDTH, HEADS, 4 * WIDTH))
        self.quality = _Quality({name: tensor.shape for name, tensor in tensors.items()})
        self.head = nn.Linear(2 * FEATURES, 1)
        state = {name: torch.from_numpy(np.array(tensor, np.float32)) for name, tensor in tensors.items()}
        state["head.weight"] = torch.from_numpy(head.weight[None].astype(np.float32))
        state["head.bias"] = torch.tensor([head.bias], dtype=torch.float32)
        self.load_state_dict(state)

    def forward(self, mels: Tensor, spectra: Tensor, shares: Tensor) -> Tensor:
        """Return the raw scores (n,) of both spectra of c cells with their shares of speech (n, c)."""
        tokens = F.gelu(self.conv2(F.gelu(self.conv1(mels)))).transpose(1, 2)
        tokens = tokens + self.positions[: tokens.shape[1]]
        outputs = []
        for number in range(BLOCKS):
            tokens = getattr(self, f"block{number}")(tokens)
            outputs.append(tokens)
        cells = torch.cat([*outputs, self.quality(spectra)], 2).unflatten(1, (-1, TOKENS))
        weights = (shares / shares.sum(1, keepdim=True))[..., None]
        mean = (cells.mean(2) * weights).sum(1)
        square = ((cells**2).mean(2) * weights).sum(1)
        deviation = (square - mean**2).clamp_min(1e-6).sqrt()
        scores: Tensor = self.head(torch.cat([mean, deviation], 1))[:, 0]
        return scores

    def tensors(self) -> tuple[dict[str, np.ndarray], Head]:
        """Return the encoders' tensors and the head."""
        state = {name: tensor.detach().numpy() for name, tensor in self.state_dict().items()}
        weight, bias = state.pop("head.weight")[0], float(state.pop("head.bias")[0])
        return state, Head(weight.astype(np.float64), bias)
