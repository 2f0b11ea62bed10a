"""Train the proposal network on canvases of pictures that CenterFace has searched."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from detector.faces.patch import decode
from detector.files import atomic_path
from detector.training.proposals.examples import Example, Source, example
from detector.training.proposals.network import ProposalNetwork, loss
from detector.training.proposals.pictures import load

BATCH = 32
RATE = 2e-3  # at most; rises over the first steps, then falls as a cosine to nothing
_RISING = 200  # steps
_SAVED_EVERY = 250  # steps


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
    path = out / "checkpoint.pt"
    torch.manual_seed(0)  # the first weights; canvases begin with the same
    network = ProposalNetwork().to(memory_format=torch.channels_last)  # a quarter faster on a processor
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.02)
    done = 0
    if path.is_file():
        state = torch.load(path, weights_only=True)
        for part, name in ((network, "network"), (optimizer, "optimizer")):
            part.load_state_dict(state[name])
        done = state["step"]
    batches = iter(
        DataLoader(Canvases(out, seed=done), BATCH, num_workers=1, multiprocessing_context="spawn")
    )
    told = 0.0
    for step in range(done, steps):
        share = min((step + 1) / _RISING, 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = RATE * share
        canvases, wanted, ignored, boxes = next(batches)
        heat, box = network(canvases.permute(0, 3, 1, 2).float())  # channels last already
        value = loss(heat, box, wanted, ignored, boxes)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        told = 0.98 * told + 0.02 * value.item() if told else value.item()
        if (step + 1) % 50 == 0:
            print(f"step {step + 1} of {steps}: loss {told:.3f}", flush=True)
        if (step + 1) % _SAVED_EVERY == 0 or step + 1 == steps:
            with atomic_path(path) as part_path:
                torch.save(
                    {
                        "network": network.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "step": step + 1,
                    },
                    part_path,
                )
    return path
