"""A part of a crop hidden: gone where the mask is, untouched far from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx_models
import pytest

from detector.explain.heatmaps import heatmap_of, maps_of_crops, occlusion_check, occlusion_map
from detector.explain.hiding import hide
from detector.faces.crop import CropSquare
from detector.models.loaded import load_model
from detector.scoring.fusion import Explainable, SeenCrop
from detector.scoring.scorer import Scorer

SIZE = 96


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def half() -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[:, SIZE // 2 :] = 1
    return mask


def test_empty_mask_changes_nothing(crop: np.ndarray) -> None:
    assert np.array_equal(hide(crop, np.zeros((SIZE, SIZE), np.float32)), crop)


def test_masked_area_is_blurred_and_the_rest_unchanged(crop: np.ndarray) -> None:
    before = crop.copy()
    out = hide(crop, half())
    assert out.shape == crop.shape and out.dtype == np.uint8
    far = 8  # px from the edge of the mask, which is soft
    assert np.array_equal(out[:, : SIZE // 2 - far], crop[:, : SIZE // 2 - far])
    hidden, shown = out[:, SIZE // 2 + far :].astype(float), crop[:, SIZE // 2 + far :].astype(float)
    assert hidden.std() < 0.1 * shown.std()
    assert abs(np.corrcoef(hidden.ravel(), shown.ravel())[0, 1]) < 0.2
    assert hidden.mean() == pytest.approx(shown.mean(), abs=5), "blurred, not blackened"
    assert np.array_equal(crop, before)


def test_edge_is_soft() -> None:
    """No step that was not in the crop: black above white, hidden on the right."""
    crop = np.zeros((SIZE, SIZE, 3), np.uint8)
    crop[SIZE // 2 :] = 255
    row = hide(crop, half())[SIZE // 2 + 1, :, 0].astype(int)
    assert row[0] == 255 and row[-1] < 200
    assert np.abs(np.diff(row)).max() < 0.5 * (row[0] - row[-1])


def test_partial_mask_hides_partially() -> None:
    crop = np.zeros((SIZE, SIZE, 3), np.uint8)
    crop[SIZE // 2 :] = 200
    place = (SIZE // 2 + 3, SIZE // 2)
    whole, some = (hide(crop, np.full((SIZE, SIZE), share, np.float32))[place][0] for share in (1.0, 0.5))
    assert some == pytest.approx((200 + int(whole)) / 2, abs=1)


@pytest.mark.parametrize("level", [0, 255])
def test_uniform_colour_is_unchanged(level: int) -> None:
    crop = np.full((SIZE, SIZE, 3), level, np.uint8)
    assert np.array_equal(hide(crop, half()), crop)


def test_blur_scales_with_the_crop() -> None:
    """The blur goes with the crop's size, so that a face is as unrecognisable in any."""
    left = []
    for size in (64, 256):
        stripes = ((np.arange(size) * 8 // size) % 2 * 255).astype(np.uint8)
        crop = np.repeat(np.tile(stripes, (size, 1))[..., None], 3, axis=2)
        out = hide(crop, np.ones((size, size), np.float32))
        left.append(float(out[:, size // 4 : -size // 4].std()))
    assert left[0] == pytest.approx(left[1], rel=0.15) and left[1] < 60


class TestOcclusionMap:
    """Of networks of which only scores can be had."""

    def looks_at(self, place: tuple[slice, slice]) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
        """A network whose logit is the detail at one place."""
        return lambda crops: np.array([float(crop[place].std()) for crop in crops])

    def test_hottest_area_is_where_the_network_looks(self) -> None:
        crop = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        heat = occlusion_map(crop, self.looks_at((slice(60, 84), slice(12, 36))))
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        assert 60 <= y < 84 and 12 <= x < 36
        assert heat.shape == crop.shape[:2] and heat.dtype == np.float32
        assert heat.min() == 0 and heat[:30, 60:].max() == 0

    def test_areas_that_lower_the_score_are_cold(self) -> None:
        crop = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        look = self.looks_at((slice(60, 84), slice(12, 36)))
        assert not occlusion_map(crop, lambda crops: -look(crops)).any()

    def test_check_agrees_with_the_map(self, tmp_path: Path) -> None:
        scorer = Scorer(load_model(onnx_models.put(tmp_path, "tiny")))
        side = onnx_models.SIZE
        crop = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
        (heat,) = maps_of_crops(scorer, [crop])
        logit = float(scorer.logits([crop])[0])
        face = Explainable(
            CropSquare(0, 0, 1, 0),
            (SeenCrop(crop, None, scorer.card.input),),
            logit,
            lambda changed: scorer.logits(changed[0]),
        )
        assert np.array_equal(heatmap_of(face), heat)
        look = self.looks_at((slice(16, 24), slice(8, 16)))
        seen = dataclasses.replace(
            face, logit=float(look([crop])[0]), logits=lambda changed: look(changed[0])
        )
        check = occlusion_check(scorer, seen, occlusion_map(crop, look), 0)
        assert check.drop_highlight > check.drop_random
