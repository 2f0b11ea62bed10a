"""Open the sources of a recipe's training and validation examples."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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

_VALIDATED_AT_ONCE = 50
_LATER = 12  # further batches that are made before one is seen again
_VALIDATION_SEQUENCES = 240
_VALIDATION_SEED = 1_000_003
_VALIDATED_SHARES = Shares(**dict.fromkeys(Shares.model_fields, 0.0) | {"still_real": 0.5, "still_fake": 0.5})


@dataclass(frozen=True)
class BatchSource:
    """Training batches, once through; and validation batches, as often as asked for."""

    batches: Iterable[Batch]
    validation: Callable[[], list[Batch]]


def open_source(
    config: Config, data: Path, out: Path, seen: int, failures: Path | None = None
) -> BatchSource:
    """The examples from number ``seen`` on; ``out`` keeps what is slow to gather.

    ``failures`` is an evaluation's ``failures.json``, for a pass of fine-tuning on them;
    only a data set of one's own can be gone over like that.
    """
    if config.set is not None:
        own = open_own_set(config, data, seen, failures)
        validation = _Loaded(own.validation, config, drop_last=False)
        return BatchSource(_Loaded(own.examples, config), lambda: list(validation))
    if config.sequences is not None:
        return _sequences(config, data, out, seen)
    return _mixed(config, data, out, seen)


def _mixed(config: Config, data: Path, out: Path, seen: int) -> BatchSource:
    assert config.mix is not None
    validation = validation_crops(data)
    samples = harvest(data, out / "harvest")
    examples = Examples(samples, config.mix, config.size, config.seed, seen, config.samples, config.hidden)
    return BatchSource(_Loaded(examples, config), lambda: list(framed_batches(validation, config)))


def _sequences(config: Config, data: Path, out: Path, seen: int) -> BatchSource:
    """Validation is of animated validation crops: of the clips, ``develop`` must not choose weights."""
    assert config.sequences is not None
    validation = validation_crops(data)
    clips, photos = gather_moving_faces(data, out / "harvest"), harvest(data, out / "harvest")
    lengths = (config.sequences.shortest, config.sequences.longest)
    examples = Sequences(clips, photos, config.size, config.seed, seen, config.samples, *lengths)
    held_out = Sequences(
        [],
        validation,
        config.size,
        _VALIDATION_SEED,
        0,
        _VALIDATION_SEQUENCES,
        *lengths,
        _VALIDATED_SHARES,
    )
    return BatchSource(_Loaded(examples, config), lambda: list(_Loaded(held_out, config, drop_last=False)))


def validation_crops(data: Path) -> list[Sample]:
    """The crops of the research data that choose weights; raises :class:`DataSetError` without both classes.

    It is quick, and asked first.
    """
    archive = data / "dfdc-val.zip"
    samples = dfdc_samples(archive)
    if {sample.label for sample in samples} != {0, 1}:
        raise DataSetError(f"{archive}: its CSV must list both real and fake crops. Copy both files again.")
    return samples


@dataclass(frozen=True)
class SharedBatches:
    """One stream of examples for several recipes: in each batch, what each of them learns from.

    With ``seen_again`` each batch comes a second time, mirrored and lit otherwise, once a dozen further ones
    were made; the last dozen come at the end.
    """

    examples: Examples
    configs: Sequence[Config]
    sizes: tuple[int, ...]

    def __iter__(self) -> Iterator[list[Batch]]:
        first = self.configs[0]
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        loader: DataLoader[Any] = DataLoader(
            self.examples,
            first.batch,
            num_workers=_workers(),
            prefetch_factor=4,
            drop_last=True,
            collate_fn=_collated,
            pin_memory=device.type == "cuda",
        )
        waiting: deque[list[torch.Tensor]] = deque()
        for tensors in loader:
            moved = [value.to(device, non_blocking=True) for value in tensors]
            yield self._batches(moved)
            if first.seen_again:
                waiting.append(moved)
                if len(waiting) > _LATER:
                    yield self._batches(_changed(waiting.popleft()))
        for moved in waiting:
            yield self._batches(_changed(moved))

    def _batches(self, tensors: list[torch.Tensor]) -> list[Batch]:
        images, labels, where, *others = tensors
        # Normalised on the device: four times less to copy, and no work for the process that trains.
        sized = dict(zip(self.sizes, (images, *others), strict=True))
        return [
            Batch(
                _normalised(sized[config.size], config),
                labels,
                where if config.size == self.sizes[0] else None,
            )
            for config in self.configs
        ]


def _changed(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """A batch to be seen again: mirrored, each example lit otherwise."""
    images, labels, where, *others = tensors
    gain = torch.empty(len(labels), 1, 1, 1, device=images.device).uniform_(0.88, 1.12)
    lift = torch.empty_like(gain).uniform_(-10, 10)
    lit = [(crops.flip(3) * gain + lift).clamp(0, 255).round().byte() for crops in (images, *others)]
    return [lit[0], labels, where.flip(2), *lit[1:]]


def open_shared(configs: Sequence[Config], data: Path, out: Path, seen: int) -> SharedBatches:
    """The examples from number ``seen`` on, at each side that ``configs`` want; all else is the first's.

    Where an example was blended is told to recipes of the first's side only. With ``seen_again``, ``seen``
    and ``samples`` count an example each time it is seen, and a run that resumes shows half of the batches
    that waited for their second time anew, and the others not again.
    """
    first = configs[0]
    assert first.mix is not None
    sizes = tuple(dict.fromkeys(config.size for config in configs))
    samples = harvest(data, out / "harvest")
    times = 2 if first.seen_again else 1
    examples = Examples(
        samples,
        first.mix,
        first.size,
        first.seed,
        seen // times,
        first.samples // times,
        first.hidden,
        also=sizes[1:],
    )
    return SharedBatches(examples, configs, sizes)


def _workers() -> int:
    """Processes that make examples: all cores but the one that trains."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


