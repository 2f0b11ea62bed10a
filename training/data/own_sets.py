"""Train on a user's own data set, and on the failures of an earlier evaluation."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from torch.utils.data import Dataset, IterableDataset

from detector.errors import ParameterError
from detector.faces.crop import CropSquare, crop_square
from detector.faces.patch import decode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.media.frame import Image
from detector.networks.base import is_sequence
from detector.scoring.scorer import framed_crop
from training.data.crop_examples import Examples, stack_crops
from training.data.labelled_sets import SPLITS, DataSetError, Item, check_leakage, contents, read_set
from training.data.research_faces import Sample
from training.data.streamed_videos import StreamedVideos, largest_crop, video_crops
from training.recipe import Config, MixConfig
from training.synthesis.degradations import degrade_sequence

_NAMED = 5  # examples given in a message
_UNJUDGED = 0.5  # the error of what got no probability
# Sets and splits with such a word in their name are there to measure on.
_RESERVED = {"test", "develop"}


class _Entry(BaseModel):
    """What is needed of an entry of ``failures.json``; it holds more."""

    path: str = Field(min_length=1)
    member: str | None = None
    label: Literal[0, 1, "real", "fake"]
    probability: float | None = Field(ge=0, le=1)
    group: str
    data: str = ""

    @property
    def place(self) -> str:
        return self.path if self.member is None else f"{self.path}/{self.member}"

    @property
    def truth(self) -> int:
        return int(self.label in {1, "fake"})


class WeightedFailure(NamedTuple):
    """An item to train on again; ``weight`` is positive, 1 on average over a list."""

    item: Item
    weight: float


def read_failures(path: Path, known: Sequence[Item]) -> list[WeightedFailure]:
    """The failures at ``path`` as weighted items, in their order, all of split ``train`` from now on.

    ``known`` are the items of every set evaluation was run on; a failure is found there by
    the end of its path, of which evaluation may have been given more or less, and takes
    its split from there. Those out of a validation split leave it: take their groups out
    of validation too, which :func:`~training.data.labelled_sets.check_leakage` over both
    insists on. The weight is in proportion to how far the probability lay from the label.

    Raises :class:`DataSetError` when the file is no such list or lists nothing, when a
    failure cannot be found or not told apart, or has another label, and when one comes
    from a set or a split to measure on (test, develop) or shares its group with one.
    """
    entries = _read(path)
    by_file: dict[str, list[Item]] = defaultdict(list)
    for item in known:
        by_file[_place(item).rpartition("/")[2]].append(item)
    tested = {item.group for item in known if item.split == "test"}
    hard, unknown, forbidden = [], [], []
    for entry in entries:
        ending = "/" + entry.place.removeprefix("./").lstrip("/")
        found = [i for i in by_file[ending.rpartition("/")[2]] if _place(i).endswith(ending)]
        reserved = _RESERVED & set(re.split(r"[^a-z]+", entry.data.lower()))
        if reserved or {entry.group, *(item.group for item in found)} & tested:
            forbidden.append(entry.place)
        elif len(found) != 1:
            unknown.append(entry.place)
        elif found[0].label != entry.truth:
            raise DataSetError(f"{path}: {entry.place} has another label now. Evaluate the model again.")
        else:
            error = _UNJUDGED if entry.probability is None else abs(entry.truth - entry.probability)
            hard.append(WeightedFailure(replace(found[0], split="train"), error))
    _refuse(path, forbidden, unknown)
    mean = sum(error for _, error in hard) / len(hard)
    if not mean:
        raise DataSetError(f"{path}: each probability in it is exactly right; there is nothing to learn.")
    return [WeightedFailure(item, error / mean) for item, error in hard if error]


def _refuse(path: Path, forbidden: Sequence[str], unknown: Sequence[str]) -> None:
    """Raise :class:`DataSetError` for failures that may not be trained on, or that nobody can place."""
    if forbidden:
        raise DataSetError(
            f"{path}: {len(forbidden)} failures belong to data that is there to measure on: "
            f"{', '.join(forbidden[:_NAMED])}. Once trained on, a test split measures nothing any more. "
            "Evaluate on train or val, and give those failures."
        )
    if unknown:
        raise DataSetError(
            f"{path}: {len(unknown)} failures are in none of the data sets given, or in several, so that "
            f"nobody can tell whether they belong to a test split: {', '.join(unknown[:_NAMED])}. Give the "
            "sets that were evaluated."
        )


def _read(path: Path) -> list[_Entry]:
    try:
        entries = TypeAdapter(list[_Entry]).validate_json(path.read_bytes())
    except OSError as error:
        raise DataSetError(f"{path} cannot be read: {error.strerror}. Evaluate a model first.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its top level"
        raise DataSetError(f"{path}: not a list of failures, at {place}: {first['msg']}.") from None
    if not entries:
        raise DataSetError(f"{path} lists no failures: there is nothing to train on again.")
    return entries


def _place(item: Item) -> str:
    file = item.path.absolute().as_posix()
    return file if item.member is None else f"{file}/{item.member}"


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


class OwnSetSplits(NamedTuple):
    """A set as it is trained on: what is learnt from, failures as often as they are drawn, and the rest.

    ``hard`` are the failures, once each and of the split they came from.
    """

    train: list[Item]
    held_out: list[Item]
    test: list[Item]
    hard: list[Item]


def split_own_set(data: Path, failures: Path | None) -> OwnSetSplits:
    """The set at ``data``, see :func:`~training.data.labelled_sets.read_set`.

    ``failures`` names what an evaluation got wrong: about half of the examples then are
    those, the worse the oftener. Raises :class:`~training.data.labelled_sets.DataSetError`.
    """
    items = read_set(data)
    train, held_out, test = ([item for item in items if item.split == split] for split in SPLITS)
    if failures is None:
        return OwnSetSplits(train, held_out, test, [])
    hard = read_failures(failures, items)
    learnt = {replace(one.item, split="") for one in hard}
    groups = {one.item.group for one in hard}
    held_out = [item for item in held_out if item.group not in groups]
    times = max(1, len(train)) / len(hard)
    train = train + [one.item for one in hard for _ in range(max(1, round(times * one.weight)))]
    check_leakage(train + held_out)
    return OwnSetSplits(train, held_out, test, [item for item in items if replace(item, split="") in learnt])


def open_own_set(config: Config, data: Path, seen: int, failures: Path | None) -> OwnSetExamples:
    """Examples of the set at ``data``, as :func:`divided` gives it; raises what it does."""
    assert config.set is not None
    train, held_out, *_ = split_own_set(data, failures)
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
            image = decode_jpeg(data)
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
        crop = _at_size(decode_jpeg(data), self._size)
        return torch.from_numpy(stack_crops([crop])[0]), label


class _Undegraded(Dataset[LabelledTensor]):
    """Whole sequences as they are, uint8 (t, 3, size, size), and their labels."""

    def __init__(self, items: Sequence[CroppedItem], size: int) -> None:
        self._items, self._size = items, size

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> LabelledTensor:
        item = self._items[index]
        crops = [_at_size(decode_jpeg(data), self._size) for data in item.crops]
        return torch.from_numpy(stack_crops(crops)), float(item.label)


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
        crops = [_at_size(decode_jpeg(data), self._size) for data in item.crops]
        if rng.random() < 0.5:
            crops = degrade_sequence(crops, rng)
        if rng.random() < 0.5:
            crops = [crop[:, ::-1] for crop in crops]
        return torch.from_numpy(np.ascontiguousarray(stack_crops(crops))), float(item.label)


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
