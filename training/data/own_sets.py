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

_MOST_NAMED = 5  # examples in a message
_UNJUDGED = 0.5  # the error of an item without a probability
# Sets and splits with such a word in their name are reserved for measuring.
_RESERVED = {"test", "develop"}


class _Entry(BaseModel):
    """The fields of an entry of ``failures.json`` that are read."""

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


def read_failures(path: Path, items: Sequence[Item]) -> list[WeightedFailure]:
    """Return the failures in the file ``path`` as weighted items of split ``train``, in order.

    ``items`` are those of every set that was evaluated; a failure is found among them by the end of its path
    and has its split from there. Failures of a validation split leave it: remove their groups from
    validation too, as :func:`~training.data.labelled_sets.check_leakage` over both requires. The weight is
    proportional to the distance of the probability from the label, which is online hard example mining
    (Shrivastava et al., CVPR 2016) between runs instead of within one.

    Raises :class:`DataSetError` if the file is no such list or empty, if a failure is missing or ambiguous or
    has another label, and if one comes from a set or a split for measuring (test, develop) or shares its
    group with one.
    """
    by_file: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_file[_place(item).rpartition("/")[2]].append(item)
    tested = {item.group for item in items if item.split == "test"}
    hard, unknown, forbidden = [], [], []
    for entry in _read_entries(path):
        ending = "/" + entry.place.removeprefix("./").lstrip("/")
        matches = [i for i in by_file[ending.rpartition("/")[2]] if _place(i).endswith(ending)]
        reserved = _RESERVED & set(re.split(r"[^a-z]+", entry.data.lower()))
        if reserved or {entry.group, *(item.group for item in matches)} & tested:
            forbidden.append(entry.place)
        elif len(matches) != 1:
            unknown.append(entry.place)
        elif matches[0].label != entry.truth:
            raise DataSetError(f"{path}: {entry.place} has another label now. Evaluate the model again.")
        else:
            error = _UNJUDGED if entry.probability is None else abs(entry.truth - entry.probability)
            hard.append(WeightedFailure(replace(matches[0], split="train"), error))
    if forbidden:
        raise DataSetError(
            f"{path}: {len(forbidden)} failures belong to data reserved for measuring: "
            f"{', '.join(forbidden[:_MOST_NAMED])}. A test split measures nothing once it was trained on. "
            "Evaluate on train or val, and give those failures."
        )
    if unknown:
        raise DataSetError(
            f"{path}: {len(unknown)} failures are in none of the data sets given, or in several, so they may "
            f"belong to a test split: {', '.join(unknown[:_MOST_NAMED])}. Give the sets that were "
            "evaluated."
        )
    mean = sum(error for _, error in hard) / len(hard)
    if not mean:
        raise DataSetError(f"{path}: each probability in it is exactly right; there is nothing to learn.")
    return [WeightedFailure(item, error / mean) for item, error in hard if error]


def _read_entries(path: Path) -> list[_Entry]:
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


_STORED_SIDE = 224  # px of crops in memory, stored as JPEG
_STORED_QUALITY = 98

LabelledTensor = tuple[torch.Tensor, float]


class CroppedItem(NamedTuple):
    """The face crops of one item, in order of time; a picture has one."""

    crops: tuple[bytes, ...]
    label: int
    group: str


class OwnSetExamples(NamedTuple):
    """Remaining training examples, and validation examples."""

    examples: Dataset[Any]
    validation: Dataset[Any]


class OwnSetSplits(NamedTuple):
    """The items to train on, failures repeated, and the other splits.

    ``hard`` are the failures, once each and in their original split.
    """

    train: list[Item]
    held_out: list[Item]
    test: list[Item]
    hard: list[Item]


def split_own_set(data: Path, failures: Path | None) -> OwnSetSplits:
    """Read the set at ``data`` (:func:`~training.data.labelled_sets.read_set`) and split it.

    ``failures`` is the ``failures.json`` of an evaluation: these then are about half of the examples, the
    worst most often. Raises :class:`~training.data.labelled_sets.DataSetError`.
    """
    items = read_set(data)
    train, held_out, test = ([item for item in items if item.split == split] for split in SPLITS)
    if failures is None:
        return OwnSetSplits(train, held_out, test, [])
    hard = read_failures(failures, items)
    failed = {replace(failure.item, split="") for failure in hard}
    groups = {failure.item.group for failure in hard}
    held_out = [item for item in held_out if item.group not in groups]
    times = max(1, len(train)) / len(hard)
    for failure in hard:
        train = train + [failure.item] * max(1, round(times * failure.weight))
    check_leakage(train + held_out)
    return OwnSetSplits(train, held_out, test, [item for item in items if replace(item, split="") in failed])


