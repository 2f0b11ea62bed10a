"""Train the network on drawn covers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from detector.training.covered_faces.examples import example
from detector.training.covered_faces.network import CoveredNetwork
from detector.training.covered_faces.pictures import load
from detector.training.small_networks import learn

BATCH = 64


def train(out: Path, steps: int) -> Path:
    """Train for so many steps on what ``out`` holds, from where an earlier run ended; the checkpoint."""
    load(out)  # where nothing was prepared this says so, not the process that makes examples
    return learn(CoveredNetwork, partial(load, out), example, _loss, out, steps, BATCH)


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    crops, covered = batch
    logits = network(crops.permute(0, 3, 1, 2).float())[:, 0]
    return functional.binary_cross_entropy_with_logits(logits, covered.float())
