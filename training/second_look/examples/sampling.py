"""Sample training examples: draw sources and classes by their shares, and aligned clips in pairs."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from detector.face_blending import Mask
from detector.faces.crop import HEAD, INNER, Box, CropSquare, crop_square, head_square, inner_square
from detector.faces.patch import decode_jpeg
from detector.faces.windows import SIDE, cut_windows, native_windows
from detector.media.frame import Image
from training.data.crop_examples import Examples
from training.data.research_faces import Sample
from training.recipe import MixConfig
from training.second_look.examples.patches import (
    LIP_SYNC,
    NOT_ASKED,
    PICTURE,
    REENACTMENT,
    SWAP,
    TALKING_HEAD,
    Patch,
    require_training,
    targets,
)
from training.second_look.runs import TrainingExample
from training.synthesis.degradations import degrade, degrade_h264

# The inner framing in ready-made crops: side and centre in units of the crop, measured with CenterFace.
_IN_CROPS = {"dfdc": (0.96, 0.5, 0.5), "ffpp": (0.90, 0.5, 0.555)}
_WITHOUT_VIDEO = {"stills", "lfw", "utkface"}
_CLEAN = 0.55  # share of examples of footage that are not degraded
_PHOTOGRAPH, _RESAVED = 0.6, 0.25  # shares of photographs: without a video codec; saved again
_TWICE = 0.3  # share of photographs saved again that are saved twice
_WEBP = 0.15  # share of savings of whole photographs that are WebP
_AS_VIDEO = 0.85  # share of the other photographs that go through a video codec
_LARGEST = 240  # px; of a degraded crop
_NO_MASK: Mask = np.zeros((1, 1), np.float32)


def square_of(patch: Patch, framing: int, rng: np.random.Generator | None = None) -> CropSquare:
    """Return the square of ``framing`` in ``patch``, jittered by ``rng`` for training."""
    scale, dx, dy, turn = 1.0, 0.0, 0.0, 0.0
    if rng is not None:
        scale, turn = float(rng.uniform(0.9, 1.1)), float(rng.uniform(-8, 8))
        dx, dy = (float(v) for v in rng.normal(0, 0.025, 2))
    if patch.box is None:
        side, x, y = _IN_CROPS[patch.source]
        side *= patch.width
        return CropSquare(x * patch.width + dx * side, y * patch.height + dy * side, side * scale, turn)
    if framing == INNER:
        return inner_square(patch.box, patch.roll, scale, dx, dy, turn)
    if rng is not None:
        scale = float(rng.uniform(0.8, 1.08))
    return head_square(patch.box, patch.width, patch.height, scale, 1.8 * dx, 1.8 * dy)


def plain_crop(patch: Patch, framing: int, size: int) -> Image:
    """Make a crop in the same way as the engine."""
    return crop_square(decode_jpeg(patch.data), square_of(patch, framing), size)


def crops_of_windows(image: Image, box: Box, still: bool = False) -> list[Image]:
    """Return the crops of all windows of the face in ``box``; ``still`` for a photograph."""
    height, width = image.shape[:2]
    head = crop_square(image, head_square(box, width, height), SIDE)
    return [*native_windows(cut_windows(image, box, still)), head]


def resaved_crop(patch: Patch, framing: int, size: int, rng: np.random.Generator) -> Image:
    """Crop a photograph as a platform shares it: the whole picture reduced, saved once or twice; jittered."""
    image = decode_jpeg(patch.data)
    if (share := float(np.exp(rng.uniform(np.log(0.45), 0.05)))) < 1:
        interpolation = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_CUBIC
        image = cv2.resize(image, None, fx=share, fy=share, interpolation=interpolation)
    for _ in range(1 + int(rng.random() < _TWICE)):
        webp = rng.random() < _WEBP
        ending, key = (".webp", cv2.IMWRITE_WEBP_QUALITY) if webp else (".jpg", cv2.IMWRITE_JPEG_QUALITY)
        data = cv2.imencode(ending, np.ascontiguousarray(image), [key, int(rng.uniform(50, 96))])[1]
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    height, width = image.shape[:2]
    box = None if patch.box is None else cast(Box, tuple(edge * width / patch.width for edge in patch.box))
    smaller = dataclasses.replace(patch, width=width, height=height, box=box)
    crop = crop_square(image, square_of(smaller, framing, rng), size)
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)


def augmented_crop(patch: Patch, framing: int, size: int, rng: np.random.Generator) -> Image:
    """Make a training crop; random draws depend on the source, not on the label."""
    image = decode_jpeg(patch.data)
    square = square_of(patch, framing, rng)
    if patch.source in _WITHOUT_VIDEO and (kind := rng.random()) < _PHOTOGRAPH:
        resaved = kind >= _PHOTOGRAPH - _RESAVED
        crop = _resaved(image, square, size, rng) if resaved else crop_square(image, square, size)
        return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)
    mirrored, clean = rng.random() < 0.5, rng.random() < _CLEAN
    shrink, linear = float(rng.uniform(np.log(0.45), 0.0)), bool(rng.random() < 0.5)
    if clean and patch.source not in _WITHOUT_VIDEO:
        crop = crop_square(image, square, size)
    else:
        native = min(square.side, patch.native or square.side) * np.exp(shrink)
        crop = crop_square(image, square, int(np.clip(native, 56, _LARGEST)) // 2 * 2)
        crop = _at_size(degrade(_through_video(crop, patch, rng), rng), size, linear)
    return np.ascontiguousarray(crop[:, ::-1] if mirrored else crop)


def degrade_crop(crop: Image, patch: Patch, size: int, rng: np.random.Generator) -> Image:
    """Degrade an existing ``crop`` of ``patch`` much as :func:`augmented_crop` does."""
    return degrade_crop_with_mask(crop, _NO_MASK, patch, size, rng)[0]


def degrade_crop_with_mask(
    crop: Image, mask: Mask, patch: Patch, size: int, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Degrade a crop, and mirror a ``mask`` of any size with it."""
    crop = _through_video(crop, patch, rng)
    if rng.random() >= _CLEAN:
        side = int(np.clip(crop.shape[0] * np.exp(rng.uniform(np.log(0.45), 0.0)), 56, _LARGEST)) // 2 * 2
        crop = degrade(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), rng)
    crop = _at_size(crop, size, linear=rng.random() < 0.5)
    if rng.random() < 0.5:
        crop, mask = crop[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(crop), mask


def _through_video(crop: Image, patch: Patch, rng: np.random.Generator) -> Image:
    """Encode most crops of photographs with a video codec; footage is already encoded."""
    if patch.source in _WITHOUT_VIDEO and rng.random() < _AS_VIDEO:
        return degrade_h264(crop, rng)
    return crop


def _at_size(crop: Image, size: int, linear: bool) -> Image:
    enlargement = cv2.INTER_LINEAR if linear else cv2.INTER_CUBIC
    interpolation = cv2.INTER_AREA if crop.shape[0] > size else enlargement
    return cv2.resize(crop, (size, size), interpolation=interpolation)


def _resaved(image: Image, square: CropSquare, size: int, rng: np.random.Generator) -> Image:
    """Return a crop like a photograph shared on a platform: reduced, and saved as JPEG once or twice."""
    side = int(np.clip(square.side * np.exp(rng.uniform(np.log(0.5), 0.0)), 64, _LARGEST)) // 2 * 2
    crop = crop_square(image, square, side)
    for _ in range(1 + int(rng.random() < _TWICE)):
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(50, 96))]
        data = cv2.imencode(".jpg", np.ascontiguousarray(crop), quality)[1]
        crop = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    enlargement = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    return cv2.resize(crop, (size, size), interpolation=enlargement)


