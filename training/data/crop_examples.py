"""Training examples of single crops: drawn, sometimes blended, framed and degraded."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from detector.explain.hiding import hide
from detector.face_blending import Mask
from detector.faces.crop import SIDE_PER_BOX, CropSquare, crop_square
from detector.faces.patch import decode_jpeg
from detector.media.frame import Image
from training.data.labelled_sets import DataSetError
from training.data.research_faces import MARGIN, Sample
from training.recipe import MixConfig
from training.synthesis.blending import self_blend, swap_blend
from training.synthesis.degradations import degrade

UNKNOWN = -1.0  # in a map of manipulated places
CELL = 32  # px of the crop per place of that map: the network's last stride
_CLIP = 8  # a group of so many faces is a clip of one person, not a photo of several
_DFDC_SIDE = 1.01  # side of the DFDC crops in the units of `faces.SIDE_PER_BOX`


class Examples(Dataset[tuple[torch.Tensor | float, ...]]):
    """Degraded crops, uint8 (3, size, size); labels, 1.0 is manipulated; and maps of the blended places.

    A map has ``size / CELL`` places a side: the blended share of each, or ``UNKNOWN``. The share ``hidden``
    of all examples has a part blurred away. Example ``i`` depends only on the seed and ``i``, so a resumed
    run sees the same examples. Raises :class:`~training.data.labelled_sets.DataSetError` as
    :func:`refuse_empty` does.
    """

    def __init__(
        self,
        samples: list[Sample],
        mix: MixConfig,
        size: int,
        seed: int,
        first: int,
        last: int,
        hidden: float = 0.0,
    ) -> None:
        dfdc_real = [s for s in samples if s.framed and not s.label]
        outside = [s for s in samples if not s.framed]
        self._clips: dict[str, list[Sample]] = {}
        for s in outside:
            self._clips.setdefault(s.group, []).append(s)
        self._pools = {
            "dfdc_real": dfdc_real,
            "dfdc_fake": [s for s in samples if s.framed and s.label],
            "dfdc_self_blend": [s for s in dfdc_real if s.landmarks is not None],
            "other_real": outside,
            "other_self_blend": outside,
            "other_swap": outside,
            "other_reenacted": [s for s in outside if len(self._clips[s.group]) >= _CLIP],
        }
        for kind, pool in self._pools.items():
            refuse_empty(kind, getattr(mix, kind), pool)
        self._shares = np.array([getattr(mix, kind) for kind in self._pools])
        self._size, self._seed = size, seed
        self._first, self._last, self._hidden = first, last, hidden

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, index: int) -> tuple[torch.Tensor | float, ...]:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self._seed, self._first + index))
        kind = str(rng.choice(list(self._pools), p=self._shares))
        crop, label, where = self._draw(kind, rng)
        if rng.random() < self._hidden:
            crop = _partly_hidden(crop, where, rng)
        if rng.random() < 0.5:
            crop, where = crop[:, ::-1], where[:, ::-1]
        pixels = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))
        return pixels, label, torch.from_numpy(np.ascontiguousarray(where))

    def _draw(self, kind: str, rng: np.random.Generator) -> tuple[Image, float, Mask]:
        pool = self._pools[kind]
        sample = pool[rng.integers(len(pool))]
        image, label, blend = decode_jpeg(sample.data), float(sample.label), None
        if kind.endswith("self_blend") and sample.landmarks is not None:
            blend = self_blend(image, sample.landmarks, rng)
        elif kind in {"other_swap", "other_reenacted"} and sample.landmarks is not None:
            # Reenactment blends another moment of the same person, a swap blends another person.
            others = self._clips[sample.group] if kind == "other_reenacted" else pool
            other = others[rng.integers(len(others))]
            assert other.landmarks is not None
            blend = swap_blend(image, sample.landmarks, decode_jpeg(other.data), other.landmarks, rng)
        if blend is not None:
            image, label = blend.image, 1.0
        # Half of the examples keep their resolution; the rest pass through that of a smaller face and through
        # degradation at that size, as in a video.
        square = jittered_square(image, sample.framed, rng)
        where = np.full((self._size // CELL,) * 2, UNKNOWN if label else 0.0, np.float32)
        if blend is not None:
            where = _blended_shares(blend.mask / max(1e-6, float(blend.mask.max())), square, len(where))
        if rng.random() < 0.5:
            return crop_square(image, square, self._size), label, where
        small = int(np.exp(rng.uniform(np.log(48), np.log(200)))) // 2 * 2
        crop = degrade(crop_square(image, square, small), rng)
        how = cv2.INTER_AREA
        if small <= self._size:
            how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        return cv2.resize(crop, (self._size, self._size), interpolation=how), label, where


def refuse_empty(kind: str, share: float, pool: Sequence[object]) -> None:
    """Raise :class:`DataSetError` if a kind of example has a share but no faces to draw from."""
    if share and not pool:
        raise DataSetError(
            f"{kind} has a share of {share:g}, but there are no faces to make it from. Is the research "
            "folder complete (dfdc-train-*.zip with its CSV, photos-real.zip, videos)?"
        )


def _blended_shares(mask: Mask, square: CropSquare, places: int) -> Mask:
    """Frame ``mask`` like the crop and average it over ``places`` by ``places``."""
    pixels = (mask * 255).astype(np.uint8)
    framed = crop_square(np.repeat(pixels[..., None], 3, axis=2), square, 8 * places)[..., 0]
    return cv2.resize(framed.astype(np.float32) / 255, (places, places), interpolation=cv2.INTER_AREA)


def _partly_hidden(crop: Image, where: Mask, rng: np.random.Generator) -> Image:
    """Blur away a blob of 5 to 25 % of the crop, unless it covers most of the blend."""
    coarse, share = rng.normal(size=(4, 4)).astype(np.float32), rng.uniform(0.05, 0.25)
    hills = cv2.resize(coarse, crop.shape[:2], interpolation=cv2.INTER_CUBIC)
    mask = (hills > np.quantile(hills, 1 - share)).astype(np.float32)
    covered = cv2.resize(mask, where.shape[::-1], interpolation=cv2.INTER_AREA)
    if where.max() > 0 and (where * covered).sum() > 0.5 * where.sum():
        return crop
    return hide(crop, mask)


def jittered_square(image: Image, framed: bool, rng: np.random.Generator) -> CropSquare:
    """Return the square of a training example: a face's usual framing, moved, scaled and turned a little."""
    side = image.shape[0] if framed else image.shape[0] / MARGIN * (_DFDC_SIDE / SIDE_PER_BOX)
    x, y = image.shape[1] / 2 + rng.normal(0, 0.025, 2) * side
    return CropSquare(float(x), float(y), side * float(rng.uniform(0.87, 1.04)), float(rng.uniform(-8, 8)))


def stack_crops(crops: list[Image]) -> NDArray[np.uint8]:
    """Stack crops (h, w, 3) into one array (n, 3, h, w)."""
    return np.stack(crops).transpose(0, 3, 1, 2)
