"""From a patch to what the network sees: one of two framings, jittered and degraded in training."""

from __future__ import annotations

import dataclasses
from typing import cast

import cv2
import numpy as np

from detector.faces.crop import CropSquare, crop_square
from detector.faces.framing import INNER, Box, head_square, inner_square
from detector.faces.patch import decode
from detector.media.frame import Image
from detector.training.second_look.examples.patches import Patch
from detector.training.synthesis.blending import Mask
from detector.training.synthesis.degradations import degrade, degrade_h264

# The inner framing in ready-made crops: side and centre in units of the crop, measured with CenterFace.
_IN_CROPS = {"dfdc": (0.96, 0.5, 0.5), "ffpp": (0.90, 0.5, 0.555)}
_WITHOUT_VIDEO = {"stills", "lfw", "utkface"}
_CLEAN = 0.55  # share of examples of footage that are not degraded
_PHOTOGRAPH, _RESAVED = 0.6, 0.25  # share of photographs that no video codec passes; of all, saved again
_TWICE = 0.3  # share of those that are saved twice
_WEBP = 0.15  # share of savings of whole photographs that are WebP
_AS_VIDEO = 0.85  # share of the other photographs that go through a video codec
_LARGEST = 240  # px; of a degraded crop
_NO_MASK: Mask = np.zeros((1, 1), np.float32)


def square_of(patch: Patch, framing: int, rng: np.random.Generator | None = None) -> CropSquare:
    """The square of ``framing`` in ``patch``; with ``rng`` as a training example, jittered."""
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
    """The crop as at run time."""
    return crop_square(decode(patch.data), square_of(patch, framing), size)


def resaved_crop(patch: Patch, framing: int, size: int, rng: np.random.Generator) -> Image:
    """The crop of a photograph that a platform has handed on: the whole picture smaller, saved once or twice;
    jittered."""
    image = decode(patch.data)
    if (share := float(np.exp(rng.uniform(np.log(0.45), 0.05)))) < 1:
        how = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_CUBIC
        image = cv2.resize(image, None, fx=share, fy=share, interpolation=how)
    for _ in range(1 + int(rng.random() < _TWICE)):
        webp = rng.random() < _WEBP
        ending, key = (".webp", cv2.IMWRITE_WEBP_QUALITY) if webp else (".jpg", cv2.IMWRITE_JPEG_QUALITY)
        saved = cv2.imencode(ending, np.ascontiguousarray(image), [key, int(rng.uniform(50, 96))])[1]
        image = np.asarray(cv2.imdecode(saved, cv2.IMREAD_COLOR), np.uint8)
    height, width = image.shape[:2]
    box = None if patch.box is None else cast(Box, tuple(edge * width / patch.width for edge in patch.box))
    smaller = dataclasses.replace(patch, width=width, height=height, box=box)
    crop = crop_square(image, square_of(smaller, framing, rng), size)
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)


def augmented_crop(patch: Patch, framing: int, size: int, rng: np.random.Generator) -> Image:
    """A training example. What is drawn does not depend on the label, only on the source."""
    image = decode(patch.data)
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


def handed_on(crop: Image, patch: Patch, size: int, rng: np.random.Generator) -> Image:
    """A ``crop`` of ``patch`` that is already made, degraded much as :func:`augmented_crop` does."""
    return handed_on_with_mask(crop, _NO_MASK, patch, size, rng)[0]


def handed_on_with_mask(
    crop: Image, mask: Mask, patch: Patch, size: int, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """The same, and a ``mask`` of any size mirrored as the crop is."""
    crop = _through_video(crop, patch, rng)
    if rng.random() >= _CLEAN:
        side = int(np.clip(crop.shape[0] * np.exp(rng.uniform(np.log(0.45), 0.0)), 56, _LARGEST)) // 2 * 2
        crop = degrade(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), rng)
    crop = _at_size(crop, size, linear=rng.random() < 0.5)
    if rng.random() < 0.5:
        crop, mask = crop[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(crop), mask


def _through_video(crop: Image, patch: Patch, rng: np.random.Generator) -> Image:
    """``crop`` through a video codec, mostly, where it is of a photograph; footage has passed one."""
    if patch.source in _WITHOUT_VIDEO and rng.random() < _AS_VIDEO:
        return degrade_h264(crop, rng)
    return crop


def _at_size(crop: Image, size: int, linear: bool) -> Image:
    enlarging = cv2.INTER_LINEAR if linear else cv2.INTER_CUBIC
    how = cv2.INTER_AREA if crop.shape[0] > size else enlarging
    return cv2.resize(crop, (size, size), interpolation=how)


def _resaved(image: Image, square: CropSquare, size: int, rng: np.random.Generator) -> Image:
    """As a platform would hand a photograph on: smaller, and saved as JPEG once or twice."""
    side = int(np.clip(square.side * np.exp(rng.uniform(np.log(0.5), 0.0)), 64, _LARGEST)) // 2 * 2
    crop = crop_square(image, square, side)
    for _ in range(1 + int(rng.random() < _TWICE)):
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(50, 96))]
        saved = cv2.imencode(".jpg", np.ascontiguousarray(crop), quality)[1]
        crop = np.asarray(cv2.imdecode(saved, cv2.IMREAD_COLOR), np.uint8)
    enlarging = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    return cv2.resize(crop, (size, size), interpolation=enlarging)