# Shares of (pool, framing). Both classes of a pool are drawn equally often.
SHARES = {
    ("ffpp", INNER): 0.24,
    ("dfdc", INNER): 0.13,
    ("aligned", INNER): 0.13,
    ("deepfacelive", INNER): 0.05,
    ("lips", INNER): 0.09,
    ("talking", INNER): 0.10,
    ("photos", INNER): 0.02,
    ("stills", INNER): 0.05,
    ("aligned", HEAD): 0.03,
    ("deepfacelive", HEAD): 0.02,
    ("lips", HEAD): 0.03,
    ("talking", HEAD): 0.05,
    ("stills", HEAD): 0.05,
    ("photos", HEAD): 0.01,
}

# Both framings, for the transformer's last training; whole heads show synthesis.
TRANSFORMER_SHARES = {
    ("ffpp", INNER): 0.20,
    ("dfdc", INNER): 0.14,
    ("aligned", INNER): 0.10,
    ("deepfacelive", INNER): 0.04,
    ("lips", INNER): 0.06,
    ("talking", INNER): 0.04,
    ("stills", INNER): 0.02,
    ("talking", HEAD): 0.10,
    ("stills", HEAD): 0.10,
    ("photos", HEAD): 0.04,
    ("lips", HEAD): 0.03,
    ("aligned", HEAD): 0.02,
    ("deepfacelive", HEAD): 0.01,
}
TRANSFORMER_BLENDS = 0.1  # share of blends; the other examples have the shares above

