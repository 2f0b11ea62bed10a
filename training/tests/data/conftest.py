"""Data sets of one's own, and a detector to which every frame is a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from own_set import LEVELS, clip, put

from detector.faces.crop import Face
from detector.media.frame import Image
from training.data import own_sets

POINTS = np.array([[60, 30], [100, 30], [80, 50], [65, 70], [95, 70]], np.float32)


@pytest.fixture
def every_frame_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """To this detector every frame that is not dark is one face; pictures of 64 px hold none."""

    def detect(image: Image) -> list[Face]:
        face = Face((30.0, 0.0, 130.0, 96.0), 0.9, POINTS)
        return [face] if image.mean() > 15 and image.shape[1] > 64 else []

    monkeypatch.setattr(own_sets, "FaceDetector", lambda: detect)
    monkeypatch.setattr("training.data.streamed_videos.FaceDetector", lambda: detect)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Eight real and two fake pictures to learn from, one of each to validate on."""
    folder = tmp_path / "pictures"
    for seed in range(8):
        put(folder / "train" / "real" / f"r{seed}.png", seed)
    for seed in range(2):
        put(folder / "train" / "fake" / f"f{seed}.png", 100 + seed, True)
    put(folder / "val" / "real" / "vr.png", 50)
    put(folder / "val" / "fake" / "vf.png", 150, True)
    return folder


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of 6 frames to learn from, one of 4 and one of 5 to validate on."""
    folder = tmp_path_factory.mktemp("videos")
    for label, levels in LEVELS.items():
        for level in levels:
            clip(folder / "train" / label / f"{level}.mp4", level)
    clip(folder / "val" / "real" / "vr.mp4", 100, 4)
    clip(folder / "val" / "fake" / "vf.mp4", 200, 5)
    return folder
