"""Tokens between lower and upper blocks, on which the branch is distilled.

The *start* is free of labels: the shipped network's lower seven blocks, which were distilled from the
pretrained encoder's lower eight, below the pretrained upper four. A cache is made by several processes, each
with a share of the samples; it is resumed by share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.backends.runtimes import knows_bfloat16
from detector.files import atomic_path
from detector.models.model_files import read_arrays
from detector.networks.vit_small_14 import PRETRAINED, ViTSmall14
from detector.progress import ReportText
from training.second_look.runs import pretrained
from training.unseen.conversion import compiled
from training.unseen.samples import Draw, Sample

UPPER = 4
"""Blocks above the kept tokens."""
_BATCH = 8
_REPORT_EVERY = 25  # batches


def start_network(data: Path, shipped: Path) -> ViTSmall14:
    """The start: lower blocks of the ``shipped`` weights, upper blocks of the pretrained file in ``data``."""
    first, network = ViTSmall14(PRETRAINED), ViTSmall14()
    first.load_pretrained(pretrained(data))
    tensors = {name: torch.tensor(value) for name, value in read_arrays(shipped.read_bytes()).items()}
    lower = network.shape.depth - UPPER
    state = {name: value.float() for name, value in tensors.items() if name in network.state_dict()}
    given = first.backbone.state_dict()
    offset = PRETRAINED.depth - network.shape.depth
    for name in state:
        key = name.removeprefix("backbone.")
        if key.startswith("norm."):
            state[name] = given[key]
        elif key.startswith("blocks.") and int(key.split(".")[1]) >= lower:
            _, number, rest = key.split(".", 2)
            state[name] = given[f"blocks.{int(number) + offset}.{rest}"]
    network.load_state_dict(state)
    return network.eval()


class _Lower(nn.Module):
    def __init__(self, network: ViTSmall14) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        lower = range(self.network.shape.depth - UPPER)
        return self.network.collect_taps(self.network.embed(crops), lower)[0]


Runner = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def runner(network: ViTSmall14, threads: int) -> Runner:
    """Crops (n, 224, 224, 3) to tokens (n, 257, 384), by OpenVINO."""
    with torch.inference_mode():
        example = torch.zeros(_BATCH, 3, network.size, network.size)
        model = compiled(_Lower(network), example, knows_bfloat16(), threads)

    def run(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        out: NDArray[np.float32] = model([network.normalise(torch.from_numpy(crops)).numpy()])[0]
        return out

    return run


@dataclass(frozen=True)
class TokenSet:
    """Samples with tokens (n, 257, 384)."""

    samples: list[Sample]
    tokens: NDArray[np.float16]

    @classmethod
    def read(cls, folder: Path, shares: int = 2) -> Self:
        """All shares of the set in ``folder``; tokens stay on disk until they are read."""
        samples: list[Sample] = []
        tokens = []
        for share in range(shares):
            rows = json.loads((folder / f"{share}.json").read_text())
            samples += [Sample(**row) for row in rows]
            tokens.append(np.load(folder / f"{share}.tokens.npy", mmap_mode="r")[: len(rows)])
        return cls(samples, np.concatenate(tokens))

    def __len__(self) -> int:
        return len(self.samples)


def keep(
    drawn: Sequence[tuple[list[Sample], Draw]],
    run: Runner,
    folder: Path,
    share: tuple[int, int],
    report: ReportText,
) -> None:
    """Write share (k, n) of what is ``drawn`` to ``folder``, unless it is there."""
    number, count = share
    done = folder / f"{number}.json"
    if done.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    mine = drawn[number::count]
    total = sum(len(samples) for samples, _ in mine)
    tokens: NDArray[np.float16] | None = None
    row = 0
    for batch, crops in enumerate(_batches(draw for _, draw in mine)):
        padded = np.concatenate([crops, np.repeat(crops[-1:], _BATCH - len(crops), axis=0)])
        of_tokens = run(padded)
        if tokens is None:
            tokens = np.lib.format.open_memmap(
                folder / f"{number}.tokens.npy", "w+", np.float16, (total, *of_tokens.shape[1:])
            )
        tokens[row : row + len(crops)] = of_tokens[: len(crops)]
        row += len(crops)
        if batch % _REPORT_EVERY == 0:
            report(f"{folder.name}: {row} of {total}")
    assert row == total
    rows = [sample.as_row() for samples, _ in mine for sample in samples]
    with atomic_path(done) as temporary:
        temporary.write_text(json.dumps(rows))


def _batches(draws: Iterator[Draw]) -> Iterator[NDArray[np.uint8]]:
    crops: list[NDArray[np.uint8]] = []
    for draw in draws:
        crops += draw()
        while len(crops) >= _BATCH:
            yield np.stack(crops[:_BATCH])
            crops = crops[_BATCH:]
    if crops:
        yield np.stack(crops)
