"""Tune the encoder throughout, together with its head, on pairs of one page."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from detector.voice.network import BLOCKS, CELL, HEADS, MELS, WIDTH, log_mel, power_spectrum
from detector.voice.samples import Samples
from training.voice.cells import Cells
from training.voice.degradations import colour, low_pass, noise, telephone
from training.voice.heads import Head
from training.voice.recordings import Recording

STEPS, RATE = 160, 3e-5
PAIRS = 4  # a step
CELLS = 4  # of each example: 2 s
_TOKENS = 25
_WARM_UP = 30
_SOFT = 0.02  # targets are this far from 0 and 1
_RANKING = 0.5  # weight of the loss that compares the two of a page
_HEAD_FASTER = 3.0


class Block(nn.Module):
    """One block of Whisper's encoder, with the names of :func:`detector.voice.network.encoder_graph`."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (n, t, 512) to tokens."""
        count, length, _ = tokens.shape
        split = self.qkv(self.attention_norm(tokens)).view(count, length, 3, HEADS, WIDTH // HEADS)
        seen = F.scaled_dot_product_attention(*split.permute(2, 0, 3, 1, 4))
        tokens = tokens + self.out(seen.transpose(1, 2).reshape(count, length, WIDTH))
        hidden: Tensor = self.fc2(F.gelu(self.fc1(self.mlp_norm(tokens))))
        return tokens + hidden


class Encoder(nn.Module):
    """Stem, two blocks and the head."""

    def __init__(self, tensors: Mapping[str, np.ndarray], head: Head) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(MELS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.zeros(tensors["positions"].shape))
        for number in range(BLOCKS):
            setattr(self, f"block{number}", Block())
        self.head = nn.Linear(2 * BLOCKS * WIDTH, 1)
        state = {name: torch.from_numpy(np.array(tensor, np.float32)) for name, tensor in tensors.items()}
        state["head.weight"] = torch.from_numpy(head.weight[None].astype(np.float32))
        state["head.bias"] = torch.tensor([head.bias], dtype=torch.float32)
        self.load_state_dict(state)

    def forward(self, mels: Tensor, shares: Tensor) -> Tensor:
        """Return the raw scores (n,) of spectrograms (n, 80, 50 · c) with shares of speech (n, c)."""
        tokens = F.gelu(self.conv2(F.gelu(self.conv1(mels)))).transpose(1, 2)
        tokens = tokens + self.positions[: tokens.shape[1]]
        outputs = []
        for number in range(BLOCKS):
            tokens = getattr(self, f"block{number}")(tokens)
            outputs.append(tokens)
        cells = torch.cat(outputs, 2).unflatten(1, (-1, _TOKENS))
        weights = (shares / shares.sum(1, keepdim=True))[..., None]
        mean = (cells.mean(2) * weights).sum(1)
        square = ((cells**2).mean(2) * weights).sum(1)
        deviation = (square - mean**2).clamp_min(1e-6).sqrt()
        scores: Tensor = self.head(torch.cat([mean, deviation], 1))[:, 0]
        return scores

    def tensors(self) -> tuple[dict[str, np.ndarray], Head]:
        """Return the encoder's tensors and the head."""
        state = {name: tensor.detach().numpy() for name, tensor in self.state_dict().items()}
        weight, bias = state.pop("head.weight")[0], float(state.pop("head.bias")[0])
        return state, Head(weight.astype(np.float64), bias)


def tune(
    start: Encoder,
    recordings: Sequence[Recording],
    cells: Mapping[str, Cells],
    checkpoint: Path,
    steps: int = STEPS,
) -> Encoder:
    """Tune ``start`` on ``recordings``, whose shares of speech are in ``cells``; keep it in ``checkpoint``.

    Each step takes pairs of a human and a synthetic recording of one page, so that what the page has in
    common teaches nothing.
    """
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    pages: dict[str, tuple[list[Recording], list[Recording]]] = defaultdict(lambda: ([], []))
    for recording in recordings:
        if cells[recording.name].cleaned().sum() >= 2:
            pages[recording.page][recording.synthetic].append(recording)
    both = [pair for pair in pages.values() if all(pair)]
    chance = np.array([min(2 * len(human), len(synthetic)) ** 0.5 for human, synthetic in both])
    head = set(start.head.parameters())
    groups = [
        {"params": [p for p in start.parameters() if p not in head], "lr": RATE},
        {"params": list(head), "lr": _HEAD_FASTER * RATE},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    rates = [group["lr"] for group in optimizer.param_groups]
    for step in range(steps):
        share = min((step + 1) / _WARM_UP, 1.0) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = share * rate
        examples = []
        for pair in (both[i] for i in rng.choice(len(both), PAIRS, p=chance / chance.sum())):
            for of_class in pair:
                recording = of_class[rng.integers(len(of_class))]
                examples.append(_example(recording, cells[recording.name], rng))
        mels, shares = (torch.from_numpy(np.stack(part)) for part in zip(*examples, strict=True))
        scores = start(mels, shares)
        wanted = torch.tensor([0.0, 1.0] * PAIRS) * (1 - 2 * _SOFT) + _SOFT
        ranking = F.softplus(scores[0::2] - scores[1::2]).mean()
        loss = F.binary_cross_entropy_with_logits(scores, wanted) + _RANKING * ranking
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(start.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 20 == 0:
            print(f"step {step + 1} of {steps}: loss {float(loss.detach()):.3f}", flush=True)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    temporary = checkpoint.with_suffix(".tmp")
    torch.save(start.state_dict(), temporary)
    os.replace(temporary, checkpoint)
    return start


def _example(recording: Recording, own: Cells, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return spectrogram (80, 200) and shares of speech (4,) of a random stretch, every other one changed."""
    samples, shares = recording.samples(), own.cleaned()
    places = [i for i in range(max(1, len(shares) - CELLS + 1)) if shares[i : i + CELLS].sum() >= 1]
    first = int(rng.choice(places)) if places else 0
    if rng.random() < 0.5:
        samples = _changed(samples, rng)
    part = samples[first * CELL : (first + CELLS) * CELL]
    part = np.pad(part, (0, CELLS * CELL - len(part)))
    weights = np.zeros(CELLS, np.float32)
    weights[: len(shares[first : first + CELLS])] = shares[first : first + CELLS]
    return log_mel(power_spectrum(part)), weights if weights.any() else np.ones_like(weights)


def _changed(samples: Samples, rng: np.random.Generator) -> Samples:
    if rng.random() < 0.5:
        samples = colour(samples, rng)
    drawn = rng.random()
    if drawn < 0.3:
        return noise(samples, rng.uniform(10, 35), float(rng.choice([0.0, 0.5, 1.0])), rng)
    if drawn < 0.45:
        return telephone(samples)
    return low_pass(samples, rng.uniform(3400, 7500)) if drawn < 0.6 else samples
