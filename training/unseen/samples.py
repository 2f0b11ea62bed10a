"""Crops of clips and photographs that tokens and features are made of, plain and degraded.

A *set* is a list of samples by name, such as ``clips-head``; the order and every random draw follow from the
patches (:mod:`training.second_look.examples.patches`) and their names, so a set is the same each
time. Crops are framed as the second look frames them (:mod:`detector.faces.crop`).
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from detector.faces.crop import HEAD, INNER
from detector.media.frame import Image
from training.second_look.examples.patches import Patch
from training.second_look.examples.sampling import augmented_crop, plain_crop
from training.unseen.families import REAL, family_of

SIZE = 224  # px
FRAMES = 4  # of a clip
DEVELOP_FRAMES = 6  # of a clip of role `develop`

Draw = Callable[[], list[Image]]
"""Makes the crops of the samples."""


@dataclass(frozen=True)
class Sample:
    """One crop and what is known of it."""

    file: str
    frame: int
    family: str
    kind: str
    group: str
    role: str
    source: str
    origin: str
    variant: str  # plain, augmented, resaved

    @property
    def fake(self) -> bool:
        """Whether it is manipulated."""
        return self.family != REAL

    def as_row(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def sample_of(patch: Patch, variant: str) -> Sample:
    """What is known of ``patch``."""
    family, kind = family_of(patch.generator) if patch.fake else (REAL, REAL)
    return Sample(
        f"{patch.source}/{patch.file}", patch.frame, family, kind, patch.group, patch.role, patch.source,
        patch.origin, variant,
    )  # fmt: skip


def spread(patches: Iterable[Patch], train: int = FRAMES, develop: int = DEVELOP_FRAMES) -> list[Patch]:
    """Evenly spread patches of each file, ``train`` or ``develop`` of them by its role.

    The first of every file come first, then the second ones, and so on.
    """
    by_file: dict[tuple[str, str], list[Patch]] = defaultdict(list)
    for patch in patches:
        by_file[patch.source, patch.file].append(patch)
    chosen: list[tuple[int, Patch]] = []
    for patches_of_file in by_file.values():
        patches_of_file.sort(key=lambda patch: patch.frame)
        count = min(train if patches_of_file[0].role == "train" else develop, len(patches_of_file))
        places = ((np.arange(count) + 0.5) * len(patches_of_file) / count).astype(int)
        chosen += [(rank, patches_of_file[place]) for rank, place in enumerate(places)]
    chosen.sort(key=lambda row: row[0])
    return [patch for _, patch in chosen]


def seed_of(patch: Patch, purpose: str) -> int:
    """A seed that follows from the picture and the ``purpose`` alone."""
    return zlib.crc32(f"{patch.source}/{patch.file}/{patch.frame}/{patch.box}/{purpose}".encode())


def plain(patch: Patch, framing: int) -> tuple[list[Sample], Draw]:
    """The crop as at run time."""
    return [sample_of(patch, "plain")], lambda: [plain_crop(patch, framing, SIZE)]


def augmented(patch: Patch, framing: int) -> tuple[list[Sample], Draw]:
    """The crop jittered, mirrored and degraded."""

    def draw() -> list[Image]:
        rng = np.random.default_rng(seed_of(patch, "augmented"))
        return [augmented_crop(patch, framing, SIZE, rng)]

    return [sample_of(patch, "augmented")], draw


FRAMING_OF = {"head": HEAD, "inner": INNER}
