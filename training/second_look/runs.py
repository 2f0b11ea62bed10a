"""Training runs: their folder, the networks they start from, and the loop that trains the scan."""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterator, Sequence
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
from training.loop import Average, Loop
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
    return [{"params": p, "peak": r, "weight_decay": d} for (r, d), p in by_rate.items()]


class Trainer:
    """The network, its averaged weights and the loop of a recipe.

    All random draws of a step follow from the seed and the step's number, so a run resumes exactly.
    """

    def __init__(self, network: FramingNetwork, recipe: Recipe) -> None:
        self.network = network
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.recipe = recipe
        self.best = 0.0
        averaged = zip(self.average.parameters(), network.parameters(), strict=True)
        copied = zip(self.average.buffers(), network.buffers(), strict=True)
        self._averaging = Average(averaged, copied, recipe.average)
        self.loop = Loop(
            parameter_groups(network, recipe),
            self._rate,
            clip_norm=recipe.clip_norm,
            clipped=network.parameters(),
        )
        self.loop.after = lambda: self._averaging.add(self.loop.step)

    def _rate(self, step: int, highest: float) -> float:
        fall = 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * step / self.recipe.steps))
        return float(highest * min(1.0, (step + 1) / self.recipe.warm_up) * fall)

    def losses(self, source: ExampleSource) -> Iterator[Tensor]:
        """Yield the loss of each further step, on the examples that ``source`` draws for it."""
        recipe = self.recipe
        while (step := self.loop.step) < recipe.steps:
            rng = np.random.default_rng((recipe.seed, step))
            torch.manual_seed(int(np.random.default_rng((recipe.seed, step, 1)).integers(2**62)))
            self.network.train()
            yield self._loss(source.batch(rng, recipe.batch))

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
        weights = {"network": self.network.state_dict(), "average": self.average.state_dict()}
        with atomic_path(path) as temporary:
            torch.save({**weights, **self.loop.state(), "best": self.best}, temporary)

    def resume(self, path: Path) -> None:
        """Continue from ``path``."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.best = float(state["best"])
        self.loop.resume(state)


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
    recipe, loop, last = trainer.recipe, trainer.loop, folder / LAST
    if last.exists():
        trainer.resume(last)
    if not recipe.steps:
        raise ParameterError("There are fewer examples than one batch holds.")

    def check() -> None:
        figure, figures = measure(trainer.average)
        line = json.dumps({"step": loop.step, "loss": loop.loss, **figures})
        with (folder / LOG).open("a") as log:
            log.write(line + "\n")
        report(line)
        _save_average(trainer, folder / f"step-{loop.step}.pt")
        if figure >= trainer.best:
            trainer.best = figure
            _save_average(trainer, folder / "best.pt")
        trainer.save(last)

    def checked() -> Iterator[Tensor]:
        first, start = loop.step, time.monotonic()
        before = start
        for loss in trainer.losses(source):
            yield loss
            if loop.step % 10 == 0:
                rate = recipe.batch * (loop.step - first) / (time.monotonic() - start)
                report(f"step {loop.step} of {recipe.steps}, loss {loop.loss:.4f}, {rate:.1f} a second")
            if time.monotonic() - before > recipe.check_every or loop.step == recipe.steps:
                check()
                before = time.monotonic()

    def save() -> None:
        if loop.step < recipe.steps:  # the last check saves
            trainer.save(last)

    loop.run(checked(), save)


def _save_average(trainer: Trainer, path: Path) -> None:
    with atomic_path(path) as temporary:
        torch.save(trainer.average.state_dict(), temporary)
