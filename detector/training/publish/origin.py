"""What a model's card says of the data it was trained on: the research data, or a set of somebody's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from detector.schema.model import Range
from detector.schema.translatable import N_
from detector.training.config import Config
from detector.training.data.face_samples import FRAMES_A_CLIP, clip_names, read_csv
from detector.training.data.labelled_sets import Item, opened_zip
from detector.training.data.own_set_examples import Divided, divided
from detector.training.publish.error_rates import VALIDATED

_TERMS = (
    "The data sets are for research; whoever trains or deploys on them is bound by their terms. "
    "These weights were trained by the Reelproof project and are shared under Apache-2.0."
)
_DOMAIN = N_(
    "Faces at least as wide as the smallest face judged, roughly frontal, in video or photographs: face "
    "swaps and reenactment of the kinds in the Deepfake Detection Challenge and FaceForensics++."
)
# What holds whatever a model was trained on.
_UNSEEN = N_("Methods unlike those it was trained and measured on may go unseen.")
_NOT_EXAMINED = N_("Sound, lip-sync to altered sound, and anything outside the face are not examined.")
_ALIKE = N_("Filters, make-up effects, heavy retouching and hard re-compression can look like manipulation.")
_LIMITS = (
    _UNSEEN,
    N_(
        "Reenactment that keeps the identity (Face2Face) is seen far less surely than face swaps, and mostly "
        "missed where it fills only part of a strongly compressed clip."
    ),
    N_("Wholly synthetic faces (generated photographs of people who do not exist) were not measured."),
    _NOT_EXAMINED,
    N_("Actors recur across the data set's videos, so its test figures flatter the model a little."),
    N_("Figures for strong compression (FaceForensics++ c40) rest on few clips of few people."),
    _ALIKE,
)
_UNMEASURED = N_(
    "Its error rates are unknown until it is evaluated on labelled material that it did not learn from."
)
# How the cards of earlier versions ended the limit on thresholds.
_UNMEASURED_BEFORE = "; its error rates are unknown until it is evaluated on a labelled set of its own."

DATA_SET = "Data set "
"""How a card's lines on a set of somebody's own begin."""

_STARTS_WITHOUT_FACES = ("imagenet", "random")


class Origin(NamedTuple):
    """The parts of a card that follow from the training data."""

    data: tuple[str, ...]
    terms: str
    domain: str
    limits: tuple[str, ...]
    validated: tuple[Range, ...]


def origin_of(config: Config, data: Path, failures: Path | None = None) -> Origin:
    """What a card says of the data of ``config``, at ``data``, of which ``failures`` were gone over again."""
    if config.set is None:
        return Origin((*_research_data(data), *_before(config)), _TERMS, _DOMAIN, _LIMITS, VALIDATED)
    name = data.resolve().name
    return Origin(
        data=(*_described(data, divided(data, failures)), *_before(config)),
        terms="Not stated by the trainer.",
        domain=N_(
            "Faces and manipulations of the kinds in the data set %(data_set)s, given by whoever trained the "
            "model. What these are, its owner knows; no other kind was measured."
        )
        % {"data_set": name},
        limits=(
            _UNSEEN,
            _NOT_EXAMINED,
            _ALIKE,
            N_("Thresholds of the verdict were chosen on other data than %(data_set)s.") % {"data_set": name},
            _UNMEASURED,
        ),
        validated=(),  # the shipped ranges are of other data
    )


def measured_limits(limits: Sequence[str]) -> tuple[str, ...]:
    """``limits`` of a card without that the model was not measured."""
    return tuple(limit.replace(_UNMEASURED_BEFORE, ".") for limit in limits if limit != _UNMEASURED)


def _before(config: Config) -> Iterator[str]:
    """That the recipe goes on from a model which has learnt from faces itself, if it does."""
    if config.start not in _STARTS_WITHOUT_FACES:
        yield f"Before that, what the model {config.start} was trained on: its card says what"


def _research_data(data: Path) -> Iterator[str]:
    """What a recipe without a set of its own learns from in the folder ``data``, a line for each set."""
    train, val = (_dfdc_crops(data.glob(f"dfdc-{split}.csv")) for split in ("train-*", "val"))
    yield (
        "Deepfake Detection Challenge training set: face crops of one frame a video, "
        f"{train['real']:,} unmanipulated and {train['fake']:,} manipulated; validation {val['real']:,} and "
        f"{val['fake']:,}, split by source video"
    )
    with opened_zip(data / "photos-real.zip") as photos:
        names = Counter(name.split("/")[0] for name in photos.namelist() if name.endswith(".jpg"))
    yield f"Labeled Faces in the Wild: {names['lfw']:,} photographs, one a person"
    yield f"UTKFace: {names['utkface']:,} photographs of adults"
    clips = len(clip_names(data / "videos"))
    yield (
        f"{clips} clips of real people talking (driving clips and others), presumed "
        f"unmanipulated, {FRAMES_A_CLIP} frames each"
    )


def _dfdc_crops(listed: Iterable[Path]) -> Counter[str]:
    """How many crops of each label there are in lists that lie beside their zips."""
    return Counter(row["label"] for path in listed for row in read_csv(path))


def _described(data: Path, parts: Divided) -> list[str]:
    """One line for each split: how many of what, of how many groups; and one for failures."""
    name = data.resolve().name
    again = Counter(item.split for item in parts.hard)
    splits = (
        ("training", [item for item in dict.fromkeys(parts.train) if item not in _moved(parts)]),
        ("validation", parts.held_out),
        ("test", parts.test),
    )
    lines = [f"{DATA_SET}{name}, {words} split: {_counted(some)}" for words, some in splits if some]
    if parts.hard:
        lines.append(
            "Gone over again, since a model was wrong on them, the worse the oftener: "
            f"{again['train']:,} of the training split and {again['val']:,} of the validation split, whose "
            "groups it holds no longer"
        )
    return lines


def _moved(parts: Divided) -> set[Item]:
    """Failures of the validation split, as they stand in the training split."""
    return {replace(item, split="train") for item in parts.hard if item.split == "val"}


def _counted(some: Sequence[Item]) -> str:
    videos = sum(item.is_video for item in some)
    labels = Counter(item.label for item in some)
    kinds = [f"{count:,} {what}" for count, what in ((videos, "videos"), (len(some) - videos, "pictures"))
             if count]  # fmt: skip
    return (
        f"{' and '.join(kinds)}, {labels[0]:,} real and {labels[1]:,} manipulated, of "
        f"{len({item.group for item in some}):,} groups"
    )
