"""Animated photographs: smooth, small, and the landmarks go along."""

from __future__ import annotations

import numpy as np
import pytest
from made_faces import crop

from detector.face_blending import TEMPLATE
from detector.faces.crop import CropSquare
from training.synthesis.motion import Animation, drift
from training.synthesis.motion import sway as swaying

SIDE = 160
POINTS = (TEMPLATE * SIDE * 0.6 + SIDE * 0.2).astype(np.float32)


def animated(seed: int, count: int = 24, image: np.ndarray | None = None) -> Animation:
    image = crop(5, False, SIDE) if image is None else image
    return Animation(image, POINTS, count, np.random.default_rng(seed))


def test_by_its_seed_alone() -> None:
    square = CropSquare(80, 80, 100, 3)
    first, two, three = (animated(seed).frame(6, square, 64) for seed in (1, 1, 2))
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    assert np.array_equal(first, two) and not np.array_equal(first, three)


def test_motion_is_smooth_and_small() -> None:
    steps, ranges = [], []
    for seed in range(40):
        still = animated(seed)
        path = np.array([still.landmarks(moment) for moment in range(24)]) / still.side
        steps.append(np.abs(np.diff(path, axis=0)).max())
        ranges.append(np.ptp(path, axis=0).max())
    assert max(steps) < 0.12 and max(ranges) < 0.3
    assert np.median(ranges) > 0.015  # and yet it moves


def test_landmarks_go_along() -> None:
    """A dot painted on each landmark is found where the animation says the landmark is."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    for seed in range(6):
        for number, (x, y) in enumerate(POINTS):
            dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18)
            still = animated(seed, image=np.repeat(dot[..., None], 3, axis=2).astype(np.uint8))
            seen = still.whole(11)[..., 0].astype(float)
            centre = np.array([(seen * columns).sum(), (seen * rows).sum()]) / seen.sum()
            assert np.abs(centre - still.landmarks(11)[number]).max() < 1.6


def test_nothing_folds() -> None:
    """Displacement never turns the picture inside out: places keep their order along rows."""
    for seed in range(20):
        ramp = (
            np.repeat(np.linspace(0, 255, SIDE)[None, :, None], SIDE, axis=0)
            .repeat(3, axis=2)
            .astype(np.uint8)
        )
        row = animated(seed, image=ramp).whole(9)[:, :, 0].astype(int)
        assert (np.diff(row, axis=1) >= -4).all()


def test_without_landmarks_the_face_fills_the_image() -> None:
    still = Animation(crop(1, False, SIDE), None, 3, np.random.default_rng(0))
    assert np.abs(still.landmarks(0) - TEMPLATE * SIDE).max() < 0.15 * SIDE


def test_series() -> None:
    rng = np.random.default_rng(0)
    series = drift(rng, 4000, (2,), 0.9, white=0.3)
    assert series.shape == (4000, 2)
    assert series.std() == pytest.approx(1, abs=0.15)
    kept = np.corrcoef(series[1:, 0], series[:-1, 0])[0, 1]
    assert 0.7 < kept < 0.9  # 0.9 of all but the white part
    sway = swaying(rng, 400)
    assert sway.shape == (400,) and np.abs(np.diff(sway)).max() < 0.35 * np.ptp(sway)
