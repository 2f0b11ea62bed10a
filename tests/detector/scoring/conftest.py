"""The scorer of the scan's network alone, and a photo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.models.loaded import LoadedModel
from detector.scoring.scorer import Scorer


@pytest.fixture(scope="module")
def scan_scorer(model: LoadedModel) -> Scorer:
    """Of the shipped model without its second look."""
    return Scorer(model.alone)


@pytest.fixture(scope="module")
def photo(astronaut: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait whose left half is darker than the right."""
    path = tmp_path_factory.mktemp("photo") / "portrait.png"
    slope = np.linspace(0.6, 1.0, astronaut.shape[1])[None, :, None]
    cv2.imwrite(str(path), (astronaut * slope).astype(np.uint8)[..., ::-1])
    return path
