"""Heatmaps that keep their values, and the check that they tell the truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from detector.explain.heatmaps import (
    HIDDEN_AREA,
    Explained,
    explain,
    heat_layer,
    heatmap_of,
    heatmaps,
    occlusion_check,
    overlay,
    random_places,
    read_png,
    shared_maximum,
    to_kept_size,
    write_overlay,
    write_png,
)
from detector.faces.crop import CropSquare, Face, roll
from detector.faces.detections import Detection
from detector.models.card import Input
from detector.networks.vit_small_14 import Shape, ViTSmall14
from detector.scoring.explainable import Explainable, Seen
from detector.scoring.scorer import Scorer


@pytest.fixture(scope="module")
def explained(scorer: Scorer, astronaut: np.ndarray, face: Face) -> Explained:
    peak = Detection(0, 0.0, 0, 0, True, face.box, roll(face), None, None)
    return explain(scorer, scorer.explainable(astronaut, peak), "A1-1", face.box, 0)


def face_of(scorer: Scorer, crop: np.ndarray) -> Explainable:
    square = CropSquare(0, 0, crop.shape[0], 0)
    logit = float(scorer.logits([crop])[0])
    seen = Seen(crop, scorer.network, scorer.card.input)
    return Explainable(square, (seen,), logit, lambda changed: scorer.logits(changed[0]))


def hooks(scorer: Scorer) -> int:
    return sum(
        len(module._forward_hooks) + len(module._backward_hooks) + len(module._forward_pre_hooks)
        for module in scorer.network.modules()
    )


def with_heat(explained: Explained, heat: np.ndarray, **changes: object) -> Explained:
    return Explained(
        **{**vars(explained), "heat": np.ascontiguousarray(heat, np.float32), **changes}  # type: ignore[arg-type]
    )


class TestHeatmaps:
    def test_not_negative_and_of_the_crops_size(self, scorer: Scorer, crop: np.ndarray) -> None:
        (heat,) = heatmaps(scorer, [crop])
        assert heat.shape == crop.shape[:2]
        assert heat.min() >= 0 and np.isfinite(heat).all()

    def test_it_is_gradcam_of_the_logit(self, scorer: Scorer, crop: np.ndarray) -> None:
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
        (heat,) = heatmaps(scorer, [crop])
        common = np.sqrt(first * second)
        expected = np.maximum(common - common.mean(), 0)
        assert heat.any() and heat == pytest.approx(expected, rel=1e-3, abs=1e-5)

    def test_no_crop_changes_anothers_scale(self, scorer: Scorer, crop: np.ndarray) -> None:
        faint = cv2.addWeighted(crop, 0.2, np.full_like(crop, 128), 0.8, 0)
        alone = [heatmaps(scorer, [one])[0] for one in (crop, faint)]
        together = heatmaps(scorer, [crop, faint])
        for a, b in zip(alone, together, strict=True):
            assert a == pytest.approx(b, rel=1e-2, abs=1e-4)
        assert together[0].max() != pytest.approx(together[1].max(), rel=1e-3)

    def test_deterministic(self, scorer: Scorer, crop: np.ndarray) -> None:
        first, second = (heatmaps(scorer, [crop])[0] for _ in range(2))
        assert np.array_equal(first, second)

    def test_nothing_is_left_behind(self, scorer: Scorer, crop: np.ndarray) -> None:
        before = scorer.logits([crop])
        heatmaps(scorer, [crop])
        assert hooks(scorer) == 0
        assert all(p.grad is None for p in scorer.network.parameters())
        assert not any(p.requires_grad for p in scorer.network.parameters())
        assert not scorer.network.training
        assert scorer.logits([crop]).tolist() == before.tolist()

    def test_hooks_are_released_when_it_fails(self, scorer: Scorer) -> None:
        with pytest.raises(RuntimeError):
            heatmaps(scorer, [np.zeros((4, 4, 0), np.uint8)])
        assert hooks(scorer) == 0


class TestTransformers:
    def test_it_is_hirescam_of_the_answer(self) -> None:
        """Draelos and Carin (2020), worked out again here: every token by its own gradient."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = ViTSmall14(Shape(size=56, taps=(1, 2), width=24, depth=2, attention_heads=2)).eval()
        crop = np.random.default_rng(0).integers(0, 256, (56, 56, 3), np.uint8)
        given = Input(size=56, mean=network.mean, std=network.std)
        seen = Seen(crop, network, given, 1)
        face = Explainable(CropSquare(28, 28, 56, 0), (seen,), 0.0, lambda changed: np.zeros(1))
        kept: list[torch.Tensor] = []
        hooks = [
            layer.register_forward_hook(lambda module, inputs, out: (kept.append(out), out.retain_grad())[0])
            for layer in network.cam_layers
        ]
        images = network.normalised(torch.from_numpy(crop[None])).requires_grad_(True)
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
    def test_figures_fit_together(self, scorer: Scorer, crop: np.ndarray) -> None:
        (heat,) = heatmaps(scorer, [crop])
        check = occlusion_check(scorer, face_of(scorer, crop), heat, seed=0)
        assert check.area == pytest.approx(HIDDEN_AREA, abs=0.001) and HIDDEN_AREA == 0.15
        logit = float(scorer.logits([crop])[0])
        assert check.probability == pytest.approx(scorer.probability(logit), abs=1e-3)
        assert check.hidden_highlight == pytest.approx(
            scorer.probability(logit - check.drop_highlight), abs=1e-3
        )

    def test_deterministic_by_seed(self, scorer: Scorer, crop: np.ndarray) -> None:
        (heat,) = heatmaps(scorer, [crop])
        first, again, other = (
            occlusion_check(scorer, face_of(scorer, crop), heat, seed) for seed in (1, 1, 2)
        )
        assert first == again
        assert first.drop_highlight == pytest.approx(other.drop_highlight, abs=1e-3)
        assert first.drop_random != other.drop_random

    def test_it_hides_the_hottest_area_and_no_other(self, scorer: Scorer, crop: np.ndarray) -> None:
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

    def test_faces_of_a_photograph_share_what_two_would_take(self) -> None:
        assert [len(random_places(0, n)) for n in (0, 1, 2, 3, 4, 8, 100)] == [8, 8, 8, 5, 4, 2, 2]
        assert {random_places(number, 2) for number in range(2)} == {tuple(range(8))}
        of_all = [place for number in range(20) for place in random_places(number, 20)]
        assert {of_all.count(place) for place in range(8)} == {5}

    def test_fewer_areas_are_scored_and_said(self, scorer: Scorer, crop: np.ndarray) -> None:
        (heat,) = heatmaps(scorer, [crop])
        asked: list[int] = []

        def counted(changed: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
            asked.append(len(changed[0]))
            return scorer.logits(changed[0])

        face = dataclasses.replace(face_of(scorer, crop), logits=counted)
        few, many = (occlusion_check(scorer, face, heat, 0, places) for places in ((0, 1), range(8)))
        assert asked == [3, 9] and (few.areas, many.areas) == (2, 8)
        assert few.drop_highlight == pytest.approx(many.drop_highlight, abs=1e-3)

    def test_a_picture_without_detail_loses_nothing(self, scorer: Scorer, crop: np.ndarray) -> None:
        grey = face_of(scorer, np.full_like(crop, 128))
        check = occlusion_check(scorer, grey, np.random.default_rng(0).random(crop.shape[:2]), seed=0)
        assert abs(check.drop_highlight) < 1e-3 and abs(check.drop_random) < 1e-3


def drawn(frame: np.ndarray, explained: Explained, full: float, scale: float) -> np.ndarray:
    layer = heat_layer(explained, full, scale, (frame.shape[1], frame.shape[0]))
    assert layer.shape == (*frame.shape[:2], 4) and layer.dtype == np.uint8
    return overlay(frame, layer, explained.box, scale)


class TestOverlay:
    def near_the_box(self, shape: tuple[int, ...], box: tuple[float, ...], reach: int) -> np.ndarray:
        near = np.zeros(shape[:2], np.uint8)
        x0, y0, x1, y1 = map(round, box)
        cv2.rectangle(near, (x0, y0), (x1, y1), 1, 2 * reach + 1)
        return near.astype(bool)

    def test_it_differs_only_inside_the_square_and_on_the_box(
        self, astronaut: np.ndarray, explained: Explained
    ) -> None:
        hot = with_heat(explained, np.ones_like(explained.heat))
        out = drawn(astronaut, hot, 1.0, 1.0)
        changed = (out != astronaut).any(axis=2)
        square = explained.square
        rows, columns = np.mgrid[0:512, 0:512]
        reach = square.side / 2 + 1
        inside = (np.abs(columns - square.x) <= reach) & (np.abs(rows - square.y) <= reach)
        assert not changed[~inside & ~self.near_the_box(out.shape, explained.box, 3)].any()
        core = (np.abs(columns - square.x) <= reach - 4) & (np.abs(rows - square.y) <= reach - 4)
        assert changed[core].mean() > 0.99

    def test_a_turned_square_too(self, astronaut: np.ndarray, explained: Explained) -> None:
        turned = CropSquare(explained.square.x, explained.square.y, explained.square.side, 30.0)
        hot = with_heat(explained, np.ones_like(explained.heat), square=turned)
        changed = (drawn(astronaut, hot, 1.0, 1.0) != astronaut).any(axis=2)
        rows, columns = np.mgrid[0:512, 0:512]
        back = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ turned.matrix(100).T
        inside = ((back > -2) & (back < 102)).all(axis=-1)
        assert not changed[~inside & ~self.near_the_box(changed.shape, explained.box, 3)].any()
        core = ((back > 4) & (back < 96)).all(axis=-1)
        assert changed[core].mean() > 0.99

    def test_where_it_is_hottest_is_where_the_map_says(self, explained: Explained) -> None:
        """One hot quarter of the map lights that quarter of the square."""
        size = explained.heat.shape[0]
        heat = np.zeros_like(explained.heat)
        heat[: size // 2, size // 2 :] = 1
        frame = np.full((512, 512, 3), 90, np.uint8)
        out = drawn(frame, with_heat(explained, heat, box=(4, 4, 20, 20)), 1.0, 1.0)
        out[:30, :30] = 90
        rows, columns = np.nonzero((out != frame).any(axis=2))
        square = explained.square
        assert columns.mean() == pytest.approx(square.x + square.side / 4, abs=1.5)
        assert rows.mean() == pytest.approx(square.y - square.side / 4, abs=1.5)

    def test_cold_shows_the_frame_itself(self, astronaut: np.ndarray, explained: Explained) -> None:
        out = drawn(astronaut, with_heat(explained, np.zeros_like(explained.heat)), 1.0, 1.0)
        changed = (out != astronaut).any(axis=2)
        assert changed.any(), "the box is drawn"
        assert not changed[~self.near_the_box(out.shape, explained.box, 3)].any()

    def test_less_heat_on_the_shared_scale_is_fainter(self, explained: Explained) -> None:
        hot = with_heat(explained, np.ones_like(explained.heat))
        black = np.zeros((512, 512, 3), np.uint8)
        spot = (round(explained.square.y), round(explained.square.x))
        lit = [int(drawn(black, hot, full, 1.0)[spot].sum()) for full in (1.0, 2.0, 5.0, 1000.0)]
        assert lit == sorted(set(lit), reverse=True)
        assert lit[0] > 400 and lit[-1] < 10

    def test_on_a_frame_kept_smaller(self, explained: Explained) -> None:
        small = np.full((256, 256, 3), 90, np.uint8)
        hot = with_heat(explained, np.ones_like(explained.heat), box=(220, 120, 230, 130))
        rows, columns = np.nonzero((drawn(small, hot, 1.0, 0.5) != small).any(axis=2))
        square = explained.square
        assert (columns.min() + columns.max()) / 2 == pytest.approx(square.x / 2, abs=1.5)
        assert columns.max() - columns.min() == pytest.approx(square.side / 2, abs=3)
        assert (rows.min() + rows.max()) / 2 == pytest.approx(square.y / 2, abs=1.5)

    def test_a_face_at_the_edge(self, astronaut: np.ndarray, explained: Explained) -> None:
        hot = with_heat(
            explained, np.ones_like(explained.heat), square=CropSquare(0, 500, 90, 0), box=(-40, 460, 30, 540)
        )
        assert drawn(astronaut, hot, 1.0, 1.0).shape == astronaut.shape


class TestKeptPictures:
    def test_one_scale_for_all(self, explained: Explained) -> None:
        maps = [with_heat(explained, np.full_like(explained.heat, top)) for top in (0.5, 3.0, 1.0)]
        assert shared_maximum(maps) == 3.0
        assert shared_maximum([]) == 1.0
        assert shared_maximum([with_heat(explained, np.zeros_like(explained.heat))]) == 1.0

    def test_png_round_trip(self, tmp_path: Path, astronaut: np.ndarray) -> None:
        write_png(tmp_path / "frame.png", astronaut)
        assert np.array_equal(cv2.imread(str(tmp_path / "frame.png"))[:, :, ::-1], astronaut)
        assert [p.name for p in tmp_path.iterdir()] == ["frame.png"]

    def test_wide_frames_are_kept_smaller(self) -> None:
        assert to_kept_size(np.zeros((1080, 1920, 3), np.uint8)).shape == (720, 1280, 3)
        assert to_kept_size(np.zeros((720, 1280, 3), np.uint8)).shape == (720, 1280, 3)

    def test_overlays_beside_the_frames(
        self, tmp_path: Path, astronaut: np.ndarray, explained: Explained
    ) -> None:
        wide = cv2.resize(astronaut, (2560, 2560), interpolation=cv2.INTER_LINEAR)
        write_png(tmp_path / "A1-1-frame.png", to_kept_size(wide))
        square = explained.square
        on_wide = with_heat(
            explained,
            np.ones_like(explained.heat),
            square=CropSquare(square.x * 5, square.y * 5, square.side * 5, square.angle),
            box=tuple(v * 5 for v in explained.box),
        )
        write_overlay(read_png(tmp_path / "A1-1-frame.png"), on_wide, 1.0, wide.shape[1], tmp_path)
        frame, over = (cv2.imread(str(tmp_path / f"A1-1{end}.png")) for end in ("-frame", ""))
        assert over.shape == frame.shape == (1280, 1280, 3)
        rows, columns = np.nonzero((over != frame).any(axis=2))
        alone = cv2.imread(str(tmp_path / "A1-1-map.png"), cv2.IMREAD_UNCHANGED)
        assert alone.shape == (1280, 1280, 4)
        lit = np.nonzero(alone[..., 3])[1]
        assert (lit.min() + lit.max()) / 2 == pytest.approx(square.x * 2.5, abs=3)
        assert lit.max() - lit.min() == pytest.approx(square.side * 2.5, abs=6)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(square.x * 2.5, abs=8)
