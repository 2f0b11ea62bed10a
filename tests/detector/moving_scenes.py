"""Scenes in which every moment looks otherwise, and what a comparison says of when a clip shows them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from detector.comparison import compare as comparing
from detector.comparison import face_differences
from detector.faces.crop import Face
from detector.faces.search.search import FoundFaces
from detector.media.frame import Frame, Image
from detector.schema.comparison import Comparison, ComparisonParameters

RATE = 25
SIZE = (240, 136)


class Nobody:
    """Stands in for what finds faces where nobody is shown, and takes a third of a comparison's time."""

    def __init__(self, *_given: object, **_options: object) -> None:
        pass

    def __call__(self, image: Image) -> list[Face]:
        return []

    def process_frame(self, frame: Frame, cut: bool) -> list[FoundFaces]:
        return [FoundFaces(frame, cut, [])]

    def flush(self) -> list[FoundFaces]:
        return []


def mapped(exhibit: Path, reference: Path) -> Comparison:
    """What is shown where is found first; surroundings are then compared once a second."""
    with (
        mock.patch.object(comparing, "FaceDetector", Nobody),
        mock.patch.object(face_differences, "FaceSearch", Nobody),
    ):
        return comparing.compare(exhibit, reference, parameters=ComparisonParameters(sample_rate=1))


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
