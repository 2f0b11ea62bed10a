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
from detector.networks.graphs import QUESTIONS, READINGS
from detector.networks.vit_small_14 import pool_tokens
from detector.networks.vit_small_14_branch import UPPER_BLOCKS, ViTSmall14Branch
from detector.progress import ReportText
from training.unseen.conversion import Compiled, compiled
from training.unseen.linear import Features
from training.unseen.samples import Draw, Sample

_BATCH = 8
_CHUNK = 64  # pictures, or pairs

Logits = NDArray[np.float32]


class _Outputs(nn.Module):
    """Features of the branch, and logits of the whole network where they are ``wanted``."""

    def __init__(self, network: ViTSmall14Branch, wanted: bool) -> None:
        super().__init__()
        self.network, self.wanted = network, wanted

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        tokens, low = self.network.lower(crops)
        features = pool_tokens([*low, *self.network.branch_taps(tokens)])
        if not self.wanted:
            return (features,)
        depth = self.network.shape.depth
        upper = self.network.collect_taps(tokens, range(depth - UPPER_BLOCKS, depth))[1]
        return features, self.network.score_taps([*low, *upper]) + self.network.branch_judged(features)


class Runner:
    """Runs ``network`` in OpenVINO on one thread; it is compiled when the first crops arrive."""

    def __init__(self, network: ViTSmall14Branch) -> None:
        self._network = network
        self._compiled: dict[bool, Compiled] = {}

    def __call__(self, crops: list[Image], wanted: bool) -> tuple[Features, Logits]:
        """Crops (224, 224, 3) to features (n, f) and logits (n, readings · questions), NaN if not wanted."""
        if wanted not in self._compiled:
            size = self._network.size
            with torch.inference_mode():
                example = torch.zeros(_BATCH, 3, size, size)
                self._compiled[wanted] = compiled(_Outputs(self._network, wanted), example, knows_bfloat16())
        features, logits = [], []
        for first in range(0, len(crops), _BATCH):
            some = np.stack(crops[first : first + _BATCH])
            padded = np.concatenate([some, np.repeat(some[-1:], _BATCH - len(some), axis=0)])
            given = self._network.normalise(torch.from_numpy(padded)).numpy()
            out = self._compiled[wanted]([given])
            features.append(out[0][: len(some)].copy())
            empty = np.full((len(some), READINGS * QUESTIONS), np.nan, np.float32)
            logits.append(out[1][: len(some)].copy() if wanted else empty)
        return np.concatenate(features), np.concatenate(logits)


def keep_features(
    run: Runner,
    drawn: list[tuple[list[Sample], Draw]],
    logits: bool,
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
        made = run([crop for _, draw in chunk for crop in draw()], logits)
        rows = [sample.as_row() for samples, _ in chunk for sample in samples]
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, features=made[0], logits=made[1], samples=np.array(json.dumps(rows)))
        report(f"{folder.name}: {place + 1} of {len(chunks)}")


@dataclass(frozen=True)
class FeatureSet:
    """Samples with features (n, f), and with logits (n, 6) of the whole network or NaN."""

    samples: list[Sample]
    features: Features
    logits: Logits

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The chunks in ``folder`` up to the first that :func:`keep_features` has not kept yet.

        Raises :class:`~detector.errors.ParameterError` without any.
        """
        samples: list[Sample] = []
        parts = []
        for chunk in _chunks(folder):
            samples += [Sample(**row) for row in json.loads(str(chunk["samples"]))]
            parts.append((chunk["features"], chunk["logits"]))
        if not parts:
            raise ParameterError(f"{folder}: no features yet. Run the step `features` first.")
        features, logits = zip(*parts, strict=True)
        return cls(samples, np.concatenate(features), np.concatenate(logits))

    def __len__(self) -> int:
        return len(self.samples)

    def __add__(self, other: FeatureSet) -> FeatureSet:
        return FeatureSet(
            [*self.samples, *other.samples],
            np.concatenate([self.features, other.features]),
            np.concatenate([self.logits, other.logits]),
        )

    def of(self, rows: NDArray[np.bool_]) -> FeatureSet:
        """Those of ``rows`` (n,)."""
        chosen = [s for s, keep in zip(self.samples, rows, strict=True) if keep]
        return FeatureSet(chosen, self.features[rows], self.logits[rows])


def _chunks(folder: Path) -> Iterator[dict[str, NDArray[np.generic]]]:
    for number in itertools.count():
        if not _chunk(folder, number).is_file():
            return
        with np.load(_chunk(folder, number)) as stored:
            yield dict(stored)


def _chunk(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}.npz"
