"""Train on a data set of one's own: its videos and pictures as examples for any network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset

from detector.errors import ParameterError
from detector.faces.crop import CropSquare, crop_square
from detector.faces.patch import decode
from detector.faces.search.centerface import FaceDetector
from detector.media.frame import Image
from detector.networks.base import is_sequence
from detector.scoring.single_crops import framed_crop
from detector.training.config import Config, MixConfig
from detector.training.data.crop_examples import Examples, stacked
from detector.training.data.face_samples import Sample
from detector.training.data.hard_examples import read_failures
from detector.training.data.labelled_sets import (
    SPLITS,
    DataSetError,
    Item,
    check_leakage,
    contents,
    read_set,
)
from detector.training.data.streamed_videos import StreamedVideos
from detector.training.data.video_crops import largest_crop, video_crops
from detector.training.synthesis.sequence_degradations import degrade_sequence

_KEPT_SIDE = 224  # px at which crops are held in memory, as JPEG
_KEPT_QUALITY = 98

LabelledTensor = tuple[torch.Tensor, float]


class CroppedItem(NamedTuple):
    """The face crops of one item, in order of time; one of a picture."""

    crops: tuple[bytes, ...]
    label: int
    group: str


class OwnSetExamples(NamedTuple):
    """Examples still to be seen, and those to validate on."""

    examples: Dataset[Any]
    validation: Dataset[Any]


class Divided(NamedTuple):
    """A set as it is trained on: what is learnt from, failures as often as they are drawn, and the rest.

    ``hard`` are the failures, once each and of the split they came from.
    """

    train: list[Item]
    held_out: list[Item]
    test: list[Item]
    hard: list[Item]


def divided(data: Path, failures: Path | None) -> Divided:
    """The set at ``data``, see :func:`~detector.training.data.labelled_sets.read_set`.

    ``failures`` names what an evaluation got wrong: about half of the examples then are
    those, the worse the oftener. Raises :class:`~detector.training.data.labelled_sets.DataSetError`.
    """
    items = read_set(data)
    train, held_out, test = ([item for item in items if item.split == split] for split in SPLITS)
    if failures is None:
        return Divided(train, held_out, test, [])
    hard = read_failures(failures, items)
    learnt = {replace(one.item, split="") for one in hard}
    groups = {one.item.group for one in hard}
    held_out = [item for item in held_out if item.group not in groups]
    times = max(1, len(train)) / len(hard)
    train = train + [one.item for one in hard for _ in range(max(1, round(times * one.weight)))]
    check_leakage(train + held_out)
    return Divided(train, held_out, test, [item for item in items if replace(item, split="") in learnt])


def open_own_set(config: Config, data: Path, seen: int, failures: Path | None) -> OwnSetExamples:
    """Examples of the set at ``data``, as :func:`divided` gives it; raises what it does."""
    assert config.set is not None
    train, held_out, *_ = divided(data, failures)
    _refuse_one_class(data, "training", train)
    _refuse_one_class(data, "validation", held_out)
    reads_sequences = is_sequence(config.architecture)
    if config.set.streamed and reads_sequences:
        raise ParameterError("Streamed videos give single faces, and this architecture reads sequences.")
    if config.set.streamed and (config.set.fake_share != 0.5 or config.hidden):
        raise ParameterError(
            "Of streamed videos both classes take turns and no part is hidden: "
            "set fake_share = 0.5 and hidden = 0.0, or streamed = false."
        )
    if reads_sequences and config.size % 2:
        raise ParameterError(f"size: {config.size} must be even, because sequences pass through H.264.")
    tested = crop_items(held_out, config.set.frames)
    # Once more: videos that show no face are gone.
    _refuse_one_class(data, "validation", tested)
    if config.set.streamed:
        return OwnSetExamples(_Streamed(train, config, seen), _Faces(tested, config.size))
    learned = crop_items(train, config.set.frames)
    _refuse_one_class(data, "training", learned)
    if reads_sequences:
        return OwnSetExamples(_Sequences(learned, config, seen), _Undegraded(tested, config.size))
    return OwnSetExamples(_crops(learned, config, seen), _Faces(tested, config.size))


def _refuse_one_class(data: Path, split: str, some: Sequence[Item] | Sequence[CroppedItem]) -> None:
    if {one.label for one in some} != {0, 1}:
        raise DataSetError(
            f"{data}: the {split} split needs both real and manipulated examples, with a face to see."
        )


def crop_items(items: Sequence[Item], frames: int) -> list[CroppedItem]:
    """The largest face of each item: ``frames`` evenly spaced ones of a video, one of a picture.

    A picture in a zip is itself a crop, as is one in which no face is found. Items that
    stand in the list again are read once; videos that show no face are left out.
    """
    detect = FaceDetector()
    known: dict[Item, CroppedItem] = {}
    for item, data in contents([i for i in dict.fromkeys(items) if not i.is_video]):
        try:
            image = decode(data)
        except cv2.error:
            raise DataSetError(f"{item.name} is not a picture that can be read. Remove it.") from None
        face = None if item.member else largest_crop(image, detect, _KEPT_SIDE)
        known[item] = _kept(item, [framed_crop(image, _KEPT_SIDE) if face is None else face])
    for item in dict.fromkeys(items):
        if item.is_video:
            crops = video_crops(item.path, _KEPT_SIDE, frames, detect)
            if len(crops):
                known[item] = _kept(item, list(crops))
    return [known[item] for item in items if item in known]


def _kept(item: Item, crops: list[Image]) -> CroppedItem:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _KEPT_QUALITY]
    encoded = (cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), quality)[1] for crop in crops)
    return CroppedItem(tuple(data.tobytes() for data in encoded), item.label, item.group)


def _at_size(crop: Image, size: int) -> Image:
    """A kept crop, which is framed already, as the network takes it."""
    side = crop.shape[0]
    return crop_square(crop, CropSquare(side / 2, side / 2, side, 0.0), size)


def _crops(items: Sequence[CroppedItem], config: Config, seen: int) -> Examples:
    assert config.set is not None
    samples = [Sample(data, i.label, i.group, None, framed=True) for i in items for data in i.crops]
    share = config.set.fake_share
    none = dict.fromkeys(MixConfig.model_fields, 0.0)
    mix = MixConfig(**none | {"dfdc_real": 1 - share, "dfdc_fake": share})
    return Examples(samples, mix, config.size, config.seed, seen, config.samples, config.hidden)


class _Faces(Dataset[LabelledTensor]):
    """Crops undegraded, uint8 (3, size, size), and their labels."""

    def __init__(self, items: Sequence[CroppedItem], size: int) -> None:
        self._crops = [(data, float(item.label)) for item in items for data in item.crops]
        self._size = size

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, index: int) -> LabelledTensor:
        data, label = self._crops[index]
        crop = _at_size(decode(data), self._size)
        return torch.from_numpy(stacked([crop])[0]), label


class _Undegraded(Dataset[LabelledTensor]):
    """Whole sequences as they are, uint8 (t, 3, size, size), and their labels."""

    def __init__(self, items: Sequence[CroppedItem], size: int) -> None:
        self._items, self._size = items, size

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> LabelledTensor:
        item = self._items[index]
        crops = [_at_size(decode(data), self._size) for data in item.crops]
        return torch.from_numpy(stacked(crops)), float(item.label)


class _Sequences(Dataset[LabelledTensor]):
    """Sequences drawn at the recipe's share of manipulated ones, mirrored and degraded as a whole."""

    def __init__(self, items: Sequence[CroppedItem], config: Config, seen: int) -> None:
        assert config.set is not None
        self._by_label = [[item for item in items if item.label == label] for label in (0, 1)]
        self._share, self._size, self._seed = config.set.fake_share, config.size, config.seed
        self._first, self._last = seen, config.samples

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, index: int) -> LabelledTensor:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self._seed, self._first + index))
        items = self._by_label[int(rng.random() < self._share)]
        item = items[rng.integers(len(items))]
        crops = [_at_size(decode(data), self._size) for data in item.crops]
        if rng.random() < 0.5:
            crops = degrade_sequence(crops, rng)
        if rng.random() < 0.5:
            crops = [crop[:, ::-1] for crop in crops]
        return torch.from_numpy(np.ascontiguousarray(stacked(crops))), float(item.label)


class _Streamed(IterableDataset[LabelledTensor]):
    """Epoch after epoch of :class:`StreamedVideos`, until the recipe's number of examples is reached.

    A run that resumes begins its videos anew, in another order.
    """

    def __init__(self, items: Sequence[Item], config: Config, seen: int) -> None:
        assert config.set is not None
        self._videos = StreamedVideos(items, config.size, config.seed + seen, most=config.set.frames)
        self._left = config.samples - seen

    def __iter__(self) -> Iterator[LabelledTensor]:
        return islice(self._all(), self._left)

    def _all(self) -> Iterator[LabelledTensor]:
        for epoch in range(self._left):
            self._videos.set_epoch(epoch)
            empty = True
            for example in self._videos:
                empty = False
                yield example
            if empty:
                raise DataSetError("None of the videos shows a face that could be learned from.")
