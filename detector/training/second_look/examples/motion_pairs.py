"""Frames of unmanipulated clips, and the same frames made from another one of the clip by its motion.

What whole heads say of synthesis learns from them as well: generators that animate one picture move its
pixels, and a head that knows this tells those of them that nobody learnt from (docs/experiments.md). Both of
a pair are framed and degraded alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from detector.faces.crop import crop_square
from detector.faces.framing import HEAD
from detector.faces.patch import decode
from detector.media.frame import Image
from detector.training.second_look.examples.crops import handed_on, square_of
from detector.training.second_look.examples.patches import Patch, require_training
from detector.training.synthesis.motion_transfer import transferred

_CANDIDATES = 20  # pairs of frames of a clip that are tried
_APART = 3  # patches of a clip: so far apart are both frames at least
_ALIKE = 5.5  # levels: mean difference of a frame and what is made in its place, at most
_SEED = 43


@dataclass(frozen=True)
class MotionPair:
    """A frame of role ``train``, another one of the same clip, and the seed of what is drawn.

    Raises :class:`~detector.training.second_look.examples.patches.RoleError` for another role.
    """

    driving: Patch
    still: Patch
    seed: int

    def __post_init__(self) -> None:
        require_training([self.driving, self.still], None)

    @property
    def alike(self) -> bool:
        """Whether what is made resembles the frame. Where a head turns far it does not, as anyone can see."""
        frame, made = self._pictures()
        return float(np.abs(frame.astype(np.int16) - made).mean()) <= _ALIKE

    def crops(self, size: int) -> tuple[Image, Image]:
        """The whole head in the frame and in what is made, (size, size, 3)."""
        square = square_of(self.driving, HEAD, np.random.default_rng((self.seed, 1)))
        side = min(size, max(2, int(square.side) // 2 * 2))

        def shown(image: Image) -> Image:
            drawn = np.random.default_rng((self.seed, 2))  # alike for both
            return handed_on(crop_square(image, square, side), self.driving, size, drawn)

        frame, made = self._pictures()
        return shown(frame), shown(made)

    def _pictures(self) -> tuple[Image, Image]:
        """The frame as it is, and as made from the other one. Not kept: all pairs would fill memory."""
        frame = decode(self.driving.data)
        return frame, transferred(decode(self.still.data), frame, np.random.default_rng(self.seed))


def motion_pairs(patches: Iterable[Patch]) -> list[MotionPair]:
    """Pairs of the unmanipulated clips and videos among ``patches`` whose frames are alike."""
    clips = defaultdict[str, list[Patch]](list)
    for patch in patches:
        if patch.source in {"clips", "videos"} and not patch.fake:
            clips[patch.file].append(patch)
    rng = np.random.default_rng(_SEED)
    pairs = []
    for frames in clips.values():
        frames.sort(key=lambda patch: patch.frame)
        apart = [
            (driving, still)
            for row, driving in enumerate(frames)
            for other, still in enumerate(frames)
            if abs(row - other) >= _APART
        ]
        for row in rng.permutation(len(apart))[:_CANDIDATES].tolist():
            driving, still = apart[row]
            pair = MotionPair(driving, still, int(rng.integers(2**31)))
            if pair.alike:
                pairs.append(pair)
    return pairs
