"""Heatmaps that keep their values, and the check that they tell the truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch
from explained_faces import with_heat

from detector.explain.heatmaps import (
    HIDDEN_AREA,
    Explained,
    heatmap_of,
    maps_of_crops,
    occlusion_check,
    random_area_numbers,
    strengths,
)
from detector.faces.crop import CropSquare
from detector.models.card import Input
from detector.networks.vit_small_14 import Shape, ViTSmall14
from detector.schema.analysis import MapMethod
from detector.scoring.fusion import Explainable, SeenCrop
from detector.scoring.scorer import Scorer


def face_of(scorer: Scorer, crop: np.ndarray) -> Explainable:
    square = CropSquare(0, 0, crop.shape[0], 0)
    logit = float(scorer.logits([crop])[0])
    seen = SeenCrop(crop, scorer.network, scorer.card.input)
    return Explainable(square, (seen,), logit, lambda changed: scorer.logits(changed[0]))


def hooks(scorer: Scorer) -> int:
    return sum(
        len(module._forward_hooks) + len(module._backward_hooks) + len(module._forward_pre_hooks)
        for module in scorer.network.modules()
    )


class TestHeatmaps:
    def test_map_is_not_negative_and_has_the_size_of_the_crop(self, scorer: Scorer, crop: np.ndarray) -> None:
        (heat,) = maps_of_crops(scorer, [crop])
        assert heat.shape == crop.shape[:2]
        assert heat.min() >= 0 and np.isfinite(heat).all()

    def test_map_is_gradcam_of_the_logit(self, scorer: Scorer, crop: np.ndarray) -> None:
        """Selvaraju et al. (2017), worked out again here: no stretching to the map's own range.

        At two layers, each averaged with the mirror image's map, less what is no hotter than average; of both
        the geometric mean.
        """
        kept: list[torch.Tensor] = []
        hooks = [
            layer.register_forward_hook(lambda module, given, out: (kept.append(out), out.retain_grad())[0])
            for layer in scorer.network.cam_layers
        ]
        both = scorer.tensor([crop, np.ascontiguousarray(crop[:, ::-1])])
        scorer.network(both.requires_grad_(True)).sum().backward()
        for hook in hooks:
            hook.remove()
        of_layers = []
        for activation in kept:
            assert activation.grad is not None
            weights = activation.grad.mean(dim=(2, 3), keepdim=True)
            there, back = torch.relu((weights * activation).sum(dim=1)).detach().cpu().numpy()
            coarse = (there + back[:, ::-1]) / 2
            large = np.maximum(cv2.resize(coarse, crop.shape[:2], interpolation=cv2.INTER_CUBIC), 0)
            of_layers.append(np.maximum(large - large.mean(), 0))
        first, second = of_layers
        (heat,) = maps_of_crops(scorer, [crop])
        common = np.sqrt(first * second)
        expected = np.maximum(common - common.mean(), 0)
        assert heat.any() and heat == pytest.approx(expected, rel=1e-3, abs=1e-5)

    def test_crops_do_not_change_the_scale_of_others(self, scorer: Scorer, crop: np.ndarray) -> None:
        faint = cv2.addWeighted(crop, 0.2, np.full_like(crop, 128), 0.8, 0)
        alone = [maps_of_crops(scorer, [picture])[0] for picture in (crop, faint)]
        together = maps_of_crops(scorer, [crop, faint])
        for a, b in zip(alone, together, strict=True):
            assert a == pytest.approx(b, rel=1e-2, abs=1e-4)
        assert together[0].max() != pytest.approx(together[1].max(), rel=1e-3)

    def test_deterministic(self, scorer: Scorer, crop: np.ndarray) -> None:
        first, second = (maps_of_crops(scorer, [crop])[0] for _ in range(2))
        assert np.array_equal(first, second)

    def test_hooks_are_removed(self, scorer: Scorer, crop: np.ndarray) -> None:
        before = scorer.logits([crop])
        maps_of_crops(scorer, [crop])
        assert hooks(scorer) == 0
        assert all(p.grad is None for p in scorer.network.parameters())
        assert not any(p.requires_grad for p in scorer.network.parameters())
        assert not scorer.network.training
        assert scorer.logits([crop]).tolist() == before.tolist()

    def test_hooks_are_removed_on_failure(self, scorer: Scorer) -> None:
        with pytest.raises(RuntimeError):
            maps_of_crops(scorer, [np.zeros((4, 4, 0), np.uint8)])
        assert hooks(scorer) == 0


class TestTransformers:
    def test_map_is_hirescam_of_the_answer(self) -> None:
        """Draelos and Carin (2020), worked out again here: every token by its own gradient."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = ViTSmall14(Shape(size=56, taps=(1, 2), width=24, depth=2, attention_heads=2)).eval()
        crop = np.random.default_rng(0).integers(0, 256, (56, 56, 3), np.uint8)
        given = Input(size=56, mean=network.mean, std=network.std)
        seen = SeenCrop(crop, network, given, 1)
        face = Explainable(CropSquare(28, 28, 56, 0), (seen,), 0.0, lambda changed: np.zeros(1))
        kept: list[torch.Tensor] = []
        hooks = [
            layer.register_forward_hook(lambda module, inputs, out: (kept.append(out), out.retain_grad())[0])
            for layer in network.cam_layers
        ]
        images = network.normalise(torch.from_numpy(crop[None])).requires_grad_(True)
        network(images)[0, 1].backward()
        for hook in hooks:
            hook.remove()
        assert len(kept) == 2, "both blocks"
        coarse = np.zeros((4, 4), np.float32)
        for tokens in kept:
            assert tokens.grad is not None
            shares = (tokens * tokens.grad)[0, 1:].sum(dim=1)
            coarse += shares.reshape(4, 4).detach().numpy()
        coarse = np.maximum(cv2.GaussianBlur(coarse, (0, 0), 0.7, borderType=cv2.BORDER_REPLICATE), 0)
        expected = np.maximum(cv2.resize(coarse, crop.shape[:2], interpolation=cv2.INTER_CUBIC), 0)
        expected = np.maximum(expected - expected.mean(), 0)
        assert expected.any()
        assert heatmap_of(face) == pytest.approx(expected, rel=1e-3, abs=1e-6)


