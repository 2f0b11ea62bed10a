"""Train the proposal network on canvases of pictures that CenterFace has searched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from detector.faces.patch import decode
from detector.training.proposals.examples import Example, Source, example
from detector.training.proposals.network import ProposalNetwork, loss
from detector.training.proposals.pictures import load
from detector.training.small_networks import learn

BATCH = 32


class Canvases(IterableDataset[Example]):
    """Examples without an end; ``seed`` says which."""

    def __init__(self, out: Path, seed: int) -> None:
        self._out, self._seed = out, seed

    def __iter__(self) -> Iterator[Example]:
        sources: list[Source] = [(decode(p.data), p.boxes, p.confidence) for p in load(self._out)]
        rng = np.random.default_rng(self._seed)
        while True:
            yield example(sources, rng)


def train(out: Path, steps: int) -> Path:
    """Train for so many steps on what ``out`` holds, from where an earlier run ended; the checkpoint."""
    load(out)  # where nothing was prepared this says so, not the process that makes examples
    return learn(ProposalNetwork, lambda seed: Canvases(out, seed), _loss, out, steps, BATCH)


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    canvases, wanted, ignored, boxes = batch
    heat, box = network(canvases.permute(0, 3, 1, 2).float())
    return loss(heat, box, wanted, ignored, boxes)
