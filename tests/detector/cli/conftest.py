"""A photograph with one face, for commands that only read it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("still") / "astronaut.jpg"
    assert cv2.imwrite(str(path), astronaut[:, :, ::-1])
    return path
