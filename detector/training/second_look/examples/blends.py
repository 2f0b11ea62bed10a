"""Training examples that no generator made, mixed with those of the patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from detector.faces.framing import INNER
from detector.media.frame import Image
from detector.training.config import MixConfig
from detector.training.data.crop_examples import Examples
from detector.training.data.face_samples import Sample
from detector.training.second_look.examples.kinds import UNASKED
from detector.training.second_look.examples.patches import Patch
from detector.training.second_look.examples.sampling import Sampler
from detector.training.second_look.scan_loop import Drawn

MIX = MixConfig(
    dfdc_real=0.2,
    dfdc_fake=0.0,
    dfdc_self_blend=0.22,
    other_real=0.28,
    other_self_blend=0.2,
    other_swap=0.04,
    other_reenacted=0.06,
)
HIDDEN = 0.1  # share of these with a part hidden


@dataclass(frozen=True)
class Blended:
    """An inner face as :class:`~detector.training.data.crop_examples.Examples` makes it."""

    image: Image
    targets: tuple[int, ...]
    where: NDArray[np.float32]
    framing: int = INNER

    def crop(self, size: int) -> Image:
        assert self.image.shape[0] == size
        return self.image


class WithBlends:
    """Examples of ``patches``, drawn by ``shares``; of all, the share ``blends`` is made of ``samples``.

    Of a blend it is known that it is altered, not whether it is synthesised.
    """

    def __init__(
        self,
        patches: Sequence[Patch],
        samples: list[Sample],
        size: int,
        seed: int,
        shares: Mapping[tuple[str, int], float],
        blends: float,
    ) -> None:
        self.sampler = Sampler(patches, shares=shares)
        self._blends = Examples(samples, MIX, size, seed, 0, 2**31, HIDDEN)
        self._share = blends

    def batch(self, rng: np.random.Generator, count: int) -> list[Drawn]:
        """So many examples."""
        blends = round(self._share * count)
        drawn: list[Drawn] = [*self.sampler.batch(rng, count - blends)]
        for _ in range(blends):
            crop, label, where, *_ = self._blends[int(rng.integers(2**31))]
            assert isinstance(crop, Tensor) and isinstance(where, Tensor)
            targets = (1, UNASKED) if label else (0, 0)
            drawn.append(Blended(crop.permute(1, 2, 0).numpy(), targets, where.numpy()))
        return drawn
