"""Proposed places for faces of any size."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.errors import ModelError
from detector.faces.search.networks import FaceDetector, FaceProposals, peak_boxes
from detector.files import FILES
from detector.media.frame import Image
from detector.models.model_files import FACE_PROPOSALS
from detector.schema.scores import overlap


@pytest.fixture(scope="module")
def propose() -> FaceProposals:
    return FaceProposals(640)


@pytest.mark.parametrize("face", [30, 60, 120, 240, 420], ids=lambda face: f"{face}px")
@pytest.mark.parametrize("at", [(0.3, 0.4), (0.65, 0.55)], ids=["left", "right"])
def test_a_face_of_any_size(
    propose: FaceProposals, astronaut: Image, face: int, at: tuple[float, float]
) -> None:
    """Its place is proposed, and hardly any other."""
    scale = face / 85
    matrix = np.array([[scale, 0, 1280 * at[0] - 222 * scale], [0, scale, 720 * at[1] - 120 * scale]])
    small = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    matrix[:, :2] = np.eye(2)
    image = cv2.warpAffine(small, matrix, (1280, 720), borderValue=(120, 130, 110))
    (detection, *_) = FaceDetector()(image)
    proposed = propose(image)
    assert any(overlap(box, detection.box) >= 0.3 for box in proposed)
    assert len(proposed) <= 6


@pytest.mark.parametrize("size", [(1920, 1080), (360, 640), (40, 24)], ids=["wide", "high", "tiny"])
def test_no_proposals_without_faces(propose: FaceProposals, size: tuple[int, int]) -> None:
    assert propose(np.full((size[1], size[0], 3), 90, np.uint8)) == []


def test_boxes_are_at_peaks_of_the_heat() -> None:
    heat = np.full((20, 30), -9.0, np.float32)
    heat[4, 6], heat[4, 7], heat[15, 20] = 3.0, 2.0, 5.0
    box = np.zeros((4, 20, 30), np.float32)
    box[:, 15, 20] = 0.25, -0.5, np.log(4), np.log(6)
    boxes = peak_boxes(heat, box)
    assert boxes[0] == pytest.approx([150, 96, 182, 144]), "4 by 6 cells of 8 px, around (166, 120)"
    assert boxes[1] == pytest.approx([48, 32, 56, 40]), "its neighbour is no place of its own"
    assert len(boxes) == 2


def test_mismatched_files_are_refused(tmp_path: Path) -> None:
    shutil.copytree(FILES / "models" / FACE_PROPOSALS.name, tmp_path / FACE_PROPOSALS.name)
    weights, card = FACE_PROPOSALS.files_in(tmp_path)
    assert FACE_PROPOSALS.file(tmp_path) == weights
    data = weights.read_bytes()
    weights.write_bytes(data[:-1])
    with pytest.raises(ModelError, match="SHA-256 differs"):
        FACE_PROPOSALS.file(tmp_path)
    weights.unlink()
    with pytest.raises(ModelError, match=r"face-proposals\.onnx is missing"):
        FACE_PROPOSALS.file(tmp_path)
    weights.write_bytes(data)
    card.unlink()
    with pytest.raises(ModelError, match=r"face-proposals\.json is missing"):
        FACE_PROPOSALS.file(tmp_path)
