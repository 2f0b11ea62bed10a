"""Parts of a face hidden from networks that decide together, and the map of hidden parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.explain.change import aligned, token_distances
from detector.explain.heatmaps import check_maps, hidden_parts_map, hottest_part
from detector.explain.hiding import hidden_patches, logits_without, moved
from detector.faces.crop import CropSquare
from detector.models.card import Input
from detector.networks.vit_small_14 import Shape, ViTSmall14PatchHeads
from detector.scoring.fusion import DecidingCrop, Explainable, SeenCrop
from detector.scoring.scorer import Scorer

SIZE, OUTPUT = 224, 1
INNER, HEAD = CropSquare(100, 100, 97, 0), CropSquare(100, 100, 180, 0)


@pytest.fixture(scope="module")
def network() -> ViTSmall14PatchHeads:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        shape = Shape(taps=(1, 2), width=24, depth=2, attention_heads=2)
        network = ViTSmall14PatchHeads(shape).eval().requires_grad_(False)
        network.patch_judge.weight.normal_()
        return network


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def deciding(
    network: ViTSmall14PatchHeads, crop: np.ndarray, square: CropSquare, share: float
) -> DecidingCrop:
    given = Input(size=SIZE, mean=network.mean, std=network.std)

    def run(crops: list[np.ndarray]) -> np.ndarray:
        with torch.inference_mode():
            images = network.normalise(torch.from_numpy(np.stack(crops)))
            return network(images).double().numpy()[:, :2]

    seen = SeenCrop(crop, network, given, OUTPUT)
    return DecidingCrop(seen, square, (0, OUTPUT), run, run([crop]), 2.0, share, False, 0)


def face_of(*crops: DecidingCrop) -> Explainable:
    """Explain the sum of the deciding outputs, twice."""

    def fuse(answers: list[np.ndarray]) -> np.ndarray:
        return sum(2.0 * answer[:, OUTPUT] for answer in answers)

    largest = max(crops, key=lambda crop: crop.square.side).square
    logit = float(fuse([crop.answer for crop in crops])[0])
    return Explainable(largest, (), logit, lambda changed: np.zeros(1), crops, fuse, True)


def test_patches_without_a_mask_score_like_the_crop(
    network: ViTSmall14PatchHeads, picture: np.ndarray
) -> None:
    images = network.normalise(torch.from_numpy(picture[None]))
    tokens = network.lower_tokens(images)
    whole = network(images)
    assert torch.allclose(network.score_patches(tokens, (OUTPUT,)), whole, atol=1e-5)
    assert torch.allclose(network.score_patches(tokens, None, torch.ones(tokens.shape[:2])), whole, atol=1e-4)


def test_weight_zero_is_leaving_out(network: ViTSmall14PatchHeads, picture: np.ndarray) -> None:
    tokens = network.lower_tokens(network.normalise(torch.from_numpy(picture[None])))
    kept = torch.arange(257) % 3 != 1
    without = network.score_patches(tokens[:, kept])
    weighted = network.score_patches(tokens, None, kept[None].float().clamp_min(1e-30))
    assert torch.allclose(without, weighted, atol=1e-4)


def test_hidden_pixels_are_not_seen(network: ViTSmall14PatchHeads, picture: np.ndarray) -> None:
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[:112, :56] = 1
    changed = picture.copy()
    changed[:112, :56] = 0
    logits = [
        logits_without(face_of(deciding(network, crop, INNER, 1.0)), [mask])[0] for crop in (picture, changed)
    ]
    assert logits[0] == pytest.approx(logits[1], abs=1e-5)
    face = face_of(deciding(network, picture, INNER, 1.0))
    assert logits[0] != pytest.approx(face.logit, abs=1e-3)
    assert logits_without(face, [np.zeros_like(mask)])[0] == pytest.approx(face.logit, abs=1e-4)


def test_an_area_is_hidden_in_every_square(network: ViTSmall14PatchHeads, picture: np.ndarray) -> None:
    inner, head = deciding(network, picture, INNER, 0.5), deciding(network, picture, HEAD, 0.5)
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[84:140, 84:140] = 1  # a sixteenth of the head, which is more of the inner face
    within = moved(mask, HEAD, INNER, SIZE)
    assert within.mean() == pytest.approx(mask.mean() * (180 / 97) ** 2, rel=0.03)
    assert hidden_patches(mask).sum() == 16
    both = logits_without(face_of(inner, head), [mask])[0]
    alone = [
        logits_without(face_of(inner), [within])[0],
        logits_without(face_of(head), [mask])[0],
    ]
    assert both == pytest.approx(sum(alone), abs=1e-5)


def test_something_is_always_left_to_see() -> None:
    assert hidden_patches(np.ones((SIZE, SIZE), np.float32)).sum() == 240
    assert not hidden_patches(np.zeros((SIZE, SIZE), np.float32)).any()


def test_map_states_how_far_the_logit_falls(network: ViTSmall14PatchHeads, picture: np.ndarray) -> None:
    """To first order, in units of the fused logit."""
    face = face_of(deciding(network, picture, INNER, 1.0))
    heat = hidden_parts_map(face)
    assert heat is not None and heat.shape == (SIZE, SIZE)
    (crop,) = face.deciding
    tokens = network.lower_tokens(network.normalise(torch.from_numpy(picture[None])))
    weights = torch.ones(1, 257)
    weights[0, 1 + 120] -= 0.01
    with torch.inference_mode():
        fall = network.score_patches(tokens, None, torch.ones(1, 257)) - network.score_patches(
            tokens, None, weights
        )
    from detector.explain.heatmaps import _patch_falls

    assert _patch_falls(crop).ravel()[120] == pytest.approx(float(fall[0, OUTPUT]) / 0.01, rel=0.05, abs=1e-4)
    assert heat.sum() == pytest.approx(2 * _patch_falls(crop).sum(), rel=0.1, abs=0.05)


def test_hiding_what_the_map_marks_lowers_the_logit_most(
    scorer: Scorer, network: ViTSmall14PatchHeads, picture: np.ndarray
) -> None:
    face = face_of(deciding(network, picture, INNER, 1.0))
    heat = hidden_parts_map(face)
    assert heat is not None
    right, wrong = check_maps(scorer, face, [heat, -heat], 0)
    assert right.drop_highlight > right.drop_random > wrong.drop_highlight
    assert right.drop_random == wrong.drop_random and right.area == pytest.approx(0.15, abs=0.001)


def test_a_network_without_patches_has_no_map_of_hidden_parts(picture: np.ndarray) -> None:
    face = Explainable(INNER, (), 0.0, lambda changed: np.zeros(1))
    assert hidden_parts_map(face) is None


def test_hottest_part_takes_negative_values_last() -> None:
    heat = np.full((20, 20), -1.0, np.float32)
    heat[:3] = 0.5
    assert np.array_equal(hottest_part(heat, np.random.default_rng(0)) > 0, heat > 0)


def test_changed_part_is_hot_although_the_face_moved(network: ViTSmall14PatchHeads) -> None:
    grid = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    waves = 127 + 60 * np.sin(grid[0] / 9) + 60 * np.sin(grid[1] / 7 + grid[0] / 31)
    calm = np.repeat(waves[..., None], 3, axis=2).astype(np.uint8)
    peak = np.roll(calm, 3, axis=1)
    peak[140:182, 56:98] = np.random.default_rng(0).integers(0, 256, (42, 42, 3), np.uint8)
    given = Input(size=SIZE, mean=network.mean, std=network.std)
    heat = token_distances(network, given, peak, aligned(calm, peak))
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert 130 <= y < 192 and 46 <= x < 108
