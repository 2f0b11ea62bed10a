"""Train the proposal network on canvases of pictures that CenterFace has searched."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import Tensor, nn

from detector.faces.patch import decode
from detector.training.proposals.examples import LabelledImage, example
from detector.training.proposals.network import ProposalNetwork, loss
from detector.training.proposals.pictures import load
from detector.training.small_networks import learn

BATCH = 32


def train(out: Path, steps: int) -> Path:
    """Train for so many steps on what ``out`` holds, from where an earlier run ended; the checkpoint."""
    load(out)  # where nothing was prepared this says so, not the process that makes examples
    return learn(ProposalNetwork, partial(_sources, out), example, _loss, out, steps, BATCH)


def _sources(out: Path) -> list[LabelledImage]:
    return [(decode(picture.data), picture.boxes, picture.confidence) for picture in load(out)]


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    canvases, wanted, ignored, boxes = batch
    heat, box = network(canvases.permute(0, 3, 1, 2).float())
    return loss(heat, box, wanted, ignored, boxes)
