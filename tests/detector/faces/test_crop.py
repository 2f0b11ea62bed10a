"""The square around a face, and crops from it."""

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

# Eyes, nose, mouth corners in half box widths from the middle of an upright face.
SPOTS = np.array([[-0.4, -0.35], [0.4, -0.35], [0, 0.05], [-0.3, 0.45], [0.3, 0.45]])


def make_face(
    x: float = 200, y: float = 150, width: float = 80, height: float = 100, roll: float = 0
) -> Face:
    """A face whose eyes' line is ``roll`` degrees clockwise from level."""
    turn = np.radians(roll)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    spots = SPOTS * [width / 2, height / 2] @ rotation + [x, y]
    return Face((x - width / 2, y - height / 2, x + width / 2, y + height / 2), 0.9, spots.astype(np.float32))


def draw_dots(points: np.ndarray, shape: tuple[int, int] = (400, 500)) -> np.ndarray:
    """A grey picture with a small white dot at each point."""
    picture = np.full((*shape, 3), 100, np.uint8)
    for x, y in points:
        cv2.circle(picture, (round(x * 16), round(y * 16)), 3 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return picture


def find_dot(picture: np.ndarray) -> tuple[float, float]:
    """Centre of the white on grey, in continuous pixels."""
    weight = np.clip(picture[..., 0].astype(float) - 110, 0, None)
    rows, columns = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    return float((columns * weight).sum() / weight.sum()), float((rows * weight).sum() / weight.sum())


class TestFraming:
    def test_upright(self) -> None:
        square = square_for_face(make_face())
        side = SIDE_PER_BOX * np.sqrt(80 * 100)
        assert square.side == pytest.approx(side)
        assert (square.x, square.y) == pytest.approx((200, 150 + CENTRE_BELOW_BOX * side))
        assert square.angle == 0

    @pytest.mark.parametrize(
        ("roll", "turned"), [(0, 0), (10, 0), (-15, 0), (20, 5), (40, 25), (-40, -25), (90, 75)]
    )
    def test_larger_rolls_are_reduced_to_fifteen_degrees(self, roll: float, turned: float) -> None:
        assert square_for_face(make_face(roll=roll)).angle == pytest.approx(turned, abs=0.01)

    def test_no_jump_at_the_threshold(self) -> None:
        before, after = (
            square_for_face(make_face(roll=ROLL_KEPT - 0.01)),
            square_for_face(make_face(roll=ROLL_KEPT + 0.01)),
        )
        assert (before.x, before.y, before.angle) == pytest.approx((after.x, after.y, after.angle), abs=0.05)

    @pytest.mark.parametrize("roll", [25, 40, -40, 60])
    def test_below_means_towards_the_chin(self, roll: float) -> None:
        """The centre moves to the side on which the mouth lies, whichever way the face rolls."""
        rolled = make_face(roll=roll)
        square = square_for_face(rolled)
        moved = np.array([square.x - 200, square.y - 150])
        chin = rolled.landmarks[3:].mean(axis=0) - rolled.landmarks[:2].mean(axis=0)
        assert np.linalg.norm(moved) == pytest.approx(CENTRE_BELOW_BOX * square.side)
        assert moved @ chin / np.linalg.norm(moved) / np.linalg.norm(chin) > np.cos(np.radians(16))


class TestCut:
    @pytest.mark.parametrize("size", [64, 128])
    def test_the_square_maps_to_the_crop(self, size: int) -> None:
        """Corners, edges and centre of an upright square land where they should."""
        square = CropSquare(240, 180, 100, 0)
        for across, down in [(0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9), (0.5, 0.5), (0.3, 0.7)]:
            point = (240 + (across - 0.5) * 100, 180 + (down - 0.5) * 100)
            x, y = find_dot(crop_square(draw_dots(np.array([point])), square, size))
            assert (x, y) == pytest.approx((across * size, down * size), abs=0.6)

    @pytest.mark.parametrize("roll", [40, -40])
    def test_a_rolled_face_comes_nearly_upright(self, roll: float) -> None:
        rolled = make_face(roll=roll)
        size = 128
        places = [
            find_dot(crop_square(draw_dots(point[None]), square_for_face(rolled), size))
            for point in rolled.landmarks
        ]
        left, right = np.array(places[0]), np.array(places[1])
        shown = np.degrees(np.arctan2(*(right - left)[::-1]))
        assert shown == pytest.approx(np.sign(roll) * ROLL_KEPT, abs=2)
        assert right[0] > left[0] and places[3][1] > left[1], "eyes left to right, mouth below them"
        # The same face upright has its landmarks at the same distances from the middle.
        upright = make_face()
        at_rest = [
            find_dot(crop_square(draw_dots(point[None]), square_for_face(upright), size))
            for point in upright.landmarks
        ]
        middle = np.array([size / 2, size / 2])
        for turned, straight in zip(places, at_rest, strict=True):
            distance, usual = (np.linalg.norm(np.array(p) - middle) for p in (turned, straight))
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
        crop = crop_square(draw_dots(np.array([[100, 100]])), CropSquare(100, 100, 32, 0), 128)
        assert crop.shape == (128, 128, 3)
        assert find_dot(crop) == pytest.approx((64, 64), abs=2)
