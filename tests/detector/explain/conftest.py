"""One face, cut out as networks see it, and explained."""

from __future__ import annotations

import numpy as np
import pytest

from detector.explain.heatmaps import Explained, explain
from detector.faces.crop import Face, crop_square, roll, square_for_face
from detector.faces.detections import Detection
from detector.faces.search.networks import FaceDetector
from detector.scoring.scorer import Scorer


@pytest.fixture(scope="module")
def face(astronaut: np.ndarray) -> Face:
    return FaceDetector()(astronaut)[0]


@pytest.fixture(scope="module")
def crop(scorer: Scorer, astronaut: np.ndarray, face: Face) -> np.ndarray:
    return crop_square(astronaut, square_for_face(face), scorer.card.input.size)


@pytest.fixture(scope="module")
def explained(scorer: Scorer, astronaut: np.ndarray, face: Face) -> Explained:
    peak = Detection(0, 0.0, 0, 0, True, face.box, roll(face), None, None)
    return explain(scorer, scorer.explainable(astronaut, peak), "A1-1", face.box, 0)
