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
from detector.files import FILES, write_atomically
from detector.models.model_files import SmallNetwork, SmallNetworkCard
from training.command import run_step
from training.loop import Loop
from training.loop import train as train_loop

CHECKPOINT = "checkpoint.pt"
RATE = 2e-3  # maximum; rises over the first steps, then falls to zero along a cosine
_WARM_UP = 200  # steps

DrawExample = Callable[[Any, np.random.Generator], Any]
"""Draws a random example from the source material."""

_TERMS = (
    "The data sets are for research; whoever trains or deploys on them is bound by their terms. These "
    "weights were trained by the Reelproof project, with %s as labels, and are shared under Apache-2.0."
)


class _Endless(IterableDataset[Any]):
    """An endless stream of examples drawn from the result of ``load``."""

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
    """Train the network that ``make`` returns, resuming an earlier run in ``out``; return the checkpoint.

    Examples are drawn from the result of ``load`` in a process of its own, to which ``load`` and ``draw`` are
    pickled. ``loss`` takes the network and a batch of them.
    """
    torch.manual_seed(0)
    network = make().to(memory_format=torch.channels_last)  # a quarter faster on a processor

    def rate(step: int, highest: float) -> float:
        return highest * min((step + 1) / _WARM_UP, 0.5 * (1 + math.cos(math.pi * step / steps)))

    groups = [{"params": list(network.parameters()), "peak": RATE}]
    loop = Loop(groups, rate, weight_decay=0.02, clip_norm=5.0)

    def losses() -> Iterator[Tensor]:
        examples = _Endless(load, draw, loop.step)
        batches = iter(DataLoader(examples, batch, num_workers=1, multiprocessing_context="spawn"))
        while loop.step < steps:
            yield loss(network, next(batches))

    train_loop(loop, losses, {"network": network}, out / CHECKPOINT, steps, print)
    return out / CHECKPOINT


@dataclass(frozen=True)
class Steps:
    """The steps of one small network's command; each except ``prepare`` needs the one before.

    ``prepare`` (data, out) describes what it gathered; ``train`` (out, steps) writes a checkpoint, which
    ``onnx_of`` exports; ``measure`` (data, file) returns figures by name, which ``ship`` puts on the card.
    """

    network: SmallNetwork
    steps: int
    prepare: Callable[[Path, Path], str]
    train: Callable[[Path, int], Path]
    onnx_of: Callable[[Path], bytes]
    measure: Callable[[Path, Path], dict[str, float]]
    ship: Callable[[bytes, dict[str, float]], None]


def run_command(steps: Steps, program: str, arguments: Sequence[str] | None = None) -> int:
    """Run one step of the command line; return 2 after one line on standard error if it fails."""
    name = steps.network.name
    parser = argparse.ArgumentParser(prog=program, description=f"Train and ship models/{name}.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out") / name, metavar="DIR")
    help_ = f"of training (default: {steps.steps})"
    parser.add_argument("--steps", type=int, default=steps.steps, metavar="N", help=help_)
    parser.add_argument("step", choices=("prepare", "train", "measure", "ship"), help="`ship` measures too")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)  # making examples takes another core
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
    """Export ``network`` with the weights of a ``checkpoint`` as ONNX.

    Its input is called *images* and has ``shape``; the axes in ``any_size``, given with their names, are
    dynamic. Raises :class:`~detector.errors.ParameterError` if there is no checkpoint yet.
    """
    if not checkpoint.is_file():
        raise ParameterError(f"{checkpoint} is missing. Run the step `train` first.")
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["network"])
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of torch's two exporters only the deprecated one folds normalisations
        torch.onnx.export(
            network.eval(),
            (torch.zeros(*shape),),
            buffer,  # type: ignore[arg-type]  # a file object works
            input_names=["images"],
            output_names=list(outputs),
            dynamic_axes={"images": dict(any_size)},
            opset_version=17,
            dynamo=False,
        )
    return buffer.getvalue()


def ship(
    network: SmallNetwork,
    onnx: bytes,
    figures: Mapping[str, float],
    taught_by: str,
    labels: str,
    data: Sequence[str],
) -> None:
    """Write network and card below ``models/``; the card's terms name the source of the ``labels``."""
    weights, card_path = network.files_in(FILES / "models")
    weights.parent.mkdir(exist_ok=True)
    card = SmallNetworkCard(
        name=network.name,
        sha256=hashlib.sha256(onnx).hexdigest(),
        taught_by=taught_by,
        data=tuple(data),
        terms=_TERMS % labels,
        figures={name: round(value, 4) for name, value in figures.items()},
    )
    write_atomically(weights, onnx)
    write_atomically(card_path, (card.model_dump_json(indent=2) + "\n").encode())
