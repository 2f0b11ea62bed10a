"""Train the transformer's blocks in two halves, separately, on stored tokens between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from detector.errors import ParameterError
from detector.faces.crop import HEAD
from detector.files import atomic_path
from detector.networks.vit_small_14 import PATCH, PRETRAINED, ViTSmall14
from detector.progress import ReportText
from training.loop import Average, Loop, Stateful, cosine, train
from training.losses import question_loss
from training.second_look.examples.sampling import Sampler
from training.second_look.linear_heads import fit_linear_heads
from training.second_look.runs import TrainingExample

UPPER_BLOCKS = 4
"""Blocks above the stored tokens."""
_BATCH = 8
_REPORT_EVERY_EXAMPLES = 400


@dataclass(frozen=True)
class StoredTokens:
    """Crops (n, s, s, 3), tokens below the upper blocks (n, t, d), features, framings, targets."""

    crops: NDArray[np.uint8]
    tokens: NDArray[np.float16]
    features: NDArray[np.float32]
    framings: NDArray[np.int64]
    targets: NDArray[np.float32]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the tokens of :func:`store_tokens`; raise :class:`ParameterError` without any."""
        if not (folder / "targets.npy").is_file():
            raise ParameterError(f"{folder} holds no tokens. Run the step `tokens` first.")
        crops, tokens, features = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("crops", "tokens", "features")
        )
        framings, targets = (np.load(folder / f"{name}.npy") for name in ("framings", "targets"))
        return cls(crops, tokens, features, framings, targets)

    def __len__(self) -> int:
        return len(self.targets)


def head_examples(sampler: Sampler, count: int, seed: int) -> list[TrainingExample]:
    """Draw ``count`` examples of whole heads by a sampler of ``HEAD_SHARES``."""
    rng = np.random.default_rng(seed)
    out: list[TrainingExample] = []
    while len(out) < count:
        out += [example for example in sampler.draw(rng) if example.framing == HEAD]
    return out[:count]


