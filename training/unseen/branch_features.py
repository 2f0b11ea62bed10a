"""Features of the branch of every kept sample, on which heads are fitted and folds measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.backends.runtimes import knows_bfloat16
from detector.files import atomic_path
from detector.networks.vit_small_14 import pool_tokens
from training.unseen.conversion import compiled
from training.unseen.distillation import Branch
from training.unseen.linear import Features
from training.unseen.samples import Sample

_BATCH = 8


class _Upper(nn.Module):
    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, tokens: Tensor) -> Tensor:
        return pool_tokens(self.branch(tokens))


def keep_features(branch: Branch, folder: Path, name: str, report: Callable[[str], None]) -> None:
    """Write features of the set in ``folder`` by ``branch``, called ``name``, beside its tokens."""
    shares = sorted(path for path in folder.glob("*.json"))
    if all(_path(path, name).is_file() for path in shares):
        return
    with torch.inference_mode():
        model = compiled(_Upper(branch), torch.zeros(_BATCH, 257, 384), knows_bfloat16())
    for path in shares:
        if _path(path, name).is_file():
            continue
        count = len(json.loads(path.read_text()))
        tokens = np.load(path.with_suffix(".tokens.npy"), mmap_mode="r")
        features = np.load(path.with_suffix(".features.npy"))[:count].copy()
        for first in range(0, count, _BATCH):
            some = np.asarray(tokens[first : min(first + _BATCH, count)], np.float32)
            padded = np.concatenate([some, np.repeat(some[-1:], _BATCH - len(some), axis=0)])
            made = model([padded])[0][: len(some)]
            features[first : first + len(some), -made.shape[1] :] = made
        with atomic_path(_path(path, name)) as temporary, temporary.open("wb") as file:
            np.save(file, features)
        report(f"{folder.name}: {count} features")


def _path(share: Path, name: str) -> Path:
    return share.with_suffix(f".features-{name}.npy")


@dataclass(frozen=True)
class FeatureSet:
    """Samples with features (n, f)."""

    samples: list[Sample]
    features: Features

    @classmethod
    def read(cls, folder: Path, name: str) -> Self:
        """All shares of the set in ``folder`` that :func:`keep_features` has kept as ``name``."""
        samples: list[Sample] = []
        features = []
        for path in sorted(folder.glob("*.json")):
            samples += [Sample(**row) for row in json.loads(path.read_text())]
            features.append(np.load(_path(path, name)))
        return cls(samples, np.concatenate(features))

    def __len__(self) -> int:
        return len(self.samples)

    def __add__(self, other: FeatureSet) -> FeatureSet:
        return FeatureSet([*self.samples, *other.samples], np.concatenate([self.features, other.features]))

    def of(self, rows: NDArray[np.bool_]) -> FeatureSet:
        """Those of ``rows`` (n,)."""
        return FeatureSet(
            [s for s, keep in zip(self.samples, rows, strict=True) if keep], self.features[rows]
        )
