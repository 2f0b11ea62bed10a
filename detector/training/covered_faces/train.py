"""Train the network on drawn covers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import IterableDataset

from detector.training.covered_faces.examples import Example, example
from detector.training.covered_faces.network import CoveredNetwork
from detector.training.covered_faces.pictures import load
from detector.training.small_networks import learn

BATCH = 64


class _Examples(IterableDataset[Example]):
    """Examples without an end; ``seed`` says which."""

    def __init__(self, out: Path, seed: int) -> None:
        self._out, self._seed = out, seed

    def __iter__(self) -> Iterator[Example]:
        crops, rng = load(self._out), np.random.default_rng(self._seed)
        while True:
            yield example(crops, rng)


def train(out: Path, steps: int) -> Path:
    """Train for so many steps on what ``out`` holds, from where an earlier run ended; the checkpoint."""
    load(out)  # where nothing was prepared this says so, not the process that makes examples
    return learn(CoveredNetwork, lambda seed: _Examples(out, seed), _loss, out, steps, BATCH)


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    crops, covered = batch
    logits = network(crops.permute(0, 3, 1, 2).float())[:, 0]
    return functional.binary_cross_entropy_with_logits(logits, covered.float())
