"""One face, cut out as networks see it."""

from __future__ import annotations

import numpy as np
import pytest

from detector.faces.crop import Face, crop_square, square_for_face
from detector.faces.finding.detector import FaceDetector
from detector.scoring.scorer import Scorer


@pytest.fixture(scope="module")
def face(astronaut: np.ndarray) -> Face:
    return FaceDetector()(astronaut)[0]


@pytest.fixture(scope="module")
def crop(scorer: Scorer, astronaut: np.ndarray, face: Face) -> np.ndarray:
    return crop_square(astronaut, square_for_face(face), scorer.card.input.size)
