"""The start's last four blocks tuned on kept tokens, for one round.

Rates fall towards the input, and the weights that count are an average over the steps. Each family of
generators is drawn by the square root of its number of clips, each group of unmanipulated clips likewise;
of a fake whose group holds an unmanipulated clip, that is drawn into the same batch. A second round already
costs generators that nobody learnt from, while the loss still falls (docs/experiments.md).
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from detector.backends.runtimes import knows_bfloat16
from detector.networks.vit_small_14 import CLIPPED, ViTSmall14, pool_tokens
from training.unseen.samples import Sample
from training.unseen.token_cache import UPPER

Tokens = NDArray[np.float16]


@dataclass(frozen=True)
class Recipe:
    """How the blocks are tuned."""

    examples: int = 2400
    batch: int = 24
    rate: float = 3e-5  # of the last block
    falling: float = 0.75  # from block to block towards the input
    head_rate: float = 1e-4
    decay: float = 0.02
    warm_up: int = 20  # steps
    kept: float = 0.7  # share of the patches in training
    smoothing: float = 0.05
    average: float = 0.98  # share of the average that stays at a step
    dropout: float = 0.2  # of features
    twins: float = 0.0  # share of examples
    seed: int = 7

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.examples // self.batch


class UpperBlocks(nn.Module):
    """The blocks above kept tokens, and one linear classifier of all taps' standardised features."""

    def __init__(self, network: ViTSmall14, centre: Tensor, spread: Tensor) -> None:
        super().__init__()
        depth = network.shape.depth
        self.blocks = copy.deepcopy(network.backbone.blocks[depth - UPPER :])
        self.norm = copy.deepcopy(network.backbone.norm)
        self.taps = tuple(tap - (depth - UPPER) for tap in network.shape.taps if tap > depth - UPPER)
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", centre)
        self.register_buffer("spread", spread)
        self.judge = nn.Linear(len(centre), 1)

    def features(self, low: Tensor, tokens: Tensor) -> Tensor:
        """Features below (n, l) and tokens (n, t, d) to standardised features (n, f)."""
        taps = []
        for number, block in enumerate(self.blocks, 1):
            tokens = block(tokens)
            if number in self.taps:
                taps.append((self.norm(tokens) if number == len(self.blocks) else tokens).float())
        whole = torch.cat([low, pool_tokens(taps)], dim=1)
        return ((whole - self.centre) / self.spread).clamp(-CLIPPED, CLIPPED)


class Drawing:
    """Draws rows of samples: half manipulated, half not."""

    def __init__(self, samples: Sequence[Sample], rng: np.random.Generator) -> None:
        self._rng = rng
        self._fake: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._real: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._pairs: dict[int, list[int]] = defaultdict(list)
        self._group: dict[int, str] = {}
        for row, sample in enumerate(samples):
            if sample.pair >= 0:
                self._pairs[sample.pair].append(row)
                continue
            place = self._fake[sample.family] if sample.fake else self._real[sample.group or sample.file]
            place[sample.file].append(row)
            self._group[row] = sample.group
        self._share = {
            id(places): np.array([len(files) for files in places.values()]) ** 0.5
            for places in (self._fake, self._real)
        }

    def _one(self, places: dict[str, dict[str, list[int]]]) -> int:
        weights = self._share[id(places)]
        names = list(places)
        files = places[names[self._rng.choice(len(names), p=weights / weights.sum())]]
        rows = files[list(files)[self._rng.integers(len(files))]]
        return rows[self._rng.integers(len(rows))]

    def batch(self, count: int, twins: float) -> list[int]:
        """``count`` rows, of which a share ``twins`` are pairs of an original and its twin."""
        out: list[int] = []
        pairs = list(self._pairs.values())
        while len(out) < count:
            if pairs and self._rng.random() < twins:
                out += pairs[self._rng.integers(len(pairs))]
                continue
            fake = self._one(self._fake)
            same = self._real.get(self._group[fake])
            if same and self._rng.random() < 0.7:
                rows = same[list(same)[self._rng.integers(len(same))]]
                real = rows[self._rng.integers(len(rows))]
            else:
                real = self._one(self._real)
            out += [fake, real]
        return out[:count]


def tune(
    upper: UpperBlocks,
    samples: Sequence[Sample],
    low: NDArray[np.float32],
    tokens: Callable[[list[int]], Tokens],
    recipe: Recipe,
    report: Callable[[str], None],
) -> UpperBlocks:
    """The average of ``upper`` over training on ``samples``, whose features below are ``low`` (n, l)."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    drawing = Drawing(samples, rng)
    labels = np.array([sample.fake for sample in samples], np.float32)
    groups = [
        {
            "params": list(block.parameters()),
            "peak": recipe.rate * recipe.falling ** (len(upper.blocks) - 1 - number),
        }
        for number, block in enumerate(upper.blocks)
    ]
    groups += [
        {"params": list(upper.norm.parameters()), "peak": recipe.rate},
        {"params": list(upper.judge.parameters()), "peak": recipe.head_rate},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.rate, weight_decay=recipe.decay)
    trained = [parameter for group in groups for parameter in group["params"]]  # type: ignore[attr-defined]
    means = [parameter.detach().clone() for parameter in trained]
    losses: list[float] = []
    upper.train()
    for step in range(recipe.steps):
        rows = drawing.batch(recipe.batch, recipe.twins)
        given = torch.from_numpy(tokens(rows)).float()
        chosen = 1 + torch.randperm(given.shape[1] - 1)[: int((given.shape[1] - 1) * recipe.kept)]
        given = torch.cat([given[:, :1], given[:, chosen]], dim=1)
        with torch.autocast("cpu", torch.bfloat16, enabled=knows_bfloat16()):
            features = upper.features(torch.from_numpy(low[rows]), given)
        logits = upper.judge(functional.dropout(features.float(), recipe.dropout))[:, 0]
        wanted = torch.from_numpy(labels[rows]) * (1 - 2 * recipe.smoothing) + recipe.smoothing
        loss = functional.binary_cross_entropy_with_logits(logits, wanted)
        share = min(1.0, (step + 1) / recipe.warm_up) * 0.5 * (1 + np.cos(np.pi * step / recipe.steps))
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * share
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        keep = min(recipe.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, now in zip(means, trained, strict=True):
                mean.lerp_(now, 1 - keep)
        losses.append(float(loss.detach()))
        if (step + 1) % 20 == 0:
            report(f"step {step + 1} of {recipe.steps}, loss {np.mean(losses[-20:]):.3f}")
    with torch.no_grad():
        for mean, now in zip(means, trained, strict=True):
            now.copy_(mean)
    return upper.eval()


@torch.inference_mode()
def features_of(
    upper: UpperBlocks, low: NDArray[np.float32], tokens: Tokens, batch: int = 16
) -> NDArray[np.float32]:
    """Standardised features (n, f) of kept samples."""
    out = []
    for first in range(0, len(low), batch):
        some = slice(first, first + batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=knows_bfloat16()):
            features = upper.features(
                torch.from_numpy(low[some]), torch.from_numpy(np.asarray(tokens[some])).float()
            )
        out.append(features.float().numpy())
    return np.concatenate(out)
