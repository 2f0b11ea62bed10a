"""Training examples: crops of faces, half of them covered in part, as compression and size leave them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.covered import SEEN
from detector.media.frame import Image
from detector.training.covered_faces import bare
from detector.training.covered_faces.covers import SIDE, composed, drawn
from detector.training.covered_faces.pictures import Crops

_PLAIN, _RECUT = 0.4, 0.3  # shares of the examples: with no cover drawn; cut out after one was
_VARIED = 0.4  # share of all others on which something is drawn that covers nothing, before a cover if any
_SHADED = 0.15  # share of those cut out: with a shadow alone, since the rest would lie on top of the cover


class CoveredFaceExample(NamedTuple):
    """A crop (SEEN, SEEN, 3), RGB, and whether mouth or eyes of its face are covered."""

    crop: Image
    covered: bool


def example(crops: Crops, rng: np.random.Generator) -> CoveredFaceExample:
    """One by chance."""
    which = rng.random()
    if which < _RECUT:
        number = rng.integers(len(crops.recut))
        face = _either_way(crops.recut[number], rng)
        if rng.random() < _SHADED:
            face = bare.shadow(face, rng)
        return CoveredFaceExample(degraded(face, rng), bool(crops.covered[number]))
    number = rng.integers(len(crops.faces))
    face, landmarks = crops.faces[number], crops.landmarks[number]
    if rng.random() < _VARIED:
        face = bare.varied(face, rng)
    if which < _RECUT + _PLAIN:
        return CoveredFaceExample(degraded(_either_way(face, rng), rng), covered=False)
    while True:
        cover = drawn(face, crops.pieces[rng.integers(len(crops.pieces))], rng)
        covered = cover.hides(landmarks)
        if covered or covered is False and rng.random() < 0.5:
            return CoveredFaceExample(degraded(_either_way(composed(face, cover, rng), rng), rng), covered)


def _either_way(face: Image, rng: np.random.Generator) -> Image:
    return np.ascontiguousarray(face[:, ::-1]) if rng.random() < 0.5 else face


def degraded(face: Image, rng: np.random.Generator) -> Image:
    """Made smaller and larger again, saved as JPEG, brighter or darker; at :data:`SEEN` px."""
    if rng.random() < 0.5:
        small = int(rng.integers(36, SIDE))
        face = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.7:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 96))]
        decoded: NDArray[np.uint8] | None = cv2.imdecode(
            cv2.imencode(".jpg", face, quality)[1], cv2.IMREAD_COLOR
        )
        assert decoded is not None  # it was encoded here
        face = decoded
    face = cv2.resize(face, (SEEN, SEEN), interpolation=cv2.INTER_AREA)
    gain, moved = rng.uniform(0.7, 1.3, 3) ** 0.5 * rng.uniform(0.6, 1.3), rng.normal(0, 8)
    return (face * gain + moved).clip(0, 255).astype(np.uint8)
