"""Open the sources of a recipe's training and validation examples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, default_collate

from detector.backends.torch import normalise_batch
from detector.errors import ParameterError
from detector.faces.crop import CropSquare, crop_square
from detector.faces.patch import decode_jpeg
from detector.files import atomic_path
from detector.networks.base import FeatureNetwork, Network
from training.data.crop_examples import Examples, stack_crops
from training.data.labelled_sets import DataSetError
from training.data.own_sets import open_own_set
from training.data.research_faces import Sample, dfdc_samples, gather_moving_faces, harvest
from training.data.sequence_examples import Sequences, Shares, pad_sequences
from training.losses import Batch
from training.recipe import MUTABLE_KEYS, Config

_VALIDATION_BATCH = 50
_VALIDATION_SEQUENCES = 240
_VALIDATION_SEED = 1_000_003
_VALIDATION_SHARES = Shares(
    **dict.fromkeys(Shares.model_fields, 0.0) | {"still_real": 0.5, "still_fake": 0.5}
)


@dataclass(frozen=True)
class BatchSource:
    """Training batches, once through, and validation batches, as often as needed."""

    batches: Iterable[Batch]
    validation: Callable[[], list[Batch]]


def open_source(
    config: Config, data: Path, out: Path, seen: int, failures: Path | None = None
) -> BatchSource:
    """Open the examples from number ``seen`` on; ``out`` caches what is slow to gather.

    ``failures`` is the ``failures.json`` of an evaluation, for fine-tuning on a user's own data set.
    """
    if config.set is not None:
        own = open_own_set(config, data, seen, failures)
        own_validation = _Loaded(own.validation, config, drop_last=False)
        return BatchSource(_Loaded(own.examples, config), lambda: list(own_validation))
    validation = validation_crops(data)
    samples = harvest(data, out / "harvest")
    if config.sequences is None:
        assert config.mix is not None
        examples = Examples(
            samples, config.mix, config.size, config.seed, seen, config.samples, config.hidden
        )
        return BatchSource(_Loaded(examples, config), lambda: list(framed_batches(validation, config)))
    # Validated on animated validation crops: clips of role `develop` must not choose weights.
    clips = gather_moving_faces(data, out / "harvest")
    lengths = (config.sequences.shortest, config.sequences.longest)
    sequences = Sequences(clips, samples, config.size, config.seed, seen, config.samples, *lengths)
    held_out = Sequences(
        [],
        validation,
        config.size,
        _VALIDATION_SEED,
        0,
        _VALIDATION_SEQUENCES,
        *lengths,
        _VALIDATION_SHARES,
    )
    return BatchSource(_Loaded(sequences, config), lambda: list(_Loaded(held_out, config, drop_last=False)))


def validation_crops(data: Path) -> list[Sample]:
    """Read the research crops that choose weights; raise :class:`DataSetError` without both classes."""
    archive = data / "dfdc-val.zip"
    samples = dfdc_samples(archive)
    if {sample.label for sample in samples} != {0, 1}:
        raise DataSetError(f"{archive}: its CSV must list both real and fake crops. Copy both files again.")
    return samples


@dataclass(frozen=True)
class _Loaded:
    """Batches of a data set, made in another process while the network works."""

    examples: Dataset[Any]
    config: Config
    drop_last: bool = True

    def __iter__(self) -> Iterator[Batch]:
        config = self.config
        loader: DataLoader[tuple[torch.Tensor, ...]] = DataLoader(
            self.examples,
            config.batch,
            num_workers=1,
            prefetch_factor=8,
            drop_last=self.drop_last,
            collate_fn=_collate,
        )
        for images, labels, *rest in loader:
            if images.dim() == 5:  # sequences, padded
                (present,) = rest
                crops = normalise_batch(images[present], config.mean, config.std)
                yield Batch(crops, labels, present=present)
            else:
                yield Batch(normalise_batch(images, config.mean, config.std), labels, *rest)


def _collate(examples: list[Any]) -> tuple[torch.Tensor, ...]:
    """Collate examples of one kind: pad sequences (t, 3, h, w), stack all else."""
    if examples[0][0].dim() == 4:
        frames, present, labels = pad_sequences(examples)
        return frames, labels, present
    images, labels, *rest = default_collate(examples)
    return images, labels.float(), *rest


def framed_batches(samples: list[Sample], config: Config) -> Iterator[Batch]:
    """Yield batches of framed crops without degradation, in order."""
    for start in range(0, len(samples), _VALIDATION_BATCH):
        part = samples[start : start + _VALIDATION_BATCH]
        crops = []
        for sample in part:
            image = decode_jpeg(sample.data)
            square = CropSquare(image.shape[1] / 2, image.shape[0] / 2, image.shape[0], 0.0)
            crops.append(crop_square(image, square, config.size))
        labels = torch.tensor([float(sample.label) for sample in part])
        images = normalise_batch(torch.from_numpy(stack_crops(crops)), config.mean, config.std)
        yield Batch(images, labels)


# Cached features, for networks whose backbone stays fixed. Two files a recipe are in the output folder,
# ``NAME-DIGEST-features.npy`` (n, d) float16 and ``NAME-DIGEST-labels.npy`` (n,) float32, in the order of the
# examples. The digest is of recipe and data, so that features of others are never used.


def open_cached_features(
    source: BatchSource, network: Network, config: Config, out: Path, seen: int, data: str = ""
) -> BatchSource:
    """Return ``source``, opened at its first example, as features of ``network``, computed once in ``out``.

    ``data`` is a digest of the examples, empty for the research data. Raises :class:`ParameterError` for an
    architecture without separate features.
    """
    assert config.features is not None
    if not isinstance(network, FeatureNetwork):
        raise ParameterError(f"{config.architecture} has no features to cache: omit [features].")
    digest = hashlib.sha256((config.model_dump_json(exclude=MUTABLE_KEYS) + data).encode()).hexdigest()[:8]
    paths = [out / f"{config.name}-{digest}-{part}.npy" for part in ("features", "labels")]
    if not all(path.exists() for path in paths):
        count, done = config.features.examples, 0
        # Written beside their places until complete: an interrupted run must not be taken for finished.
        with atomic_path(paths[0]) as first, atomic_path(paths[1]) as second:
            features = open_memmap(first, "w+", np.float16, (count, network.width))
            labels = open_memmap(second, "w+", np.float32, (count,))
            for batch in source.batches:
                rows = slice(done, min(count, done + len(batch.labels)))
                features[rows] = _features_of(batch, network).crops[: rows.stop - done].numpy()
                labels[rows] = batch.labels[: rows.stop - done].numpy()
                done = rows.stop
                if done == count:
                    break
            if done < count:
                raise ParameterError(f"There are only {done} examples, not the {count} of [features].")
            features.flush()
            labels.flush()
    validation = [_features_of(batch, network) for batch in source.validation()]
    batches = _FeatureBatches(np.load(paths[0], mmap_mode="r"), np.load(paths[1]), config, seen)
    return BatchSource(batches, lambda: validation)


@torch.inference_mode()
def _features_of(batch: Batch, network: FeatureNetwork) -> Batch:
    network.eval()
    device = next(network.parameters()).device
    return Batch(network.features(batch.crops.to(device)).float().cpu(), batch.labels, featured=True)


@dataclass(frozen=True)
class _FeatureBatches:
    """Shuffled passes over the features until the recipe's number of examples is reached."""

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
