"""Pairs of examples that differ in one property: a face, and the same face blended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from detector.face_blending import TEMPLATE, Mask
from detector.faces.crop import INNER, crop_square
from detector.faces.patch import decode_jpeg
from detector.media.frame import Image
from training.second_look.examples.patches import Patch, require_training
from training.second_look.examples.sampling import degrade_crop, degrade_crop_with_mask, square_of
from training.synthesis.blending import self_blend_pair


class Pair(Protocol):
    """A face that is framed and degraded alike before and after a change."""

    def crops(self, size: int) -> tuple[Image, Image]:
        """Return it before and after the change, (size, size, 3)."""
        ...


def pair_crops(pairs: Iterable[Pair], size: int) -> Iterator[Image]:
    """Yield the crops of all pairs, before and after the change in turn."""
    for pair in pairs:
        yield from pair.crops(size)


_SIDE = 256  # px, at which a face is blended
_BLEND_SEED = 41


@dataclass(frozen=True)
class BlendPair:
    """An unmanipulated inner face of role ``train``, to be blended with an altered copy of itself."""

    patch: Patch
    seed: int

    def __post_init__(self) -> None:
        require_training([self.patch], None)

    def crops(self, size: int) -> tuple[Image, Image]:
        """Return it without and with the blend, (size, size, 3)."""
        return self.masked(size, 1)[:2]

    def masked(self, size: int, cells: int) -> tuple[Image, Image, Mask]:
        """Return them with the blended share of each of ``cells`` × ``cells`` equal parts of the second.

        Both are changed in colour and sharpness and degraded alike, so that the blend is the only sign.
        """
        rng = np.random.default_rng(self.seed)
        face = crop_square(decode_jpeg(self.patch.data), square_of(self.patch, INNER, rng), _SIDE)
        landmarks = (TEMPLATE * _SIDE).astype(np.float32)  # where an inner face has them
        without, blend = self_blend_pair(face, landmarks, rng)
        mask = cv2.resize(blend.mask, (cells, cells), interpolation=cv2.INTER_AREA)
        first = degrade_crop(without, self.patch, size, rng)
        return first, *degrade_crop_with_mask(blend.image, mask, self.patch, size, rng)


def blend_pairs(patches: Sequence[Patch], counts: dict[str, int], seed: int = _BLEND_SEED) -> list[BlendPair]:
    """Choose up to ``counts`` of the unmanipulated ``patches`` of each source."""
    rng = np.random.default_rng(seed)
    pairs = []
    for source, count in counts.items():
        faces = [patch for patch in patches if patch.source == source and not patch.fake]
        for row in rng.permutation(len(faces))[:count].tolist():
            pairs.append(BlendPair(faces[row], int(rng.integers(2**31))))
    return pairs
