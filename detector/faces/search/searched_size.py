"""At what size a frame is searched, whichever network searches it."""

from __future__ import annotations

import cv2

from detector.media.frame import Image


def searched_scale(image: Image, width: int) -> float:
    """By what a frame is scaled down to be searched at ``width`` px at most, height or width; at most 1."""
    return min(1.0, width / max(image.shape[:2]))


def reduced(image: Image, size: tuple[int, int]) -> Image:
    """``image`` averaged down to ``size`` (width, height); by halves first, which OpenCV does much faster."""
    height, width = image.shape[:2]
    while width >= 2 * size[0] and height >= 2 * size[1] and width % 2 == height % 2 == 0:
        width, height = width // 2, height // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
