"""Blend faces into photographs with a known mask, for the demonstration clip and for training."""

from __future__ import annotations

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


def face_outline(landmarks: Landmarks) -> NDArray[np.float32]:
    """Return the face contour in pixels, (16, 2): the template transformed to ``landmarks``."""
    return carry(OUTLINE, landmarks)


def align(other: Image, landmarks: Landmarks, onto: Landmarks, shape: tuple[int, int]) -> Image:
    """Warp ``other`` so that its landmarks fall on ``onto`` (least-squares similarity)."""
    move, _ = cv2.estimateAffinePartial2D(landmarks, onto, method=cv2.LMEDS)
    if move is None:  # degenerate landmarks, as in a full profile
        move = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    return warp(other, move, shape)


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


def limit_detail(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """Reduce ``image`` to the detail of a generator with 48 to 160 pixels for each face."""
    side = float(np.ptp(face_outline(landmarks), axis=0).max())
    scale = min(1.0, float(rng.uniform(48, 160)) / max(1.0, side))
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(8, round(width * scale)), max(8, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    if rng.random() < 0.5:
        small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.4, 1.0)))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def carry(points: NDArray[np.float32], landmarks: Landmarks) -> NDArray[np.float32]:
    """Map points of the template to a face with these landmarks."""
    known = np.c_[TEMPLATE, np.ones(5)]
    affine, *_ = np.linalg.lstsq(known, landmarks.astype(np.float64), rcond=None)
    return (np.c_[points, np.ones(len(points))] @ affine).astype(np.float32)


def warp(image: Image, move: NDArray[np.float64], shape: tuple[int, int]) -> Image:
    """Warp an image by an affine matrix to ``shape`` (height, width)."""
    return cv2.warpAffine(image, move, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
