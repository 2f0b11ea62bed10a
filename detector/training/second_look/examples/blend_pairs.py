"""Unmanipulated inner faces, and the same faces blended with an altered copy of themselves.

Both of a pair were changed alike in colour and sharpness and are degraded alike: the blend is the only sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from detector.faces.crop import crop_square
from detector.faces.framing import INNER
from detector.faces.patch import decode
from detector.media.frame import Image
from detector.training.second_look.examples.crops import handed_on, handed_on_with_mask, square_of
from detector.training.second_look.examples.patches import Patch, require_training
from detector.training.synthesis.blending import TEMPLATE, Mask, self_blend_pair

_SIDE = 256  # px, at which a face is blended
_SEED = 41


@dataclass(frozen=True)
class BlendPair:
    """An unmanipulated inner face of role ``train`` without and with a blend; what is drawn follows from
    ``seed``. Raises :class:`~detector.training.second_look.examples.patches.RoleError` for another role."""

    patch: Patch
    seed: int

    def __post_init__(self) -> None:
        require_training([self.patch], None)

    def crops(self, size: int) -> tuple[Image, Image]:
        """Without and with it, (size, size, 3)."""
        return self.masked(size, 1)[:2]

    def masked(self, size: int, cells: int) -> tuple[Image, Image, Mask]:
        """The same, and how much of each of ``cells`` × ``cells`` equal parts of the second is blended."""
        rng = np.random.default_rng(self.seed)
        face = crop_square(decode(self.patch.data), square_of(self.patch, INNER, rng), _SIDE)
        landmarks = (TEMPLATE * _SIDE).astype(np.float32)  # where an inner face has them
        without, blend = self_blend_pair(face, landmarks, rng)
        mask = cv2.resize(blend.mask, (cells, cells), interpolation=cv2.INTER_AREA)
        first = handed_on(without, self.patch, size, rng)
        return first, *handed_on_with_mask(blend.image, mask, self.patch, size, rng)


def blend_pairs(patches: Sequence[Patch], counts: dict[str, int], seed: int = _SEED) -> list[BlendPair]:
    """So many of the unmanipulated ``patches`` of each source, or all there are."""
    rng = np.random.default_rng(seed)
    pairs = []
    for source, count in counts.items():
        faces = [patch for patch in patches if patch.source == source and not patch.fake]
        for row in rng.permutation(len(faces))[:count].tolist():
            pairs.append(BlendPair(faces[row], int(rng.integers(2**31))))
    return pairs
