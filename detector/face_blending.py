"""Blend faces into photographs with a known mask, for the demonstration clip and for training."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Landmarks
from detector.media.frame import Image

Mask = NDArray[np.float32]

# A frontal face in a unit square: eyes, nose, mouth corners (medians over the crops)
# and, in the same units, the outline from brow to chin.
TEMPLATE = np.array([[0.31, 0.30], [0.71, 0.30], [0.51, 0.52], [0.35, 0.70], [0.67, 0.70]], np.float32)
OUTLINE = np.array(
    [
        [0.10, 0.25], [0.09, 0.42], [0.12, 0.60], [0.20, 0.77], [0.34, 0.90], [0.51, 0.95],
        [0.68, 0.90], [0.82, 0.77], [0.90, 0.60], [0.93, 0.42], [0.92, 0.25], [0.80, 0.16],
        [0.66, 0.12], [0.51, 0.13], [0.36, 0.12], [0.22, 0.16],
    ],
    np.float32,
)  # fmt: skip
# Parts that some methods alter alone: centre and half axes of an ellipse.
PARTS = {
    "mouth": ((0.51, 0.74), (0.27, 0.17)),
    "eyes": ((0.51, 0.30), (0.38, 0.13)),
    "lower face": ((0.51, 0.72), (0.36, 0.25)),
}


# Where an expression moves a face, and how far around: mouth corners, lips, chin, brows.
_MOVING = (
    ((0.35, 0.70), 0.10), ((0.67, 0.70), 0.10), ((0.51, 0.66), 0.09), ((0.51, 0.77), 0.10),
    ((0.51, 0.88), 0.14), ((0.31, 0.24), 0.10), ((0.71, 0.24), 0.10),
)  # fmt: skip


class Blend(NamedTuple):
    """A pseudo-fake and the mask it was blended with."""

    image: Image
    mask: Mask


def outline(landmarks: Landmarks) -> NDArray[np.float32]:
    """Face contour in pixels, (16, 2), by the affine that best carries the template to ``landmarks``."""
    return _carry(OUTLINE, landmarks)


def face_mask(shape: tuple[int, int], landmarks: Landmarks, rng: np.random.Generator) -> Mask:
    """A deformed, softened mask of the face or, one time in four, of a part of it."""
    side = float(np.ptp(outline(landmarks), axis=0).max())
    if rng.random() < 0.25:
        (cx, cy), (ax, ay) = PARTS[str(rng.choice(list(PARTS)))]
        turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        unit = np.stack([cx + ax * np.cos(turn), cy + ay * np.sin(turn)], axis=1).astype(np.float32)
    else:
        unit = OUTLINE
    points = _carry(unit, landmarks)
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
    """What a self-blend is blended into, and the blend.

    Colour and sharpness of both were changed alike, so that nothing but the blend tells one from the other.
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
        source = generated(source, landmarks, rng)
    if rng.random() < 0.3:
        source = expressive(source, landmarks, rng)
    side = float(np.ptp(outline(landmarks), axis=0).max())
    move = cv2.getRotationMatrix2D(
        tuple(map(float, landmarks.mean(axis=0))), rng.normal(0, 1.5), rng.uniform(0.95, 1.05)
    )
    move[:, 2] += rng.uniform(-0.03, 0.03, 2) * side
    source = _warp(source, move, image.shape[:2])
    return target, _blended(source, target, face_mask(image.shape[:2], landmarks, rng), rng)


def swap_blend(
    image: Image, landmarks: Landmarks, other: Image, other_landmarks: Landmarks, rng: np.random.Generator
) -> Blend:
    """Blend the face of ``other`` into ``image``, colour-matched as face-swap programs do."""
    aligned = align(other, other_landmarks, landmarks, image.shape[:2])
    mask = face_mask(image.shape[:2], landmarks, rng)
    aligned = match_colour(aligned, image, mask, float(rng.uniform(0.6, 1.0)))
    if rng.random() < 0.7:
        aligned = generated(aligned, landmarks, rng)
    return _blended(aligned, image, mask, rng, least=0.7)


def align(other: Image, landmarks: Landmarks, onto: Landmarks, shape: tuple[int, int]) -> Image:
    """``other`` carried so that its landmarks fall on ``onto`` (least-squares similarity)."""
    move, _ = cv2.estimateAffinePartial2D(landmarks, onto, method=cv2.LMEDS)
    if move is None:  # degenerate landmarks, as in a full profile
        move = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    return _warp(other, move, shape)


def match_colour(source: Image, target: Image, mask: Mask, strength: float) -> Image:
    """Move the mean and spread of ``source`` inside ``mask`` towards ``target`` (Reinhard et al., 2001)."""
    inside = mask > 0.5
    if not inside.any():
        return source
    a = cv2.cvtColor(source, cv2.COLOR_RGB2LAB).astype(np.float32)
    b = cv2.cvtColor(target, cv2.COLOR_RGB2LAB).astype(np.float32)
    mean_a, mean_b = a[inside].mean(axis=0), b[inside].mean(axis=0)
    spread = np.clip(b[inside].std(axis=0) / (a[inside].std(axis=0) + 1e-3), 0.5, 2.0)
    matched = (a - mean_a) * spread + mean_b
    out = np.clip(a + strength * (matched - a), 0, 255).astype(np.uint8)
    return cv2.cvtColor(out, cv2.COLOR_LAB2RGB)


def generated(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """``image`` as if drawn by a generator of 48 to 160 pixels a face, whose detail ends there."""
    side = float(np.ptp(outline(landmarks), axis=0).max())
    scale = min(1.0, float(rng.uniform(48, 160)) / max(1.0, side))
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(8, round(width * scale)), max(8, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    if rng.random() < 0.5:
        small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.4, 1.0)))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def expressive(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """``image`` with another expression: mouth, brows and jaw moved by a smooth warp.

    Reenactment keeps the identity and changes this; what stays is the seam and the redrawn skin.
    """
    side = float(np.ptp(outline(landmarks), axis=0).max())
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved_x, moved_y = x.copy(), y.copy()
    for place, spread in _MOVING:
        if rng.random() < 0.3:
            continue
        ((cx, cy),) = _carry(np.array([place], np.float32), landmarks)
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


def _carry(points: NDArray[np.float32], landmarks: Landmarks) -> NDArray[np.float32]:
    known = np.c_[TEMPLATE, np.ones(5)]
    affine, *_ = np.linalg.lstsq(known, landmarks.astype(np.float64), rcond=None)
    return (np.c_[points, np.ones(len(points))] @ affine).astype(np.float32)


def _warp(image: Image, move: NDArray[np.float64], shape: tuple[int, int]) -> Image:
    return cv2.warpAffine(image, move, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


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
