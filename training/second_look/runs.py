"""Training runs: their folder, the networks they start from, and the loop that trains the scan."""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.errors import ParameterError
from detector.files import atomic_path
from detector.media.frame import Image
from detector.models.loaded import LoadedModel, load_pair
from detector.models.model_files import load_card
from detector.networks.vit_small_14 import FramingNetwork
from detector.progress import ReportText
from training.data.crop_examples import UNKNOWN
from training.losses import local_contrast, question_loss

report_line = partial(print, flush=True)


def run_folder(options: argparse.Namespace) -> Path:
    """Return the folder of a run for checkpoints and figures, creating it if necessary."""
    path: Path = options.out / "runs" / options.name
    path.mkdir(parents=True, exist_ok=True)
    return path


def pretrained(data: Path) -> Path:
    """Return the pretrained start in the research folder; raise :class:`ParameterError` if it is missing."""
    path = data / "pretrained" / "vit-small-14.int8.safetensors"
    if not path.is_file():
        raise ParameterError(f"{path}: the pretrained start is missing.")
    return path


def scan_model(options: argparse.Namespace) -> LoadedModel:
    """Return the scan alone, whatever second look the card of the model names."""
    card, weights = load_card(options.scan)
    return load_pair(card.alone, weights)


LAST, LOG = "last.pt", "log.jsonl"
_LOSSES_KEPT = 100


@dataclass(frozen=True)
class Recipe:
    """Settings of the scan's training; the defaults are those of the shipped scan."""

    examples: int = 150_000
    batch: int = 32
    rate: float = 3e-4  # of the last block
    falling: float = 0.85  # from block to block towards the input
    head_rate: float = 3e-4
    weight_decay: float = 0.02
    warm_up: int = 60  # steps
    smoothing: float = 0.03
    where: float = 0.15  # weight of the loss by which blended places score above the others
    average: float = 0.997
    clip_norm: float = 1.0
    check_every: float = 600  # seconds
    save_every: float = 180  # seconds
    seed: int = 31

    @property
    def steps(self) -> int:
        return self.examples // self.batch


class TrainingExample(Protocol):
    """A training example."""

    @property
    def framing(self) -> int: ...

    @property
    def where(self) -> NDArray[np.float32] | None:
        """The blended share of each place, or None if it is unknown."""

    @property
    def targets(self) -> tuple[int, ...]:
        """One target per question."""

    def crop(self, size: int) -> Image:
        """Return the network's input."""


class ExampleSource(Protocol):
    """A source of examples."""

    def batch(self, rng: np.random.Generator, count: int) -> Sequence[TrainingExample]: ...


def parameter_groups(network: FramingNetwork, recipe: Recipe) -> list[dict[str, Any]]:
    """Group parameters by their highest rate (``peak``), which falls block by block towards the input."""
    depth = len(network.backbone.blocks)  # type: ignore[union-attr,arg-type]
    by_rate: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if name.startswith("backbone.classifier"):
            rate = recipe.head_rate
        elif name.startswith("backbone.blocks."):
            rate = recipe.rate * recipe.falling ** (depth - 1 - int(name.split(".")[2]))
        elif name.startswith(("backbone.conv_head", "backbone.bn2")):
            rate = recipe.rate
        else:
            rate = recipe.rate * recipe.falling**depth
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        by_rate.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": r, "peak": r, "weight_decay": d} for (r, d), p in by_rate.items()]


