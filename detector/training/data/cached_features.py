"""Features computed once and kept as ``.npy``, for networks whose backbone stays as it is.

Two files a recipe lie in the output folder, ``NAME-…-features.npy`` (n, d) float16 and
``NAME-…-labels.npy`` (n,) float32, in the order of the examples; training goes over them
as often as the recipe's number of examples asks for. The middle of their names changes
with recipe and data, so that features of others are never taken for its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from detector.errors import ParameterError
from detector.files import atomic_path
from detector.networks.base import FeatureNetwork, Network
from detector.training.config import FREE, Config
from detector.training.data.sources import BatchSource
from detector.training.losses import Batch


def featured(
    source: BatchSource, network: Network, config: Config, out: Path, seen: int, data: str = ""
) -> BatchSource:
    """``source``, opened at its first example, as features of ``network``, made unless ``out`` has them.

    ``data`` is a digest of the examples, where they are not the research data's.
    Raises :class:`ParameterError` for an architecture whose features cannot be kept.
    """
    assert config.features is not None
    if not isinstance(network, FeatureNetwork):
        raise ParameterError(f"{config.architecture} has no features to keep: leave [features] out.")
    features, labels = _kept(source.batches, network, config, out, data)
    tested = [_of(batch, network) for batch in source.validation()]
    return BatchSource(_Drawn(features, labels, config, seen), lambda: tested)


def _kept(
    batches: Iterable[Batch], network: FeatureNetwork, config: Config, out: Path, data: str
) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    assert config.features is not None
    recipe = config.model_dump_json(exclude=FREE) + data
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:8]
    paths = [out / f"{config.name}-{digest}-{what}.npy" for what in ("features", "labels")]
    if not all(path.exists() for path in paths):
        count, done = config.features.examples, 0
        # Beside their places until whole: a run that stops here must not be taken for done.
        with atomic_path(paths[0]) as first, atomic_path(paths[1]) as second:
            features = open_memmap(first, "w+", np.float16, (count, network.width))
            labels = open_memmap(second, "w+", np.float32, (count,))
            for batch in batches:
                some = slice(done, min(count, done + len(batch.labels)))
                features[some] = _of(batch, network).crops[: some.stop - done].numpy()
                labels[some] = batch.labels[: some.stop - done].numpy()
                done = some.stop
                if done == count:
                    break
            if done < count:
                raise ParameterError(f"There are only {done} examples, not the {count} of [features].")
            features.flush()
            labels.flush()
    return np.load(paths[0], mmap_mode="r"), np.load(paths[1])


@torch.inference_mode()
def _of(batch: Batch, network: FeatureNetwork) -> Batch:
    network.eval()
    device = next(network.parameters()).device
    return Batch(network.features(batch.crops.to(device)).float().cpu(), batch.labels, featured=True)


@dataclass(frozen=True)
class _Drawn:
    """Shuffled passes over the features, as many as it takes."""

    features: NDArray[np.float16]
    labels: NDArray[np.float32]
    config: Config
    seen: int

    def __iter__(self) -> Iterator[Batch]:
        batch, count = self.config.batch, len(self.labels)
        for start in range(self.seen, self.config.samples - batch + 1, batch):
            places = [(start + i) % count for i in range(batch)]
            order = np.random.default_rng((self.config.seed, start // count)).permutation(count)
            chosen = np.sort(order[places])
            values = torch.from_numpy(np.asarray(self.features[chosen], np.float32))
            yield Batch(values, torch.from_numpy(self.labels[chosen]), featured=True)
