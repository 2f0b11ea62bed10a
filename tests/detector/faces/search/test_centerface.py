"""CenterFace on a known photograph."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.faces.search.networks import FaceDetector


class TestFaceDetector:
    def test_the_astronaut(self, astronaut: np.ndarray) -> None:
        (face,) = FaceDetector()(astronaut)
        assert face.box == pytest.approx((182, 58, 270, 178), abs=8)
        assert face.confidence > 0.8
        eyes_nose_mouth = [(203, 101), (247, 104), (224, 125), (203, 142), (242, 144)]
        assert face.landmarks.shape == (5, 2)
        assert np.abs(face.landmarks - np.array(eyes_nose_mouth)).max() < 5

    def test_boxes_are_in_pixels_of_the_frame_at_any_search_width(self, astronaut: np.ndarray) -> None:
        large = cv2.resize(astronaut, (1536, 1536), interpolation=cv2.INTER_CUBIC)
        (small,), (face,) = FaceDetector()(astronaut), FaceDetector(width=640)(large)
        assert np.array(face.box) / 3 == pytest.approx(np.array(small.box), abs=6)
        assert np.abs(face.landmarks / 3 - small.landmarks).max() < 5

    def test_faces_are_sorted_by_confidence(self, astronaut: np.ndarray) -> None:
        pair = np.hstack([astronaut, astronaut[:, ::-1]])
        faces = FaceDetector()(pair)
        assert len(faces) == 2
        assert faces[0].confidence >= faces[1].confidence
        middles = sorted((face.box[0] + face.box[2]) / 2 for face in faces)
        assert middles == pytest.approx([225, 1024 - 225], abs=12)

    @pytest.mark.parametrize("value", [0, 128, 255])
    def test_no_face_in_an_empty_picture(self, value: int) -> None:
        assert FaceDetector()(np.full((360, 640, 3), value, np.uint8)) == []

    @pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (31, 33), (3000, 40)])
    def test_odd_shapes(self, shape: tuple[int, int]) -> None:
        assert FaceDetector()(np.full((*shape, 3), 90, np.uint8)) == []

    def test_colours_are_red_green_blue(self, astronaut: np.ndarray) -> None:
        """Channels the wrong way round find the face too, but less surely."""
        right, wrong = (FaceDetector(0.2)(p)[0].confidence for p in (astronaut, astronaut[:, :, ::-1].copy()))
        assert right > wrong
