"""What one training example is: drawn, perhaps blended, framed, degraded.

Example number ``i`` depends on the seed and ``i`` alone, so a run that resumes sees
what it would have seen.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from detector.faces import SIDE_PER_BOX, Image, Square, cut
from detector.training.blending import self_blend, swap_blend
from detector.training.config import MixConfig
from detector.training.degrade import degrade
from detector.training.harvest import MARGIN, Sample, decode

# The DFDC crops' side in the units of `faces.SIDE_PER_BOX`; see there.
_DFDC_SIDE = 1.01


class Examples(Dataset[tuple[torch.Tensor, float]]):
    """Degraded crops, uint8 (3, size, size), and labels: 1.0 is manipulated."""

    def __init__(
        self, samples: list[Sample], mix: MixConfig, size: int, seed: int, first: int, last: int
    ) -> None:
        dfdc_real = [s for s in samples if s.framed and not s.label]
        outside = [s for s in samples if not s.framed]
        self._pools = {
            "dfdc_real": dfdc_real,
            "dfdc_fake": [s for s in samples if s.framed and s.label],
            "dfdc_self_blend": [s for s in dfdc_real if s.landmarks is not None],
            "other_real": outside,
            "other_self_blend": outside,
            "other_swap": outside,
        }
        shares = np.array([getattr(mix, kind) for kind in self._pools])
        if not np.isclose(shares.sum(), 1):
            raise ValueError(f"the shares of the mix add up to {shares.sum():.3f}, not 1")
        self._shares, self._size, self._seed = shares, size, seed
        self._first, self._last = first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, index: int) -> tuple[torch.Tensor, float]:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self._seed, self._first + index))
        kind = str(rng.choice(list(self._pools), p=self._shares))
        crop, label = self._draw(kind, rng)
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))), label

    def _draw(self, kind: str, rng: np.random.Generator) -> tuple[Image, float]:
        pool = self._pools[kind]
        sample = pool[rng.integers(len(pool))]
        image, label = decode(sample.data), float(sample.label)
        if kind.endswith("self_blend") and sample.landmarks is not None:
            image, label = self_blend(image, sample.landmarks, rng).image, 1.0
        elif kind == "other_swap" and sample.landmarks is not None:
            other = pool[rng.integers(len(pool))]
            assert other.landmarks is not None
            image = swap_blend(image, sample.landmarks, decode(other.data), other.landmarks, rng).image
            label = 1.0
        # Half of the examples keep the resolution they have; the rest pass through that
        # of a smaller face and through degradation at that size, as in a video.
        square = _jittered(image, sample.framed, rng)
        if rng.random() < 0.5:
            return cut(image, square, self._size), label
        small = int(np.exp(rng.uniform(np.log(48), np.log(200)))) // 2 * 2
        crop = degrade(cut(image, square, small), rng)
        how = cv2.INTER_AREA if small > self._size else int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        return cv2.resize(crop, (self._size, self._size), interpolation=how), label


def _jittered(image: Image, framed: bool, rng: np.random.Generator) -> Square:
    side = image.shape[0] if framed else image.shape[0] / MARGIN * (_DFDC_SIDE / SIDE_PER_BOX)
    x, y = image.shape[1] / 2 + rng.normal(0, 0.025, 2) * side
    return Square(float(x), float(y), side * float(rng.uniform(0.87, 1.04)), float(rng.uniform(-8, 8)))


def stacked(crops: list[Image]) -> NDArray[np.uint8]:
    """Crops (h, w, 3) to one array (n, 3, h, w)."""
    return np.stack(crops).transpose(0, 3, 1, 2)