def open_own_set(config: Config, data: Path, seen: int, failures: Path | None) -> OwnSetExamples:
    """Open the examples of the set at ``data``; raises what :func:`split_own_set` raises."""
    assert config.set is not None
    train, held_out, *_ = split_own_set(data, failures)
    _require_both_classes(data, "training", train)
    _require_both_classes(data, "validation", held_out)
    reads_sequences = is_sequence(config.architecture)
    if config.set.streamed and reads_sequences:
        raise ParameterError("Streamed videos give single faces, and this architecture reads sequences.")
    if config.set.streamed and (config.set.fake_share != 0.5 or config.hidden):
        raise ParameterError(
            "Streamed videos alternate between the classes and no part is hidden: "
            "set fake_share = 0.5 and hidden = 0.0, or streamed = false."
        )
    if reads_sequences and config.size % 2:
        raise ParameterError(f"size: {config.size} must be even, because sequences pass through H.264.")
    validation = crop_items(held_out, config.set.frames)
    # Checked again, because videos without a face are gone.
    _require_both_classes(data, "validation", validation)
    faces = _PlainCrops([((crop,), float(i.label)) for i in validation for crop in i.crops], config.size)
    if config.set.streamed:
        return OwnSetExamples(_Streamed(train, config, seen), faces)
    items = crop_items(train, config.set.frames)
    _require_both_classes(data, "training", items)
    if reads_sequences:
        sequences = _PlainCrops([(i.crops, float(i.label)) for i in validation], config.size, sequences=True)
        return OwnSetExamples(_Sequences(items, config, seen), sequences)
    samples = [Sample(crop, i.label, i.group, None, framed=True) for i in items for crop in i.crops]
    share = config.set.fake_share
    shares = dict.fromkeys(MixConfig.model_fields, 0.0) | {"dfdc_real": 1 - share, "dfdc_fake": share}
    mix = MixConfig(**shares)
    examples = Examples(samples, mix, config.size, config.seed, seen, config.samples, config.hidden)
    return OwnSetExamples(examples, faces)


def _require_both_classes(data: Path, split: str, items: Sequence[Item] | Sequence[CroppedItem]) -> None:
    if {item.label for item in items} != {0, 1}:
        raise DataSetError(
            f"{data}: the {split} split needs both real and manipulated examples with a visible face."
        )


def crop_items(items: Sequence[Item], frames: int) -> list[CroppedItem]:
    """Crop the largest face of each item: from ``frames`` evenly spaced frames of a video, or a picture.

    A picture in a zip is itself a crop, as is one without a detected face. Repeated items are read once;
    videos without a face are left out.
    """
    detect = FaceDetector()
    cropped: dict[Item, CroppedItem] = {}
    for item, data in contents([i for i in dict.fromkeys(items) if not i.is_video]):
        try:
            image = decode_jpeg(data)
        except cv2.error:
            raise DataSetError(f"{item.name} is not a readable picture. Remove it.") from None
        face = None if item.member else largest_crop(image, detect, _STORED_SIDE)
        cropped[item] = _encode(item, [framed_crop(image, _STORED_SIDE) if face is None else face])
    for item in dict.fromkeys(items):
        if item.is_video:
            crops = video_crops(item.path, _STORED_SIDE, frames, detect)
            if len(crops):
                cropped[item] = _encode(item, list(crops))
    return [cropped[item] for item in items if item in cropped]


def _encode(item: Item, crops: list[Image]) -> CroppedItem:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _STORED_QUALITY]
    encoded = (cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), quality)[1] for crop in crops)
    return CroppedItem(tuple(data.tobytes() for data in encoded), item.label, item.group)


def _decode(crops: Sequence[bytes], size: int) -> list[Image]:
    """Decode stored crops, which are framed already, at the network's size."""
    decoded = []
    for data in crops:
        crop = decode_jpeg(data)
        side = crop.shape[0]
        decoded.append(crop_square(crop, CropSquare(side / 2, side / 2, side, 0.0), size))
    return decoded


class _PlainCrops(Dataset[LabelledTensor]):
    """Crops without degradation, uint8 (3, size, size) or sequences (t, 3, size, size), with labels."""

    def __init__(
        self, items: Sequence[tuple[tuple[bytes, ...], float]], size: int, sequences: bool = False
    ) -> None:
        self._items, self._size, self._sequences = items, size, sequences

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> LabelledTensor:
        crops, label = self._items[index]
        stacked = torch.from_numpy(stack_crops(_decode(crops, self._size)))
        return stacked if self._sequences else stacked[0], label


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
        crops = _decode(item.crops, self._size)
        if rng.random() < 0.5:
            crops = degrade_sequence(crops, rng)
        if rng.random() < 0.5:
            crops = [crop[:, ::-1] for crop in crops]
        return torch.from_numpy(np.ascontiguousarray(stack_crops(crops))), float(item.label)


class _Streamed(IterableDataset[LabelledTensor]):
    """Epochs of :class:`StreamedVideos`, until the recipe's number of examples is reached.

    A resumed run starts its videos over, in another order.
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