@torch.inference_mode()
def store_tokens(
    network: ViTSmall14, examples: Sequence[TrainingExample], folder: Path, report: ReportText
) -> None:
    """Store crops, tokens and features of ``examples`` in ``folder``.

    They are computed once, so that the upper blocks can be tuned without the lower ones, and other lower ones
    distilled without the upper ones.
    """
    network.eval()
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / "targets.npy"  # written last, as a sign that the rest is complete
    last.unlink(missing_ok=True)
    side, shape = network.size, network.shape
    lower = shape.depth - UPPER_BLOCKS
    sizes = {
        "crops": ((side, side, 3), np.uint8),
        "tokens": ((1 + (side // PATCH) ** 2, shape.width), np.float16),
        "features": ((shape.features,), np.float32),
    }
    arrays = {
        name: open_memmap(folder / f"{name}.npy", "w+", dtype, (len(examples), *size))
        for name, (size, dtype) in sizes.items()
    }
    for start in range(0, len(examples), _BATCH):
        batch = examples[start : start + _BATCH]
        crops = np.stack([example.crop(side) for example in batch])
        embedded = network.embed(network.normalise(torch.from_numpy(crops)))
        tokens, low = network.run_blocks(embedded, range(lower))
        _, high = network.run_blocks(tokens, range(lower, shape.depth))
        end = start + len(batch)
        arrays["crops"][start:end] = crops
        arrays["features"][start:end] = torch.cat([low, high], dim=1).numpy()
        arrays["tokens"][start:end] = tokens.half().numpy()
        if start % _REPORT_EVERY_EXAMPLES == 0:
            report(f"tokens of {end} of {len(examples)} examples")
    np.save(folder / "framings.npy", np.array([e.framing for e in examples], np.int64))
    with atomic_path(last) as temporary, temporary.open("wb") as file:
        np.save(file, np.array([e.targets for e in examples], np.float32))


LEFT_OUT = 4
"""The pretrained block omitted from the distilled half, from 0: tokens differ least without it."""
_LOWER = PRETRAINED.depth - UPPER_BLOCKS - 1  # blocks of the lower half
_CLIP_NORM = 1.0
# Upper half
_HEAD_RATE = 1e-5
_KEEP = 0.7  # share of the patches used in training
_SMOOTHING = 0.03  # of labels
_AVERAGE = 0.99  # decay of the average
# Lower half
_FEW = 50  # stored examples, every fourth one, by which the spread of tokens is measured
_FEATURES = 0.3  # weight of the lowest tap's features beside the tokens


@dataclass(frozen=True)
class BlockTraining:
    """Settings of training the blocks of a half."""

    examples: int
    batch: int
    rate: float
    betas: tuple[float, float]
    least: float  # share of the rate at the end of the cosine
    falling: float = 1.0  # of the upper blocks' rates, from block to block towards the input
    warm_up: int = 40  # steps
    weight_decay: float = 0.02
    share: float = 1.0  # of the way from the first weights of the upper half to the tuned ones
    seed: int = 5

    @property
    def steps(self) -> int:
        return self.examples // self.batch

    def rows(self, loop: Loop, count: int) -> Iterator[NDArray[np.int64]]:
        """Yield the rows of each step after that of ``loop``: every example once before any repeats."""
        rng = np.random.default_rng(self.seed)
        order: list[int] = []
        for step in range(self.steps):
            if len(order) < self.batch:
                order += rng.permutation(count).tolist()
            rows, order = order[: self.batch], order[self.batch :]
            if step >= loop.step:
                yield np.array(rows)

    def loop(self, groups: Sequence[Mapping[str, Any]], **settings: Any) -> Loop:
        rate = cosine(self.steps, self.warm_up, self.least)
        return Loop(groups, rate, betas=self.betas, clip_norm=_CLIP_NORM, **settings)


UPPER = BlockTraining(examples=13_600, batch=32, rate=4e-5, betas=(0.9, 0.999), least=0.02, falling=0.85)
# What the second tuning gains with reenactment it loses with talking heads (training/docs/experiments.md).
UPPER_AGAIN = BlockTraining(
    examples=8_640, batch=24, rate=5e-5, betas=(0.9, 0.999), least=0.02, falling=0.95, share=0.8
)
DISTILLED = BlockTraining(examples=4_800, batch=8, rate=1.5e-4, betas=(0.9, 0.98), least=0.03)


def start_from(pretrained: ViTSmall14, network: ViTSmall14) -> None:
    """Give ``network`` the pretrained blocks except :data:`LEFT_OUT`, and empty heads."""
    state = pretrained.backbone.state_dict()
    kept = [block for block in range(PRETRAINED.depth) if block != LEFT_OUT]
    own = {name: value for name, value in state.items() if not name.startswith("blocks.")}
    for number, block in enumerate(kept):
        prefix = f"blocks.{block}."
        own |= {
            f"blocks.{number}.{name.removeprefix(prefix)}": value
            for name, value in state.items()
            if name.startswith(prefix)
        }
    network.backbone.load_state_dict(own)
    with torch.no_grad():
        network.judge.weight.zero_()
        network.judge.bias.zero_()


def tune_upper(
    network: ViTSmall14, kept: StoredTokens, recipe: BlockTraining, checkpoint: Path, report: ReportText
) -> None:
    """Tune heads and blocks above the stored tokens; keep their average, or the recipe's share of it.

    The share is a step from the first weights to the average (WiSE-FT, Wortsman et al., CVPR 2022). Empty
    heads are first fitted on the stored features. An interrupted run continues from ``checkpoint``.
    """
    torch.manual_seed(recipe.seed)  # which patches are seen, and what dropout leaves
    fit_linear_heads(network, np.asarray(kept.features), kept.framings, kept.targets)
    blocks, width = range(_LOWER, network.shape.depth), _tap_width(network)
    loop = recipe.loop(_upper_groups(network, recipe), weight_decay=recipe.weight_decay)
    first = [parameter.detach().clone() for parameter in loop.parameters]
    means = [parameter.clone() for parameter in first]
    average = Average(zip(means, loop.parameters, strict=True), (), _AVERAGE)
    loop.after = lambda: average.add(loop.step - 1)
    network.train()

    def losses() -> Iterator[Tensor]:
        for rows in recipe.rows(loop, len(kept)):
            tokens = torch.from_numpy(np.stack([kept.tokens[row] for row in rows])).float()
            low = torch.from_numpy(np.stack([kept.features[row, :width] for row in rows]))
            _, high = network.run_blocks(_some_patches(tokens), blocks)
            judged = network.classify(torch.cat([low, high], dim=1))
            logits = network.of_reading(judged, torch.from_numpy(kept.framings[rows]))
            yield question_loss(logits, torch.from_numpy(kept.targets[rows]), _SMOOTHING)

    parts: dict[str, Stateful] = {"network": network, "average": average}
    train(loop, losses, parts, checkpoint, recipe.steps, report, (recipe, len(kept)))
    with torch.no_grad():
        for start, mean, now in zip(first, means, loop.parameters, strict=True):
            now.copy_(mean.lerp(start, 1 - recipe.share))


def _upper_groups(network: ViTSmall14, recipe: BlockTraining) -> list[dict[str, Any]]:
    """Return the trained parts of the upper half with their highest rates: blocks, last norm, heads."""
    upper = network.backbone.blocks[_LOWER:]
    groups = [
        {
            "params": list(block.parameters()),
            "peak": recipe.rate * recipe.falling ** (len(upper) - 1 - number),
        }
        for number, block in enumerate(upper)
    ]
    return [
        *groups,
        {"params": list(network.backbone.norm.parameters()), "peak": recipe.rate},
        {"params": list(network.judge.parameters()), "peak": _HEAD_RATE},
    ]


def _tap_width(network: ViTSmall14) -> int:
    """Return the number of features of the lowest tap, which come first."""
    return 3 * network.shape.width


def distil_lower(
    network: ViTSmall14, kept: StoredTokens, recipe: BlockTraining, checkpoint: Path, report: ReportText
) -> None:
    """Distil the embeddings and the blocks below the stored tokens until their tokens resemble these.

    An interrupted run continues from ``checkpoint``.
    """
    blocks, width = range(_LOWER), _tap_width(network)
    of_token, of_feature = _spread(kept, width)
    above = ("norm.", *(f"blocks.{n}." for n in range(_LOWER, network.shape.depth)))
    trained = [
        parameter for name, parameter in network.backbone.named_parameters() if not name.startswith(above)
    ]
    matrices = [parameter for parameter in trained if parameter.ndim > 1 and len(parameter) > 1]
    others = [parameter for parameter in trained if parameter.ndim <= 1 or len(parameter) == 1]
    groups = [
        {"params": matrices, "peak": recipe.rate, "weight_decay": recipe.weight_decay},
        {"params": others, "peak": recipe.rate, "weight_decay": 0.0},
    ]
    loop = recipe.loop(groups, clipped=trained)
    network.train()

    def losses() -> Iterator[Tensor]:
        for rows in recipe.rows(loop, len(kept)):
            crops = torch.from_numpy(np.stack([kept.crops[row] for row in rows]))
            tokens, low = network.run_blocks(network.embed(network.normalise(crops)), blocks)
            wanted = torch.from_numpy(np.stack([kept.tokens[row] for row in rows])).float()
            wanted_low = torch.from_numpy(np.stack([kept.features[row, :width] for row in rows]))
            of_tokens = F.smooth_l1_loss(tokens / of_token, wanted / of_token)
            yield of_tokens + _FEATURES * F.smooth_l1_loss(low / of_feature, wanted_low / of_feature)

    train(loop, losses, {"network": network}, checkpoint, recipe.steps, report, (recipe, len(kept)))


def join(lower: Path, upper: Path, start: Path) -> None:
    """Write the weights of a network whose halves were trained separately to ``start``."""
    whole = torch.load(lower, map_location="cpu", weights_only=True)
    of_upper = tuple(f"backbone.blocks.{n}." for n in range(_LOWER, PRETRAINED.depth))
    of_upper += ("backbone.norm.", "judge.", "centre", "spread")
    tuned = torch.load(upper, map_location="cpu", weights_only=True)
    whole |= {name: tuned[name] for name in whole if name.startswith(of_upper)}
    with atomic_path(start) as temporary:
        torch.save(whole, temporary)


def new_network(pretrained: Path) -> ViTSmall14:
    """Return the network to train, with the weights of the pretrained file."""
    first, network = ViTSmall14(PRETRAINED), ViTSmall14()
    first.load_pretrained(pretrained)
    start_from(first, network)
    return network


def _some_patches(tokens: Tensor) -> Tensor:
    """Return the class token and a random share of the patches."""
    patches = tokens.shape[1] - 1
    chosen = 1 + torch.randperm(patches)[: int(patches * _KEEP)]
    return torch.cat([tokens[:, :1], tokens[:, chosen]], dim=1)


def _spread(kept: StoredTokens, width: int) -> tuple[Tensor, Tensor]:
    """Return standard deviations of tokens, without outliers, and of the lowest tap's features."""
    tokens = np.concatenate(kept.tokens[: 4 * _FEW : 4]).astype(np.float32)
    low, high = np.percentile(tokens, [1, 99], axis=0)
    of_token = np.clip(tokens, low, high).std(axis=0) + 1e-3
    of_feature = np.asarray(kept.features[:, :width]).std(axis=0) + 1e-3
    return torch.from_numpy(of_token), torch.from_numpy(of_feature)
