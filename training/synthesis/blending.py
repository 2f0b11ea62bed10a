"""Pseudo-fakes: faces blended from real photographs, with a known mask.

Self-blended images (Shiohara and Yamasaki, CVPR 2022) blend a face with a slightly altered copy of itself, so
that only the traces of blending distinguish the classes. Swaps of two people's faces (Face X-ray, Li et al.,
CVPR 2020) and blends of mouth or eyes alone, as left by reenactment and lip-sync, complement them. Images are
RGB uint8 of any size; landmarks are (5, 2) pixels; masks are float32 in [0, 1] of the image's size.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from detector.face_blending import OUTLINE, Mask, align, carry, face_outline, limit_detail, match_colour, warp
from detector.faces.crop import Landmarks
from detector.media.frame import Image

# Parts that some methods alter alone: centre and half axes of an ellipse.
PARTS = {
    "mouth": ((0.51, 0.74), (0.27, 0.17)),
    "eyes": ((0.51, 0.30), (0.38, 0.13)),
    "lower face": ((0.51, 0.72), (0.36, 0.25)),
}


# Places that an expression moves, and their radius: mouth corners, lips, chin, brows.
_MOVING = (
    ((0.35, 0.70), 0.10), ((0.67, 0.70), 0.10), ((0.51, 0.66), 0.09), ((0.51, 0.77), 0.10),
    ((0.51, 0.88), 0.14), ((0.31, 0.24), 0.10), ((0.71, 0.24), 0.10),
)  # fmt: skip


class Blend(NamedTuple):
    """A pseudo-fake and its mask."""

    image: Image
    mask: Mask


def face_mask(shape: tuple[int, int], landmarks: Landmarks, rng: np.random.Generator) -> Mask:
    """Return a deformed, softened mask of the face or, one time in four, of a part of it."""
    side = float(np.ptp(face_outline(landmarks), axis=0).max())
    if rng.random() < 0.25:
        (cx, cy), (ax, ay) = PARTS[str(rng.choice(list(PARTS)))]
        turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        unit = np.stack([cx + ax * np.cos(turn), cy + ay * np.sin(turn)], axis=1).astype(np.float32)
    else:
        unit = OUTLINE
    points = carry(unit, landmarks)
    centre = points.mean(axis=0)
    points = centre + (points - centre) * rng.uniform(0.78, 1.06)
    points += rng.normal(0, 0.025 * side, points.shape)
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [cv2.convexHull(points.astype(np.float32)).astype(np.int32)], 1.0)
    mask = _elastic(mask, rng, 0.05 * side)
    # Softening twice, the second time after a threshold shift, moves the seam in and out
    # as published pipelines' erosion and dilation do.
    first, second = rng.uniform(0.01, 0.12, 2) * side
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.6, first))
    if rng.random() < 0.5:
        mask = np.clip((mask - rng.uniform(0.05, 0.5)) * 2.5, 0, 1)
        mask = cv2.GaussianBlur(mask, (0, 0), max(0.6, second * 0.5))
    return mask / max(1e-6, float(mask.max()))


def self_blend(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Blend:
    """Blend ``image`` with an altered copy of itself."""
    return self_blend_pair(image, landmarks, rng)[1]


def self_blend_pair(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> tuple[Image, Blend]:
    """Return the target of a self-blend, and the blend.

    Colour and sharpness of both are changed alike, so that only the blend distinguishes them.
    """
    source, target = image, image
    if rng.random() < 0.5:
        source = _recoloured(source, rng)
    else:
        target = _recoloured(target, rng)
    if rng.random() < 0.5:
        source = _resharpened(source, rng)
    else:
        target = _resharpened(target, rng)
    if rng.random() < 0.35:
        source = limit_detail(source, landmarks, rng)
    if rng.random() < 0.3:
        source = change_expression(source, landmarks, rng)
    side = float(np.ptp(face_outline(landmarks), axis=0).max())
    move = cv2.getRotationMatrix2D(
        tuple(map(float, landmarks.mean(axis=0))), rng.normal(0, 1.5), rng.uniform(0.95, 1.05)
    )
    move[:, 2] += rng.uniform(-0.03, 0.03, 2) * side
    source = warp(source, move, image.shape[:2])
    return target, _blended(source, target, face_mask(image.shape[:2], landmarks, rng), rng)


def swap_blend(
    image: Image, landmarks: Landmarks, other: Image, other_landmarks: Landmarks, rng: np.random.Generator
) -> Blend:
    """Blend the face of ``other`` into ``image``, colour-matched as face-swap programs do."""
    aligned = align(other, other_landmarks, landmarks, image.shape[:2])
    mask = face_mask(image.shape[:2], landmarks, rng)
    aligned = match_colour(aligned, image, mask, float(rng.uniform(0.6, 1.0)))
    if rng.random() < 0.7:
        aligned = limit_detail(aligned, landmarks, rng)
    return _blended(aligned, image, mask, rng, least=0.7)


def change_expression(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """Change the expression of ``image`` by a smooth warp of mouth, brows and jaw.

    Reenactment keeps the identity and changes the expression; the seam and the redrawn skin remain.
    """
    side = float(np.ptp(face_outline(landmarks), axis=0).max())
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved_x, moved_y = x.copy(), y.copy()
    for place, spread in _MOVING:
        if rng.random() < 0.3:
            continue
        ((cx, cy),) = carry(np.array([place], np.float32), landmarks)
        reach = np.float32(spread * side)
        bump = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * reach**2))
        dx, dy = rng.normal(0, 0.22, 2).clip(-0.4, 0.4) * reach
        moved_x += np.float32(0.6 * dx) * bump
        moved_y += np.float32(dy) * bump
    return cv2.remap(image, moved_x, moved_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _blended(
    source: Image, target: Image, mask: Mask, rng: np.random.Generator, least: float = 0.25
) -> Blend:
    mask = mask * np.float32(rng.choice([v for v in (0.25, 0.5, 0.75, 1.0, 1.0, 1.0) if v >= least]))
    weight = mask[..., None]
    out = source.astype(np.float32) * weight + target.astype(np.float32) * (1 - weight)
    return Blend(np.clip(out + 0.5, 0, 255).astype(np.uint8), mask)


def _elastic(mask: Mask, rng: np.random.Generator, strength: float) -> Mask:
    height, width = mask.shape
    coarse = rng.normal(0, strength, (2, 5, 5)).astype(np.float32)
    dx, dy = (cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in coarse)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(mask, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _recoloured(image: Image, rng: np.random.Generator) -> Image:
    out = image.astype(np.float32) + rng.uniform(-18, 18, 3).astype(np.float32)
    out = (out - 127.5) * np.float32(rng.uniform(0.88, 1.12)) + 127.5 + np.float32(rng.uniform(-14, 14))
    grey = out @ np.array([0.299, 0.587, 0.114], np.float32)
    out = grey[..., None] + (out - grey[..., None]) * np.float32(rng.uniform(0.7, 1.3))
    return np.clip(out, 0, 255).astype(np.uint8)


def _resharpened(image: Image, rng: np.random.Generator) -> Image:
    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(image, (0, 0), 1.5)
        return cv2.addWeighted(image, 1 + (amount := float(rng.uniform(0.2, 0.8))), soft, -amount, 0)
    height, width = image.shape[:2]
    scale = float(rng.uniform(0.3, 0.8))
    small = cv2.resize(
        image, (max(8, int(width * scale)), max(8, int(height * scale))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
