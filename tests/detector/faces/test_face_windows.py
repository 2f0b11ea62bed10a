"""Windows are cut from the frame without scaling, inside it, wherever the face is."""

from __future__ import annotations

import numpy as np
import pytest

from detector.faces.crop import crop_square, head_square
from detector.faces.patch import PatchFile
from detector.faces.windows import (
    CLOSE,
    HEAD,
    MARGIN,
    MOUTH,
    NECK,
    SIDE,
    WINDOWS,
    corners_of,
    cut_windows,
    native_windows,
    window_squares,
)
from detector.networks.graphs import WINDOW_COUNT
from detector.scoring.moments import AS_IT_IS, OTHER_VIEWS, KeptMoment, windows_in_view

FRAME = np.random.default_rng(8).integers(0, 256, (720, 1280, 3), np.uint8)
BOX = (500.0, 200.0, 700.0, 460.0)


def test_the_network_has_an_output_for_each() -> None:
    assert len(WINDOWS) == WINDOW_COUNT


@pytest.mark.parametrize("box", [BOX, (2.0, 5.0, 90.0, 130.0), (1100.0, 500.0, 1279.0, 719.0)])
def test_pixels_are_those_of_the_frame(box: tuple[float, float, float, float]) -> None:
    windows = cut_windows(FRAME, box)
    mouth, close, neck = native_windows(windows)
    for pixels, (x, y) in zip((mouth, neck), corners_of(windows), strict=True):
        assert np.array_equal(pixels, FRAME[y : y + SIDE, x : x + SIDE])
    assert close.shape == mouth.shape == (SIDE, SIDE, 3)


def test_windows_lie_around_the_mouth_and_at_the_lower_left_of_the_head() -> None:
    windows = cut_windows(FRAME, BOX)
    squares = window_squares(windows, head_square(BOX, 1280, 720))
    assert squares[MOUTH].x == pytest.approx(600, abs=1)
    assert squares[MOUTH].y == pytest.approx(200 + 0.72 * 260, abs=1)
    assert (squares[CLOSE].x, squares[CLOSE].side) == (squares[MOUTH].x, SIDE / 2)
    assert squares[NECK].x - SIDE / 2 == pytest.approx(600 - 1.9 * 260 / 2, abs=1)
    assert squares[NECK].y + SIDE / 2 == pytest.approx(330 + 1.9 * 260 / 2, abs=1)
    assert squares[HEAD].side > SIDE


def test_other_views_move_windows_without_scaling_them() -> None:
    windows = cut_windows(FRAME, BOX)
    (x, y), _ = corners_of(windows)
    mouth, _, _ = native_windows(windows, -MARGIN, 3)
    assert np.array_equal(mouth, FRAME[y + 3 : y + 3 + SIDE, x - MARGIN : x - MARGIN + SIDE])
    patch = cut_windows(FRAME, BOX)
    moment = KeptMoment(0, 0.0, 0, patch._replace(box=(20.0, 20.0, 200.0, 200.0)), 0.0, windows)
    plain = windows_in_view(moment, AS_IT_IS, SIDE)
    mirrored = windows_in_view(moment, OTHER_VIEWS[0], SIDE)
    assert len(plain) == len(WINDOWS)
    assert all(np.array_equal(crop[:, ::-1], other) for crop, other in zip(plain, mirrored, strict=True))
    for view in OTHER_VIEWS:
        assert all(crop.shape == (SIDE, SIDE, 3) for crop in windows_in_view(moment, view, SIDE))


def test_a_frame_smaller_than_a_window_is_mirrored_at_its_edges() -> None:
    small = FRAME[:150, :180]
    mouth, _, neck = native_windows(cut_windows(small, (30.0, 20.0, 120.0, 130.0)))
    assert np.array_equal(mouth[:150, :180], small) and np.array_equal(
        mouth[150], small[148, np.r_[:180, 178:134:-1]]
    )
    assert np.array_equal(neck, mouth)
    assert cut_windows(small, (30.0, 20.0, 120.0, 130.0)).scale == 0, "nothing may be read from it"
    assert cut_windows(FRAME[:200, :200], (30.0, 20.0, 120.0, 130.0)).scale == 1


def test_windows_of_a_pasted_photograph_lie_within_its_edges() -> None:
    picture = np.full((900, 900, 3), 255, np.uint8)
    picture[200:700, 250:650] = FRAME[:500, :400]
    windows = cut_windows(picture, (350.0, 320.0, 550.0, 560.0), still=True)
    for x, y in corners_of(windows):
        assert 250 <= x <= 650 - SIDE and 200 <= y <= 700 - SIDE


def test_moments_put_their_windows_aside_with_their_pixels() -> None:
    windows, square = cut_windows(FRAME, BOX), crop_square(FRAME, head_square(BOX, 1280, 720), 224)
    moment = KeptMoment(0, 0.0, 0, windows._replace(image=square), 0.0, windows)
    size, file = moment.size, PatchFile()
    moment.put_aside(file)
    assert moment.size == size and np.array_equal(moment.windows.image, windows.image)
    assert moment.windows.box == windows.box and np.array_equal(moment.patch.image, square)
    moment.give_up()
