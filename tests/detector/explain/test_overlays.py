"""Heatmaps drawn over frames, and the pictures that are kept of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from explained_faces import with_heat

from detector.explain.heatmaps import Explained
from detector.explain.overlays import (
    draw_box,
    heat_layer,
    overlay,
    read_png,
    to_kept_size,
    visible_levels,
    write_overlay,
    write_png,
)
from detector.faces.crop import CropSquare


def drawn(frame: np.ndarray, explained: Explained, scale: float) -> np.ndarray:
    layer = heat_layer(explained, scale, (frame.shape[1], frame.shape[0]))
    assert layer.shape == (*frame.shape[:2], 4) and layer.dtype == np.uint8
    return overlay(frame, layer, explained.box, scale)


class TestOverlay:
    def near_the_box(self, shape: tuple[int, ...], box: tuple[float, ...], reach: int) -> np.ndarray:
        near = np.zeros(shape[:2], np.uint8)
        x0, y0, x1, y1 = map(round, box)
        cv2.rectangle(near, (x0, y0), (x1, y1), 1, 2 * reach + 1)
        return near.astype(bool)

    def test_overlay_changes_only_square_and_box(self, astronaut: np.ndarray, explained: Explained) -> None:
        hot = with_heat(explained, np.ones_like(explained.heat))
        out = drawn(astronaut, hot, 1.0)
        changed = (out != astronaut).any(axis=2)
        square = explained.square
        rows, columns = np.mgrid[0:512, 0:512]
        reach = square.side / 2 + 1
        inside = (np.abs(columns - square.x) <= reach) & (np.abs(rows - square.y) <= reach)
        assert not changed[~inside & ~self.near_the_box(out.shape, explained.box, 3)].any()
        core = (np.abs(columns - square.x) <= reach - 4) & (np.abs(rows - square.y) <= reach - 4)
        assert changed[core].mean() > 0.99

    def test_overlay_with_a_rotated_square(self, astronaut: np.ndarray, explained: Explained) -> None:
        turned = CropSquare(explained.square.x, explained.square.y, explained.square.side, 30.0)
        hot = with_heat(explained, np.ones_like(explained.heat), square=turned)
        changed = (drawn(astronaut, hot, 1.0) != astronaut).any(axis=2)
        rows, columns = np.mgrid[0:512, 0:512]
        back = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ turned.matrix(100).T
        inside = ((back > -2) & (back < 102)).all(axis=-1)
        assert not changed[~inside & ~self.near_the_box(changed.shape, explained.box, 3)].any()
        core = ((back > 4) & (back < 96)).all(axis=-1)
        assert changed[core].mean() > 0.99

    def test_hottest_pixels_follow_the_map(self, explained: Explained) -> None:
        """One hot quarter of the map lights that quarter of the square."""
        size = explained.heat.shape[0]
        heat = np.zeros_like(explained.heat)
        heat[: size // 2, size // 2 :] = 1
        frame = np.full((512, 512, 3), 90, np.uint8)
        out = drawn(frame, with_heat(explained, heat, box=(4, 4, 20, 20)), 1.0)
        out[:30, :30] = 90
        rows, columns = np.nonzero((out != frame).any(axis=2))
        square = explained.square
        assert columns.mean() == pytest.approx(square.x + square.side / 4, abs=1.5)
        assert rows.mean() == pytest.approx(square.y - square.side / 4, abs=1.5)

    def test_cold_areas_show_the_frame(self, astronaut: np.ndarray, explained: Explained) -> None:
        out = drawn(astronaut, with_heat(explained, np.zeros_like(explained.heat)), 1.0)
        changed = (out != astronaut).any(axis=2)
        assert changed.any(), "the box is drawn"
        assert not changed[~self.near_the_box(out.shape, explained.box, 3)].any()

    def test_a_faint_map_is_as_visible_as_a_strong_one(self, explained: Explained) -> None:
        """Strength is stated as a number, not by darkness."""
        slope = np.tile(
            np.linspace(0, 1, explained.heat.shape[0], dtype=np.float32), (explained.heat.shape[0], 1)
        )
        black = np.zeros((512, 512, 3), np.uint8)
        strong, faint = (drawn(black, with_heat(explained, slope * top), 1.0) for top in (5.0, 0.001))
        assert np.abs(strong.astype(int) - faint).max() <= 1 and strong.max() > 150

    def test_the_hottest_tenth_is_visible(self) -> None:
        """Even of a map with one sharp point, which would leave the rest black."""
        rows, columns = np.mgrid[-64:64, -64:64]
        sharp = np.exp(-np.hypot(rows, columns) / 9).astype(np.float32)
        levels = visible_levels(sharp)
        assert np.quantile(sharp, 0.9) < 0.1 and np.quantile(levels, 0.9) == pytest.approx(0.5, abs=0.01)
        assert (np.argsort(levels, axis=None)[-1] == np.argsort(sharp, axis=None)[-1]) and levels.max() == 1
        assert not visible_levels(np.zeros((8, 8), np.float32)).any()

    def test_overlay_on_a_reduced_frame(self, explained: Explained) -> None:
        small = np.full((256, 256, 3), 90, np.uint8)
        hot = with_heat(explained, np.ones_like(explained.heat), box=(220, 120, 230, 130))
        rows, columns = np.nonzero((drawn(small, hot, 0.5) != small).any(axis=2))
        square = explained.square
        assert (columns.min() + columns.max()) / 2 == pytest.approx(square.x / 2, abs=1.5)
        assert columns.max() - columns.min() == pytest.approx(square.side / 2, abs=3)
        assert (rows.min() + rows.max()) / 2 == pytest.approx(square.y / 2, abs=1.5)

    def test_face_at_the_edge(self, astronaut: np.ndarray, explained: Explained) -> None:
        hot = with_heat(
            explained, np.ones_like(explained.heat), square=CropSquare(0, 500, 90, 0), box=(-40, 460, 30, 540)
        )
        assert drawn(astronaut, hot, 1.0).shape == astronaut.shape

    @pytest.mark.parametrize(("width", "seen"), [(20, 0.45), (63, 0.8), (400, 0.95)])
    def test_box_does_not_cover_the_face(self, width: int, seen: float) -> None:
        """In a picture 1280 px wide, whose width alone would ask for a black line of 6 px."""
        picture = np.full((960, 1280, 3), 90, np.uint8)
        draw_box(picture, (600, 400, 600 + width, 400 + width), 1.0)
        face = picture[401 : 400 + width, 601 : 600 + width]
        assert (face == 90).all(axis=2).mean() > seen
        assert (picture[400, 600:][:width] > 200).all(), "white in the middle"


class TestKeptPictures:
    def test_png_round_trip(self, tmp_path: Path, astronaut: np.ndarray) -> None:
        write_png(tmp_path / "frame.png", astronaut)
        assert np.array_equal(cv2.imread(str(tmp_path / "frame.png"))[:, :, ::-1], astronaut)
        assert [p.name for p in tmp_path.iterdir()] == ["frame.png"]

    def test_wide_frames_are_reduced(self) -> None:
        assert to_kept_size(np.zeros((1080, 1920, 3), np.uint8)).shape == (720, 1280, 3)
        assert to_kept_size(np.zeros((720, 1280, 3), np.uint8)).shape == (720, 1280, 3)

    def test_overlays_are_written_beside_the_frames(
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
        write_overlay(read_png(tmp_path / "A1-1-frame.png"), on_wide, wide.shape[1], tmp_path)
        frame, over = (cv2.imread(str(tmp_path / f"A1-1{end}.png")) for end in ("-frame", ""))
        assert over.shape == frame.shape == (1280, 1280, 3)
        rows, columns = np.nonzero((over != frame).any(axis=2))
        alone = cv2.imread(str(tmp_path / "A1-1-map.png"), cv2.IMREAD_UNCHANGED)
        assert alone.shape == (1280, 1280, 4)
        lit = np.nonzero(alone[..., 3])[1]
        assert (lit.min() + lit.max()) / 2 == pytest.approx(square.x * 2.5, abs=3)
        assert lit.max() - lit.min() == pytest.approx(square.side * 2.5, abs=6)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(square.x * 2.5, abs=8)
