"""Scenes in which every moment looks otherwise, and what a comparison says of when a clip shows them."""

from __future__ import annotations

from functools import cache, partial

import cv2
import numpy as np

from detector.comparison.compare import compare
from detector.schema.comparison import ComparisonParameters

RATE = 25
SIZE = (240, 136)
# What is shown where is found first; faces and surroundings are then compared at this rate.
mapped = partial(compare, parameters=ComparisonParameters(sample_rate=1))


@cache
def _surroundings(seed: int) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """What is behind, and the colours of what moves before it."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (9, 15, 3), np.uint8)
    behind = cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC)
    return behind, [tuple(int(v) for v in rng.integers(0, 255, 3)) for _ in range(6)]


def scene(number: int, seed: int = 1) -> np.ndarray:
    """A picture with fixed surroundings, in which several things move and never come back."""
    behind, colours = _surroundings(seed)
    picture = behind.copy()
    for thing, colour in enumerate(colours):
        x = int(20 + (number * (0.9 + 0.13 * thing)) % 200)
        y = int(20 + 18 * thing + 9 * np.sin(number / (7 + 2 * thing)))
        cv2.circle(picture, (x, y), 7 + thing, colour, -1, cv2.LINE_AA)
    return picture