# Whole heads only, for the transformer's first training.
HEAD_SHARES = {
    ("aligned", HEAD): 0.13,
    ("deepfacelive", HEAD): 0.07,
    ("lips", HEAD): 0.15,
    ("talking", HEAD): 0.30,
    ("stills", HEAD): 0.25,
    ("photos", HEAD): 0.10,
}

# Inner faces only, for the head `altered`. A head learns alterations from sets of many people who were filmed
# alike and altered in many ways; from a few clips of each place it learns the places.
ALTERED_SHARES = {
    ("ffpp", INNER): 0.45,
    ("dfdc", INNER): 0.45,
    ("aligned", INNER): 0.04,
    ("lips", INNER): 0.04,
    ("deepfacelive", INNER): 0.02,
}

_Files = dict[str, list[Patch]]  # by file
_Places = dict[str, _Files]  # by generator, or by origin of unmanipulated footage


@dataclass(frozen=True)
class Example:
    """A patch of role ``train``, its framing, and the seed of its jitter and degradation.

    Raises :class:`~training.second_look.examples.patches.RoleError` for a patch of another role.
    """

    patch: Patch
    framing: int
    seed: int

    def __post_init__(self) -> None:
        require_training([self.patch], None)

    @property
    def where(self) -> None:
        """Always None, because the altered areas are unknown."""

    @property
    def targets(self) -> tuple[int, ...]:
        return targets(self.patch.generator, self.patch.fake)

    def crop(self, size: int) -> Image:
        """Return the crop, jittered and degraded."""
        return augmented_crop(self.patch, self.framing, size, np.random.default_rng(self.seed))


class Sampler:
    """Draws lists of one or two examples from ``patches``, all of role ``train``.

    Pools without patches are ignored in ``shares``.
    """

    def __init__(
        self,
        patches: Iterable[Patch],
        shares: Mapping[tuple[str, int], float] = SHARES,
    ) -> None:
        pools: dict[str, dict[bool, _Places]] = defaultdict(lambda: {False: {}, True: {}})
        self._aligned: dict[tuple[str, int], _Files] = defaultdict(lambda: defaultdict(list))
        for patch in patches:
            require_training([patch], None)
            file = patch.file if patch.source in {"clips", "videos"} else ""
            for pool in _pools(patch):
                place = pools[pool][patch.fake].setdefault(place_of(patch), {})
                place.setdefault(file, []).append(patch)
            if patch.aligned:
                self._aligned[patch.aligned, patch.frame][patch.generator].append(patch)
        self._pools = pools
        self._kinds = [kind for kind in shares if kind[0] in pools]
        weights = np.array([shares[kind] for kind in self._kinds])
        self._weights = weights / weights.sum()

    def counts(self) -> dict[str, tuple[int, int]]:
        """Count the patches (real, fake) of each pool."""
        return {
            name: (_count(classes[False]), _count(classes[True])) for name, classes in self._pools.items()
        }

    def batch(self, rng: np.random.Generator, count: int) -> list[Example]:
        """Draw ``count`` examples."""
        out: list[Example] = []
        while len(out) < count:
            out += self.draw(rng)
        return out[:count]

    def draw(self, rng: np.random.Generator) -> list[Example]:
        """Draw one example; for aligned clips also the same frame of the other class, degraded alike."""
        pool, framing = self._kinds[rng.choice(len(self._kinds), p=self._weights)]
        seed = int(rng.integers(2**31))
        by_class = self._pools[pool]
        fake = bool(rng.random() < 0.5) and bool(by_class[True])
        patch = _choose(by_class[fake or not by_class[False]], rng)
        if framing == HEAD and patch.source == "utkface":
            framing = INNER  # these are cut too tightly to show a head
        examples = [Example(patch, framing, seed)]
        if patch.aligned:
            counterparts = self._aligned[patch.aligned, patch.frame]
            names = [name for name in counterparts if (name != "none") != patch.fake]
            if names:
                patches = counterparts[names[rng.integers(len(names))]]
                examples.append(Example(patches[0], framing, seed))
        return examples


