"""Faces that a detector would have found, and frames in which something is painted where each of them is."""

from __future__ import annotations

import cv2
import numpy as np

from detector.faces.crop import Face

WIDTH, HEIGHT = 640, 360
EMPTY = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def face(x: float, y: float = 180, side: float = 80) -> Face:
    """An upright face centred at ``x``, ``y``."""
    spots = np.array([[-0.2, -0.2], [0.2, -0.2], [0, 0.02], [-0.16, 0.2], [0.16, 0.2]], np.float32)
    return Face(
        box=(x - side / 2, y - side / 2, x + side / 2, y + side / 2),
        confidence=0.9,
        landmarks=(spots * side + np.array([x, y])).astype(np.float32),
    )


def portrait(look: int) -> np.ndarray:
    """A picture of 120 px that differs altogether from one ``look`` to the next."""
    coarse = np.random.default_rng(look).integers(0, 255, (6, 6, 3), np.uint8)
    return cv2.resize(coarse, (120, 120), interpolation=cv2.INTER_CUBIC)


def scene(*placed: tuple[Face, int]) -> np.ndarray:
    """A frame with a ``look`` painted where each face is."""
    picture = EMPTY.copy()
    for head, look in placed:
        x, y = round((head.box[0] + head.box[2]) / 2) - 60, round((head.box[1] + head.box[3]) / 2) - 60
        picture[y : y + 120, x : x + 120] = portrait(look)
    return picture