class Trainer:
    """The network, its averaged weights and the optimiser at one step of a recipe.

    All random draws of a step follow from the seed and the step's number, so a run resumes exactly.
    """

    def __init__(self, network: FramingNetwork, recipe: Recipe) -> None:
        self.network = network
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.recipe = recipe
        self.step = 0
        self.best = 0.0
        self._optimiser = torch.optim.AdamW(parameter_groups(network, recipe), betas=(0.9, 0.999))

    def train_step(self, source: ExampleSource) -> float:
        """Train on the examples ``source`` draws for this step; return the loss before it."""
        recipe = self.recipe
        cosine = 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * self.step / recipe.steps))
        for group in self._optimiser.param_groups:
            group["lr"] = float(group["peak"] * min(1.0, (self.step + 1) / recipe.warm_up) * cosine)
        rng = np.random.default_rng((recipe.seed, self.step))
        torch.manual_seed(int(np.random.default_rng((recipe.seed, self.step, 1)).integers(2**62)))
        self.network.train()
        loss = self._loss(source.batch(rng, recipe.batch))
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip_norm)
        self._optimiser.step()
        self.step += 1
        decay = min(recipe.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
            for mean_buffer, buffer in zip(self.average.buffers(), self.network.buffers(), strict=True):
                mean_buffer.copy_(buffer)
        return float(loss.detach())

    def _loss(self, examples: Sequence[TrainingExample]) -> Tensor:
        network, recipe = self.network, self.recipe
        crops = torch.from_numpy(np.stack([example.crop(network.size) for example in examples]))
        targets = torch.tensor([example.targets for example in examples], dtype=torch.float32)
        logits, local = network.forward_local(network.normalise(crops))
        unknown = np.full(local.shape[1:], UNKNOWN, np.float32)
        where = np.stack([unknown if example.where is None else example.where for example in examples])
        return question_loss(logits[:, None], targets, recipe.smoothing) + recipe.where * local_contrast(
            local, torch.from_numpy(where)
        )

    def save(self, path: Path) -> None:
        """Write everything that :meth:`resume` needs."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
            "best": self.best,
        }
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def resume(self, path: Path) -> bool:
        """Resume from ``path`` with this recipe's rates; return False if the optimiser's moments do not fit.

        Another ``falling`` can make other groups of rates; the moments then start over.
        """
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.step, self.best = state["step"], float(state["best"])
        groups = self._optimiser.param_groups
        rates = [(group["peak"], group["weight_decay"]) for group in groups]
        stored = state["optimiser"]["param_groups"]
        if [len(group["params"]) for group in groups] != [len(group["params"]) for group in stored]:
            return False
        self._optimiser.load_state_dict(state["optimiser"])
        for group, (peak, decay) in zip(self._optimiser.param_groups, rates, strict=True):
            group["peak"], group["weight_decay"] = peak, decay
        return True


Figures = dict[str, Any]


def tune(
    trainer: Trainer,
    source: ExampleSource,
    folder: Path,
    measure: Callable[[FramingNetwork], tuple[float, Figures]],
    report: ReportText,
) -> None:
    """Train to the recipe's end, with checkpoints, averaged weights (``best.pt``) and a log in ``folder``.

    ``measure`` returns the figure that chooses ``best.pt``, and all figures for the log. Raises
    :class:`~detector.errors.ParameterError` if there are fewer examples than one batch holds.
    """
    recipe, last = trainer.recipe, folder / LAST
    if last.exists() and not trainer.resume(last):
        report("other groups of rates than the checkpoint's: the optimiser's moments start over")
    if not recipe.steps:
        raise ParameterError("There are fewer examples than one batch holds.")
    first, start = trainer.step, time.monotonic()
    saved = checked = start
    losses: list[float] = []
    while trainer.step < recipe.steps:
        losses = [*losses, trainer.train_step(source)][-_LOSSES_KEPT:]
        now = time.monotonic()
        if trainer.step % 10 == 0:
            rate = recipe.batch * (trainer.step - first) / (now - start)
            loss = np.mean(losses[-20:])
            report(f"step {trainer.step} of {recipe.steps}, loss {loss:.4f}, {rate:.1f} a second")
        if now - checked > recipe.check_every or trainer.step == recipe.steps:
            figure, figures = measure(trainer.average)
            line = {"step": trainer.step, "loss": float(np.mean(losses)), **figures}
            with (folder / LOG).open("a") as log:
                log.write(json.dumps(line) + "\n")
            report(json.dumps(line))
            _save_average(trainer, folder / f"step-{trainer.step}.pt")
            if figure >= trainer.best:
                trainer.best = figure
                _save_average(trainer, folder / "best.pt")
            trainer.save(last)
            saved = checked = time.monotonic()
        elif now - saved > recipe.save_every:
            trainer.save(last)
            saved = now


def _save_average(trainer: Trainer, path: Path) -> None:
    with atomic_path(path) as temporary:
        torch.save(trainer.average.state_dict(), temporary)