def _pools(patch: Patch) -> list[str]:
    """Return the pools of a training patch; other footage can belong to two pools."""
    if patch.source in {"ffpp", "dfdc", "stills"}:
        return [patch.source]
    if patch.source in {"lfw", "utkface"}:
        return ["photos"]
    if patch.group.startswith("ffpp"):
        return ["aligned"]
    if patch.group == "deepfacelive":
        return ["deepfacelive"]
    if patch.family == LIP_SYNC:
        return ["lips"]
    if patch.family in {TALKING_HEAD, PICTURE}:
        return ["talking"]
    return ["aligned"] if patch.family in {SWAP, REENACTMENT} else ["lips", "talking"]


def place_of(patch: Patch) -> str:
    """Return the generator, or the origin of unmanipulated footage: all are drawn equally often."""
    if patch.fake:
        return patch.generator
    return {"clips": patch.origin, "stills": patch.generator}.get(patch.source, patch.source)


def _choose(places: _Places, rng: np.random.Generator) -> Patch:
    names = list(places)
    # A compromise between equal generators and equal clips: the square root of the number of clips.
    weights = np.sqrt([len(places[name]) for name in names])
    files = places[names[rng.choice(len(names), p=weights / weights.sum())]]
    patches = files[list(files)[rng.integers(len(files))]]
    return patches[rng.integers(len(patches))]


def _count(places: _Places) -> int:
    return sum(len(patches) for files in places.values() for patches in files.values())


MIX = MixConfig(
    dfdc_real=0.2,
    dfdc_fake=0.0,
    dfdc_self_blend=0.22,
    other_real=0.28,
    other_self_blend=0.2,
    other_swap=0.04,
    other_reenacted=0.06,
)
HIDDEN = 0.1  # share of blends with a part hidden


@dataclass(frozen=True)
class Blended:
    """An inner face made by :class:`~training.data.crop_examples.Examples`."""

    image: Image
    targets: tuple[int, ...]
    where: NDArray[np.float32]
    framing: int = INNER

    def crop(self, size: int) -> Image:
        assert self.image.shape[0] == size
        return self.image


class WithBlends:
    """Examples of ``patches``, drawn by ``shares``, and a share ``blends`` of blends made from ``samples``.

    A blend is altered; the question *synthesised* is not asked.
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

    def batch(self, rng: np.random.Generator, count: int) -> list[TrainingExample]:
        """Draw ``count`` examples."""
        blends = round(self._share * count)
        examples: list[TrainingExample] = [*self.sampler.batch(rng, count - blends)]
        for _ in range(blends):
            crop, label, mask, *_ = self._blends[int(rng.integers(2**31))]
            assert isinstance(crop, Tensor) and isinstance(mask, Tensor)
            targets = (1, NOT_ASKED) if label else (0, 0)
            examples.append(Blended(crop.permute(1, 2, 0).numpy(), targets, mask.numpy()))
        return examples
