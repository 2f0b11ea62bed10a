"""Pictures that were enlarged before they were encoded are recognised; sharp and compressed ones are not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip

from detector.media.enlargement import FRAMES, EnlargementMeter
from detector.media.frame import Frame
from detector.media.open import open_media


def drawing(width: int = 426, height: int = 240, seed: int = 3) -> np.ndarray:
    """Discs and bars of all brightnesses, seen by a camera with a little grain."""
    random = np.random.default_rng(seed)
    picture = np.full((4 * height, 4 * width, 3), 110, np.uint8)
    for _ in range(90):
        x, y, side = (int(value) for value in random.integers((0, 0, 24), (4 * width, 4 * height, 200)))
        colour = tuple(int(value) for value in random.integers(20, 235, 3))
        if side % 2:
            cv2.circle(picture, (x, y), side // 2, colour, -1)
        else:
            cv2.rectangle(picture, (x, y), (x + side, y + side // 2), colour, -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 2)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(picture + random.normal(0, 1, picture.shape), 0, 255).astype(np.uint8)


def decoded_factor(path: Path, pictures: list[np.ndarray], crf: int) -> float:
    write_clip(path, pictures, options={"crf": str(crf)})
    with open_media(path) as reader:
        meter = EnlargementMeter(reader.expected_duration)
        for frame in reader.frames(8):
            meter.process_frame(frame)
    return meter.factor


@pytest.mark.parametrize(
    ("kernel", "times", "crf"),
    [
        (cv2.INTER_CUBIC, 2.0, 20),
        (cv2.INTER_LANCZOS4, 2.0, 20),
        (cv2.INTER_LINEAR, 3.0, 28),
        (cv2.INTER_LANCZOS4, 8 / 3, 28),
        (cv2.INTER_CUBIC, 3.0, 28),
    ],
)
def test_an_enlarged_video_is_recognised(tmp_path: Path, kernel: int, times: float, crf: int) -> None:
    small = [drawing(seed=seed) for seed in (3, 4)]
    size = (round(426 * times) // 2 * 2, round(240 * times) // 2 * 2)
    large = [cv2.resize(picture, size, interpolation=kernel) for picture in small]
    assert decoded_factor(tmp_path / "clip.mp4", large, crf) == pytest.approx(times, rel=0.3)


@pytest.mark.parametrize("crf", [20, 34])
def test_a_video_at_its_true_size_is_not(tmp_path: Path, crf: int) -> None:
    assert decoded_factor(tmp_path / "clip.mp4", [drawing(640, 480)] * 3, crf) == 1


def test_a_sharp_person_before_a_blurred_ground_is_not_enlarged() -> None:
    picture = drawing(640, 480)
    blurred = cv2.GaussianBlur(picture, (0, 0), 5)
    blurred[120:420, 200:440] = picture[120:420, 200:440]
    meter = EnlargementMeter(1)
    meter.measure(cv2.cvtColor(blurred, cv2.COLOR_RGB2GRAY))
    assert meter.factor == 1


def test_bars_do_not_hide_that_a_picture_was_enlarged() -> None:
    large = cv2.resize(drawing(240, 240), (720, 720), interpolation=cv2.INTER_CUBIC)
    barred = np.zeros((720, 1280, 3), np.uint8)
    barred[:, 280:1000] = large
    meter = EnlargementMeter(1)
    meter.measure(cv2.cvtColor(barred, cv2.COLOR_RGB2GRAY))
    assert meter.factor == pytest.approx(3, rel=0.3)


def test_one_sharp_scene_is_enough_to_call_a_video_not_enlarged() -> None:
    meter = EnlargementMeter(1)
    enlarged = cv2.resize(drawing(320, 240), (640, 480), interpolation=cv2.INTER_CUBIC)
    for picture in (enlarged, drawing(640, 480), enlarged):
        meter.measure(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    assert meter.factor == 1


@pytest.mark.parametrize("plain", [True, False])
def test_measured_are_a_few_frames_whatever_the_file_says_of_its_length(plain: bool) -> None:
    picture = np.full((48, 64, 3), 90, np.uint8) if plain else drawing(320, 240)
    meter, measured = EnlargementMeter(0.0), []
    meter_measure = meter.measure
    meter.measure = lambda grey: measured.append(0) or meter_measure(grey)  # type: ignore[method-assign]
    for number in range(800):
        meter.process_frame(Frame(number, Fraction(number, 8), picture))
    assert len(measured) <= (800 if plain else 3 * FRAMES)
    assert meter.factor == 1
