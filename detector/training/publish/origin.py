"""What a model's card says of the data it was trained on: the research data, or a set of somebody's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from detector.schema.model import Range
from detector.training.config import Config
from detector.training.data.labelled_sets import Item, read_set
from detector.training.publish.error_rates import VALIDATED

_DATA = (
    "Deepfake Detection Challenge training set: face crops of one frame a video, 12,360 unmanipulated and "
    "20,400 manipulated; validation 600 and 600, test 1,000 and 1,000, split by source video",
    "Labeled Faces in the Wild: 1,500 photographs, one a person",
    "UTKFace: 2,200 photographs of adults",
    "22 clips of real people talking (driving clips and others), presumed unmanipulated, 40 frames each",
)
_TERMS = (
    "The data sets are for research; whoever trains or deploys on them is bound by their terms. "
    "These weights were trained by the Reelproof project and are shared under Apache-2.0."
)
_DOMAIN = (
    "Faces at least as wide as the smallest face judged, roughly frontal, in video or photographs: face "
    "swaps and reenactment of the kinds in the Deepfake Detection Challenge and FaceForensics++."
)
_LIMITS = (
    "Methods unlike those it was trained and measured on may go unseen.",
    "Reenactment that keeps the identity (Face2Face) is seen far less surely than face swaps, and mostly "
    "missed where it fills only part of a strongly compressed clip.",
    "Wholly synthetic faces (generated photographs of people who do not exist) were not measured.",
    "Sound, lip-sync to altered sound, and anything outside the face are not examined.",
    "Actors recur across the data set's videos, so its test figures flatter the model a little.",
    "Figures for strong compression (FaceForensics++ c40) rest on few clips of few people.",
    "Filters, make-up effects, heavy retouching and hard re-compression can look like manipulation.",
)

# What holds whatever a model was trained on.
_ALWAYS = (
    "Methods unlike those it was trained and measured on may go unseen.",
    "Sound, lip-sync to altered sound, and anything outside the face are not examined.",
    "Filters, make-up effects, heavy retouching and hard re-compression can look like manipulation.",
)

_STARTS_WITHOUT_FACES = ("imagenet", "random")


class Origin(NamedTuple):
    """The parts of a card that follow from the training data."""

    data: tuple[str, ...]
    terms: str
    domain: str
    limits: tuple[str, ...]
    validated: tuple[Range, ...]


def origin_of(config: Config, data: Path) -> Origin:
    """What a card says of the data of ``config``, which lies at ``data``."""
    if config.set is None:
        return Origin(_DATA, _TERMS, _DOMAIN, _LIMITS, VALIDATED)
    name = data.resolve().name
    described = tuple(_described(data, read_set(data)))
    if config.start not in _STARTS_WITHOUT_FACES:
        described += (f"Before that, what the model {config.start} was trained on: its card says what",)
    return Origin(
        data=described,
        terms="Not stated by the trainer.",
        domain=(
            f"Faces and manipulations of the kinds in the data set {name}, given by whoever trained the "
            "model. What these are, its owner knows; no other kind was measured."
        ),
        limits=(
            *_ALWAYS,
            f"Thresholds of the verdict were chosen on other data than {name}; its error rates are "
            "unknown until it is evaluated on a labelled set of its own.",
        ),
        validated=(),  # the shipped ranges are of other data
    )


def _described(data: Path, items: Sequence[Item]) -> list[str]:
    """One line for each split: how many of what, of how many groups."""
    lines, name = [], data.resolve().name
    for split, words in (("train", "training"), ("val", "validation"), ("test", "test")):
        some = [item for item in items if item.split == split]
        if not some:
            continue
        videos = sum(item.is_video for item in some)
        labels = Counter(item.label for item in some)
        kinds = [f"{count:,} {what}" for count, what in ((videos, "videos"), (len(some) - videos, "pictures"))
                 if count]  # fmt: skip
        lines.append(
            f"Data set {name}, {words} split: {' and '.join(kinds)}, {labels[0]:,} real and "
            f"{labels[1]:,} manipulated, of {len({item.group for item in some}):,} groups"
        )
    return lines
