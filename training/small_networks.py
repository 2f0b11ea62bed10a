"""Train, export and ship the small networks beside the models."""

from __future__ import annotations

import argparse
import hashlib
import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from detector.errors import ParameterError
from detector.files import FILES, atomic_path, write_atomically
from detector.models.model_files import SmallNetwork, SmallNetworkCard
from training.command import run_step

CHECKPOINT = "checkpoint.pt"
RATE = 2e-3  # at most; rises over the first steps, then falls as a cosine to nothing
_RISING = 200  # steps
_SAVED_EVERY = 250  # steps

DrawExample = Callable[[Any, np.random.Generator], Any]
"""An example by chance, of what the examples are made from."""

_TERMS = (
    "The data sets are for research; whoever trains or deploys on them is bound by their terms. These "
    "weights were trained by the Reelproof project, with %s as labels, and are shared under Apache-2.0."
)


class _Endless(IterableDataset[Any]):
    """Examples without an end, each drawn from what ``load`` gives; ``seed`` says which."""

    def __init__(self, load: Callable[[], Any], draw: DrawExample, seed: int) -> None:
        self._load, self._draw, self._seed = load, draw, seed

    def __iter__(self) -> Iterator[Any]:
        sources, rng = self._load(), np.random.default_rng(self._seed)
        while True:
            yield self._draw(sources, rng)


def train_network(
    make: Callable[[], nn.Module],
    load: Callable[[], Any],
    draw: DrawExample,
    loss: Callable[[nn.Module, Any], Tensor],
    out: Path,
    steps: int,
    batch: int,
) -> Path:
    """Train what ``make`` makes for so many steps, from where an earlier run in ``out`` ended.

    Returns the checkpoint's path.

    In a process of its own, to which both are pickled, examples are drawn from what ``load`` gives; ``loss``
    is of the network and a batch of them.
    """
    path = out / CHECKPOINT
    torch.manual_seed(0)
    network = make().to(memory_format=torch.channels_last)  # a quarter faster on a processor
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.02)
    done = _restore(path, network, optimizer) if path.is_file() else 0
    batches = iter(
        DataLoader(_Endless(load, draw, done), batch, num_workers=1, multiprocessing_context="spawn")
    )
    told = 0.0
    for step in range(done, steps):
        for group in optimizer.param_groups:
            group["lr"] = _rate(step, steps)
        value = loss(network, next(batches))
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        told = 0.98 * told + 0.02 * value.item() if told else value.item()
        if (step + 1) % 50 == 0:
            print(f"step {step + 1} of {steps}: loss {told:.3f}", flush=True)
        if (step + 1) % _SAVED_EVERY == 0 or step + 1 == steps:
            _save(path, network, optimizer, step + 1)
    return path


def _rate(step: int, steps: int) -> float:
    """The learning rate of a step: it rises for a while, then falls along a cosine."""
    return RATE * min((step + 1) / _RISING, 0.5 * (1 + math.cos(math.pi * step / steps)))


def _save(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write a checkpoint, whole or not at all."""
    kept = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    with atomic_path(path) as part_path:
        torch.save(kept, part_path)


def _restore(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Put back what a checkpoint holds; returns the steps that are done."""
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


@dataclass(frozen=True)
class Steps:
    """What a command of steps does for one network; each but ``prepare`` needs the one before.

    ``prepare`` (data, out) says in words what it gathered; ``train`` (out, steps) leaves a checkpoint, of
    which ``onnx_of`` makes a file; ``measure`` (data, file) gives figures by name, which ``ship`` puts on the
    card.
    """

    network: SmallNetwork
    steps: int
    prepare: Callable[[Path, Path], str]
    train: Callable[[Path, int], Path]
    onnx_of: Callable[[Path], bytes]
    measure: Callable[[Path, Path], dict[str, float]]
    ship: Callable[[bytes, dict[str, float]], None]


def run_command(steps: Steps, program: str, arguments: Sequence[str] | None = None) -> int:
    """Run one step of the command line; 2 with one line on standard error for what cannot be done."""
    name = steps.network.name
    parser = argparse.ArgumentParser(prog=program, description=f"Train and ship models/{name}.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out") / name, metavar="DIR")
    shown = f"of training (default: {steps.steps})"
    parser.add_argument("--steps", type=int, default=steps.steps, metavar="N", help=shown)
    parser.add_argument("step", choices=("prepare", "train", "measure", "ship"), help="`ship` measures too")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)  # the examples take another core
    return run_step(partial(_run, steps, options), options.data)


def _run(steps: Steps, options: argparse.Namespace) -> None:
    if options.step == "prepare":
        print(steps.prepare(options.data, options.out))
    elif options.step == "train":
        steps.train(options.out, options.steps)
    else:
        onnx = steps.onnx_of(options.out / CHECKPOINT)
        path = options.out / f"{steps.network.name}.onnx"
        write_atomically(path, onnx)
        figures = steps.measure(options.data, path)
        for figure, value in figures.items():
            print(f"{figure}: {value:.4g}")
        if options.step == "ship":
            steps.ship(onnx, figures)


def export_onnx(
    network: nn.Module,
    checkpoint: Path,
    shape: Sequence[int],
    outputs: Sequence[str],
    any_size: Mapping[int, str],
) -> bytes:
    """``network`` with the weights of a ``checkpoint`` as ONNX.

    Its input is called *images*; of their ``shape``, axes in ``any_size``, with their names, may have others.
    Raises :class:`~detector.errors.ParameterError` where there is no checkpoint yet.
    """
    if not checkpoint.is_file():
        raise ParameterError(f"{checkpoint} is missing. Run the step `train` first.")
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["network"])
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's two exporters only this one folds normalisations
        torch.onnx.export(
            network.eval(),
            (torch.zeros(*shape),),
            written,  # type: ignore[arg-type]  # a file will do
            input_names=["images"],
            output_names=list(outputs),
            dynamic_axes={"images": dict(any_size)},
            opset_version=17,
            dynamo=False,
        )
    return written.getvalue()


def ship(
    which: SmallNetwork,
    onnx: bytes,
    figures: Mapping[str, float],
    taught_by: str,
    labels: str,
    data: Sequence[str],
) -> None:
    """Write network and card below ``models/``; ``labels`` says of the terms where labels came from."""
    weights, card_path = which.files_in(FILES / "models")
    weights.parent.mkdir(exist_ok=True)
    card = SmallNetworkCard(
        name=which.name,
        sha256=hashlib.sha256(onnx).hexdigest(),
        taught_by=taught_by,
        data=tuple(data),
        terms=_TERMS % labels,
        figures={name: round(value, 4) for name, value in figures.items()},
    )
    write_atomically(weights, onnx)
    write_atomically(card_path, (card.model_dump_json(indent=2) + "\n").encode())
