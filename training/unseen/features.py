"""Features of the branch of every sample, on which heads are fitted and folds measured.

A set is kept in chunks, each made by one process, so several may work on it and an interrupted one goes on.
The first frames of all clips come first: a set that is not complete yet can be read as well.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.backends.runtimes import knows_bfloat16
from detector.errors import ParameterError
from detector.files import atomic_path
from detector.media.frame import Image
from detector.networks.vit_small_14_windows import ViTSmall14Windows
from detector.progress import ReportText
from training.unseen.conversion import Compiled, compiled
from training.unseen.linear import Features
from training.unseen.samples import Draw, Sample

_BATCH = 8
_CHUNK = 64  # pictures


class _Features(nn.Module):
    def __init__(self, network: ViTSmall14Windows) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return self.network.branch_features(crops)


class Runner:
    """Runs the branch of ``network`` in OpenVINO on one thread; compiled when the first crops arrive."""

    def __init__(self, network: ViTSmall14Windows) -> None:
        self._network = network
        self._compiled: Compiled | None = None

    def __call__(self, crops: list[Image]) -> Features:
        """Crops (224, 224, 3) to features (n, f)."""
        if self._compiled is None:
            size = self._network.size
            with torch.inference_mode():
                example = torch.zeros(_BATCH, 3, size, size)
                self._compiled = compiled(_Features(self._network), example, knows_bfloat16())
        features = []
        for first in range(0, len(crops), _BATCH):
            some = np.stack(crops[first : first + _BATCH])
            padded = np.concatenate([some, np.repeat(some[-1:], _BATCH - len(some), axis=0)])
            given = self._network.normalise(torch.from_numpy(padded)).numpy()
            features.append(self._compiled([given])[0][: len(some)].copy())
        return np.concatenate(features)


def keep_features(
    run: Runner,
    drawn: list[tuple[list[Sample], Draw]],
    folder: Path,
    share: tuple[int, int],
    report: ReportText,
) -> None:
    """Write share (k, n) of the chunks of what is ``drawn`` to ``folder``, those that are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    number, count = share
    chunks = [drawn[first : first + _CHUNK] for first in range(0, len(drawn), _CHUNK)]
    for place, chunk in enumerate(chunks):
        path = _chunk(folder, place)
        if place % count != number or path.is_file():
            continue
        features = run([crop for _, draw in chunk for crop in draw()])
        rows = [sample.as_row() for samples, _ in chunk for sample in samples]
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, features=features.astype(np.float16), samples=np.array(json.dumps(rows)))
        report(f"{folder.name}: {place + 1} of {len(chunks)}")


@dataclass(frozen=True)
class FeatureSet:
    """Samples with features (n, f)."""

    samples: list[Sample]
    features: Features

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The chunks in ``folder`` up to the first that :func:`keep_features` has not kept yet.

        Raises :class:`~detector.errors.ParameterError` without any.
        """
        samples: list[Sample] = []
        parts = []
        for chunk in _chunks(folder):
            samples += [Sample(**row) for row in json.loads(str(chunk["samples"]))]
            parts.append(chunk["features"].astype(np.float32))
        if not parts:
            raise ParameterError(f"{folder}: no features yet. Run the step `features` first.")
        return cls(samples, np.concatenate(parts))

    def __len__(self) -> int:
        return len(self.samples)

    def __add__(self, other: FeatureSet) -> FeatureSet:
        features = np.concatenate([self.features, other.features])
        return FeatureSet([*self.samples, *other.samples], features)

    def of(self, rows: NDArray[np.bool_]) -> FeatureSet:
        """Those of ``rows`` (n,)."""
        chosen = [s for s, keep in zip(self.samples, rows, strict=True) if keep]
        return FeatureSet(chosen, self.features[rows])


def _chunks(folder: Path) -> Iterator[dict[str, NDArray[np.generic]]]:
    for number in itertools.count():
        if not _chunk(folder, number).is_file():
            return
        with np.load(_chunk(folder, number)) as stored:
            yield dict(stored)


def _chunk(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}.npz"
