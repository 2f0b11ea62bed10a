"""Crops that are not worth judging: flat, blurred, noisy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.faces.crop import Face, crop_square, square_for_face
from detector.faces.quality import crop_flaw, face_flaw, measure_quality
from detector.faces.search.networks import FaceDetector
from detector.schema.analysis import Parameters

POINTS = np.zeros((5, 2), np.float32)


@pytest.fixture(scope="module")
def face(astronaut: np.ndarray) -> np.ndarray:
    return crop_square(astronaut, square_for_face(FaceDetector()(astronaut)[0]), 128)


def alter(crop: np.ndarray, gain: float = 1.0, lift: float = 0.0) -> np.ndarray:
    return np.clip(crop * gain + lift, 0, 255).astype(np.uint8)


def blur(crop: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(crop, (0, 0), sigma)


def add_noise(crop: np.ndarray, sigma: float) -> np.ndarray:
    return alter(crop + np.random.default_rng(0).normal(0, sigma, crop.shape))


def test_contrast_is_the_spread_of_grey() -> None:
    """Halves of 50 and 150 lie 50 levels from their mean; equal channels are grey of that level."""
    crop = np.full((64, 64, 3), 50, np.uint8)
    crop[:, 32:] = 150
    assert measure_quality(crop).contrast == pytest.approx(50)
    coloured = np.zeros((64, 64, 3), np.uint8)
    coloured[:, 32:, 1] = 200  # green is 58.7 % of grey
    assert measure_quality(coloured).contrast == pytest.approx(58.7, abs=0.5)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_plain_crop_has_no_contrast_and_sharpness(level: int) -> None:
    assert measure_quality(np.full((128, 128, 3), level, np.uint8)) == (0.0, 0.0)


def test_brightness_and_contrast_do_not_change_sharpness(face: np.ndarray) -> None:
    dim = alter(face, 0.5, 20)
    before = measure_quality(dim)
    for changed in (alter(dim, 1, 60), alter(dim, 1.3, -20), alter(dim, 0.6, 10)):
        assert measure_quality(changed).sharpness == pytest.approx(before.sharpness, rel=0.03)
    assert measure_quality(alter(dim, 0.6, 10)).contrast == pytest.approx(0.6 * before.contrast, rel=0.02)


def test_blur_lowers_it_and_noise_raises_it(face: np.ndarray) -> None:
    steps = [blur(face, 4), blur(face, 2), blur(face, 1), face, add_noise(face, 10), add_noise(face, 40)]
    seen = [measure_quality(step).sharpness for step in steps]
    assert all(a < 0.9 * b for a, b in zip(seen, seen[1:], strict=False))


class TestFlaws:
    def test_good_face_has_no_flaw(self, face: np.ndarray) -> None:
        assert crop_flaw(face, Parameters()) is None
        assert crop_flaw(alter(face, 0.3), Parameters()) is None, "dark, and judged well all the same"

    def test_by_the_default_thresholds(self, face: np.ndarray) -> None:
        for crop, flaw in [
            (alter(face, 0.04), "too dark or too flat"),
            (alter(face, 0.04, 120), "too dark or too flat"),
            (np.full_like(face, 255), "too dark or too flat"),
            (blur(face, 5), "too blurred or too strongly compressed"),
            (add_noise(face, 90), "too noisy"),
        ]:
            assert crop_flaw(crop, Parameters()) == flaw

    def test_thresholds_stand_where_they_are_set(self, face: np.ndarray) -> None:
        """A crop exactly on a threshold is judged; a little beyond it is not."""
        seen = measure_quality(face)
        limits = {
            "minimum_contrast": seen.contrast,
            "minimum_sharpness": seen.sharpness,
            "maximum_sharpness": seen.sharpness,
        }
        assert crop_flaw(face, Parameters(**limits)) is None
        for name, value, flaw in [
            ("minimum_contrast", seen.contrast * 1.01, "too dark or too flat"),
            ("minimum_sharpness", seen.sharpness * 1.01, "too blurred or too strongly compressed"),
            ("maximum_sharpness", seen.sharpness * 0.99, "too noisy"),
        ]:
            assert crop_flaw(face, Parameters(**{name: value})) == flaw

    def test_contrast_is_reported_first(self, face: np.ndarray) -> None:
        """Of a crop with next to none, detail is mostly the rounding of levels."""
        nothing_will_do = Parameters(minimum_contrast=200, minimum_sharpness=1, maximum_sharpness=0)
        assert crop_flaw(face, nothing_will_do) == "too dark or too flat"
        assert crop_flaw(face, Parameters(minimum_sharpness=1, maximum_sharpness=0)) == (
            "too blurred or too strongly compressed"
        )

    @pytest.mark.parametrize(
        ("width", "confidence", "flaw"),
        [
            (60.0, 0.9, None),
            (48.0, 0.7, None),
            (47.9, 0.9, "too small"),
            (60.0, 0.69, "too unsure"),
            (40.0, 0.1, "too small"),
        ],
    )
    def test_detected_face_flaws(self, width: float, confidence: float, flaw: str | None) -> None:
        face = Face((10.0, 10.0, 10.0 + width, 90.0), confidence, POINTS)
        parameters = Parameters(minimum_face=48, minimum_confidence=0.7)
        assert face_flaw(face, parameters) == flaw