class TestHideAndRescore:
    def test_check_values_are_consistent(self, scorer: Scorer, crop: np.ndarray) -> None:
        (heat,) = maps_of_crops(scorer, [crop])
        check = occlusion_check(scorer, face_of(scorer, crop), heat, seed=0)
        assert check.area == pytest.approx(HIDDEN_AREA, abs=0.001) and HIDDEN_AREA == 0.15
        logit = float(scorer.logits([crop])[0])
        assert check.probability == pytest.approx(scorer.probability(logit), abs=1e-3)
        assert check.hidden_highlight == pytest.approx(
            scorer.probability(logit - check.drop_highlight), abs=1e-3
        )

    def test_deterministic_by_seed(self, scorer: Scorer, crop: np.ndarray) -> None:
        (heat,) = maps_of_crops(scorer, [crop])
        first, again, other = (
            occlusion_check(scorer, face_of(scorer, crop), heat, seed) for seed in (1, 1, 2)
        )
        assert first == again
        assert first.drop_highlight == pytest.approx(other.drop_highlight, abs=1e-3)
        assert first.drop_random != other.drop_random

    def test_check_hides_only_the_hottest_area(self, scorer: Scorer, crop: np.ndarray) -> None:
        """Where the hottest part is flat already, blurring it changes nothing; elsewhere it does."""
        size = crop.shape[0]
        flat = np.random.default_rng(3).integers(0, 255, crop.shape, np.uint8)
        heat = np.zeros((size, size), np.float32)
        band = slice(0, size // 5)  # a fifth of the crop: more than is hidden
        flat[: size // 2] = 128
        heat[band] = 1
        check = occlusion_check(scorer, face_of(scorer, flat), heat, seed=0)
        assert abs(check.drop_highlight) < 1e-3
        assert abs(check.drop_random) > 10 * abs(check.drop_highlight)

    def test_faces_of_a_photograph_share_the_random_areas(self) -> None:
        assert [len(random_area_numbers(0, n)) for n in (0, 1, 2, 3, 4, 8, 100)] == [5, 5, 5, 5, 4, 2, 2]
        assert [random_area_numbers(number, 2) for number in range(2)] == [(0, 1, 2, 3, 4), (5, 6, 7, 0, 1)]
        of_all = [area for number in range(20) for area in random_area_numbers(number, 20)]
        assert {of_all.count(place) for place in range(8)} == {5}

    def test_fewer_areas_are_scored_and_recorded(self, scorer: Scorer, crop: np.ndarray) -> None:
        (heat,) = maps_of_crops(scorer, [crop])
        asked: list[int] = []

        def counted(changed: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
            asked.append(len(changed[0]))
            return scorer.logits(changed[0])

        face = dataclasses.replace(face_of(scorer, crop), logits=counted)
        few, many = (occlusion_check(scorer, face, heat, 0, areas) for areas in ((0, 1), range(8)))
        assert asked == [3, 9] and (few.areas, many.areas) == (2, 8)
        assert few.drop_highlight == pytest.approx(many.drop_highlight, abs=1e-3)

    def test_uniform_picture_has_no_drop(self, scorer: Scorer, crop: np.ndarray) -> None:
        grey = face_of(scorer, np.full_like(crop, 128))
        check = occlusion_check(scorer, grey, np.random.default_rng(0).random(crop.shape[:2]), seed=0)
        assert abs(check.drop_highlight) < 1e-3 and abs(check.drop_random) < 1e-3


class TestStrengths:
    def test_strongest_of_each_method(self, explained: Explained) -> None:
        maps = [with_heat(explained, np.full_like(explained.heat, top)) for top in (0.5, 3.0, 1.0)]
        other = with_heat(explained, np.full_like(explained.heat, 7.0), method=MapMethod.HIDDEN_PARTS)
        first = dataclasses.replace(maps[0], further=(other,))
        assert strengths([first, *maps]) == {MapMethod.GRAD_CAM: 3.0, MapMethod.HIDDEN_PARTS: 7.0}
        assert strengths([with_heat(explained, np.zeros_like(explained.heat))]) == {MapMethod.GRAD_CAM: 1.0}
