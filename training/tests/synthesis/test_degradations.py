"""Degradations: same shape, same kind, and the same draw whatever the picture shows."""

from __future__ import annotations

import inspect

import cv2
import numpy as np
import pytest

from detector.faces.quality import measure_quality
from training.synthesis.degradations import compress, degrade

PICTURE = cv2.resize(
    np.random.default_rng(1).integers(20, 235, (16, 16, 3), np.uint8), (96, 96), interpolation=cv2.INTER_CUBIC
)


@pytest.mark.parametrize("size", [48, 64, 130])
def test_shape_and_kind_are_kept(size: int) -> None:
    crop = cv2.resize(PICTURE, (size, size))
    for seed in range(40):
        out = degrade(crop, np.random.default_rng(seed))
        assert (out.shape, out.dtype) == (crop.shape, np.uint8)


def test_the_original_is_left_alone() -> None:
    before = PICTURE.copy()
    for seed in range(40):
        degrade(PICTURE, np.random.default_rng(seed))
    assert np.array_equal(PICTURE, before)


def test_what_is_drawn_knows_nothing_of_the_class() -> None:
    """No label goes in, and the number of draws depends on no pixel."""
    assert list(inspect.signature(degrade).parameters) == ["crop", "rng"]
    other = 255 - PICTURE
    for seed in range(40):
        first, second = np.random.default_rng(seed), np.random.default_rng(seed)
        degrade(PICTURE, first)
        degrade(other, second)
        assert first.bit_generator.state == second.bit_generator.state


def test_deterministic_by_draw_and_varied() -> None:
    out = [degrade(PICTURE, np.random.default_rng(seed)) for seed in range(40)]
    again = [degrade(PICTURE, np.random.default_rng(seed)) for seed in range(40)]
    assert all(np.array_equal(a, b) for a, b in zip(out, again, strict=True))
    assert len({image.tobytes() for image in out}) > 30


def test_still_the_same_picture() -> None:
    """Degraded, not destroyed: structure correlates in nearly every draw, colours are not swapped."""
    alike = [
        np.corrcoef(degrade(PICTURE, np.random.default_rng(seed)).ravel(), PICTURE.ravel())[0, 1]
        for seed in range(60)
    ]
    assert np.median(alike) > 0.95 and np.quantile(alike, 0.05) > 0.7


def test_red_stays_red() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[...] = (220, 40, 30)
    for seed in range(60):
        mean = degrade(red, np.random.default_rng(seed)).reshape(-1, 3).mean(axis=0)
        assert mean[0] >= mean[1] - 3 and mean[0] >= mean[2] - 3


def test_strong_compression_lowers_sharpness(portrait: np.ndarray) -> None:
    """A video codec's, which smooths its blocks; those that a very strong JPEG leaves have edges."""
    face = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    (worn,) = compress([face], 45, 8)
    assert measure_quality(worn).sharpness < 0.8 * measure_quality(face).sharpness
