"""Training crops with what a transformer makes of them, kept on disk.

Tokens between its lower and its upper blocks and features at its taps are computed once, so that the upper
blocks can be tuned without the lower ones, and other lower ones distilled without the upper ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from detector.errors import ParameterError
from detector.faces.framing import HEAD
from detector.files import atomic_path
from detector.networks.vit_small_14 import PATCH, ViTSmall14
from detector.progress import ReportText
from detector.training.second_look.examples.sampling import Sampler
from detector.training.second_look.scan_loop import Drawn

UPPER_BLOCKS = 4
"""Blocks above the kept tokens."""
_BATCH = 8
_REPORT_EVERY = 400


@dataclass(frozen=True)
class KeptTokens:
    """``count`` examples: crops (n, s, s, 3), tokens below the upper blocks (n, t, d), features (n, f),
    framings (n,), targets (n, questions)."""

    crops: NDArray[np.uint8]
    tokens: NDArray[np.float16]
    features: NDArray[np.float32]
    framings: NDArray[np.int64]
    targets: NDArray[np.float32]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What :func:`keep_tokens` left in ``folder``; raises :class:`ParameterError`."""
        if not (folder / "targets.npy").is_file():
            raise ParameterError(f"{folder} holds no tokens. Run the step `tokens` first.")
        crops, tokens, features = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("crops", "tokens", "features")
        )
        framings, targets = (np.load(folder / f"{name}.npy") for name in ("framings", "targets"))
        return cls(crops, tokens, features, framings, targets)

    def __len__(self) -> int:
        return len(self.targets)


def head_examples(sampler: Sampler, count: int, seed: int) -> list[Drawn]:
    """``count`` examples of whole heads, drawn by a sampler of ``HEAD_SHARES`` (``examples.sampling``)."""
    rng = np.random.default_rng(seed)
    out: list[Drawn] = []
    while len(out) < count:
        out += [example for example in sampler.draw(rng) if example.framing == HEAD]
    return out[:count]


@torch.inference_mode()
def keep_tokens(network: ViTSmall14, examples: Sequence[Drawn], folder: Path, report: ReportText) -> None:
    """Write crops, tokens and features of ``examples`` to ``folder``."""
    network.eval()
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "targets.npy"  # written last: it says that the rest is whole
    whole.unlink(missing_ok=True)
    side, shape = network.size, network.shape
    lower = shape.depth - UPPER_BLOCKS
    sizes = {
        "crops": ((side, side, 3), np.uint8),
        "tokens": ((1 + (side // PATCH) ** 2, shape.width), np.float16),
        "features": ((shape.features,), np.float32),
    }
    kept = {
        name: open_memmap(folder / f"{name}.npy", "w+", dtype, (len(examples), *size))
        for name, (size, dtype) in sizes.items()
    }
    for start in range(0, len(examples), _BATCH):
        some = examples[start : start + _BATCH]
        crops = np.stack([example.crop(side) for example in some])
        embedded = network.embedded(network.normalised(torch.from_numpy(crops)))
        tokens, low = network.through(embedded, range(lower))
        _, high = network.through(tokens, range(lower, shape.depth))
        end = start + len(some)
        kept["crops"][start:end], kept["features"][start:end] = crops, torch.cat([low, high], dim=1).numpy()
        kept["tokens"][start:end] = tokens.half().numpy()
        if start % _REPORT_EVERY == 0:
            report(f"tokens of {end} of {len(examples)} examples")
    np.save(folder / "framings.npy", np.array([e.framing for e in examples], np.int64))
    with atomic_path(whole) as temporary, temporary.open("wb") as file:
        np.save(file, np.array([e.targets for e in examples], np.float32))
