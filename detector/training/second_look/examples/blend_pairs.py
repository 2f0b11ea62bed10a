"""Unmanipulated inner faces, and the same faces blended with an altered copy of themselves.

Both of a pair were changed alike in colour and sharpness and are degraded alike: the blend is the only sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.faces.crop import crop_square
from detector.faces.framing import INNER
from detector.faces.patch import decode
from detector.media.frame import Image
from detector.training.second_look.examples.crops import handed_on, square_of
from detector.training.second_look.examples.patches import Patch, require_training
from detector.training.synthesis.blending import TEMPLATE, self_blend_pair

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
        rng = np.random.default_rng(self.seed)
        face = crop_square(decode(self.patch.data), square_of(self.patch, INNER, rng), _SIDE)
        landmarks = (TEMPLATE * _SIDE).astype(np.float32)  # where an inner face has them
        without, blend = self_blend_pair(face, landmarks, rng)
        return handed_on(without, self.patch, size, rng), handed_on(blend.image, self.patch, size, rng)


def blend_pairs(patches: Sequence[Patch], counts: dict[str, int]) -> list[BlendPair]:
    """So many of the unmanipulated ``patches`` of each source, or all there are."""
    rng = np.random.default_rng(_SEED)
    pairs = []
    for source, count in counts.items():
        faces = [patch for patch in patches if patch.source == source and not patch.fake]
        for row in rng.permutation(len(faces))[:count].tolist():
            pairs.append(BlendPair(faces[row], int(rng.integers(2**31))))
    return pairs