@dataclass(frozen=True)
class _Loaded:
    """Batches of a data set, made in another process while the network works."""

    examples: Dataset[Any]
    config: Config
    drop_last: bool = True

    def __iter__(self) -> Iterator[Batch]:
        loader: DataLoader[tuple[torch.Tensor, ...]] = DataLoader(
            self.examples,
            self.config.batch,
            num_workers=1,
            prefetch_factor=8,
            drop_last=self.drop_last,
            collate_fn=_collated,
        )
        for images, labels, *rest in loader:
            if images.dim() == 5:  # sequences, padded
                (present,) = rest
                yield Batch(_normalised(images[present], self.config), labels, present=present)
            else:
                yield Batch(_normalised(images, self.config), labels, *rest)


def _collated(examples: list[Any]) -> tuple[torch.Tensor, ...]:
    """Examples of one kind to a batch: sequences (t, 3, h, w) are padded, all else is stacked."""
    if examples[0][0].dim() == 4:
        frames, present, labels = pad_sequences(examples)
        return frames, labels, present
    images, labels, *rest = default_collate(examples)
    return images, labels.float(), *rest


def _normalised(images: torch.Tensor, config: Config) -> torch.Tensor:
    return normalise_batch(images, config.mean, config.std)


def framed_batches(samples: list[Sample], config: Config) -> Iterator[Batch]:
    """Framed crops, undegraded, in the order given."""
    for start in range(0, len(samples), _VALIDATED_AT_ONCE):
        some = samples[start : start + _VALIDATED_AT_ONCE]
        images = [decode_jpeg(sample.data) for sample in some]
        squares = [CropSquare(i.shape[1] / 2, i.shape[0] / 2, i.shape[0], 0.0) for i in images]
        crops = [
            crop_square(image, square, config.size) for image, square in zip(images, squares, strict=True)
        ]
        labels = torch.tensor([float(sample.label) for sample in some])
        yield Batch(_normalised(torch.from_numpy(stack_crops(crops)), config), labels)


def open_cached_features(
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
    recipe = config.model_dump_json(exclude=MUTABLE_KEYS) + data
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
