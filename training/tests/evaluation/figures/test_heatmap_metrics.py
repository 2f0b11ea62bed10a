"""Figures of heatmaps against worked examples; maps of each method at each layer."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.explain.heatmaps import maps_of_crops
from detector.scoring.scorer import Scorer
from training.data.labelled_sets import DataSetError
from training.evaluation.heatmaps import (
    CENTRE,
    ENGINE,
    PERFECT,
    RANDOM,
    blended_faces,
    cam_maps,
    centre_maps,
    energy_ratios,
    layers,
    measure_maps,
    pointing_hits,
    random_maps,
    road,
)


@pytest.fixture(scope="module")
def crops(astronaut: np.ndarray) -> list[np.ndarray]:
    return [cv2.resize(astronaut[40 + i : 200 + i, 140:300], (128, 128)) for i in range(2)]


def test_energy_and_pointing_worked_example() -> None:
    mask = np.zeros((5, 4, 4), bool)
    mask[:, :2, :2] = True  # a quarter
    maps = np.zeros((5, 4, 4), np.float32)
    maps[0] = 1  # even
    maps[1, 0, 0] = 3  # all inside
    maps[2, 3, 3] = 3  # all outside
    maps[3, 0, 0], maps[3, 3, 3] = 1, 3  # a quarter inside, hottest outside
    assert energy_ratios(maps, mask) == pytest.approx([1, 4, 0, 1, 1])
    assert pointing_hits(maps, mask) == pytest.approx([0.25, 1, 0, 0, 0.25])


def test_random_maps_know_nothing() -> None:
    maps = random_maps(200, 32)
    mask = np.zeros((200, 32, 32), bool)
    mask[:, 4:16, 8:24] = True
    assert energy_ratios(maps, mask).mean() == pytest.approx(1, abs=0.1)
    assert np.array_equal(maps, random_maps(200, 32)) and not np.array_equal(maps, random_maps(200, 32, 1))
    (centre,) = centre_maps(1, 32)
    assert centre.argmax() in {15 * 32 + 15, 15 * 32 + 16, 16 * 32 + 15, 16 * 32 + 16}


def test_methods_at_layers(scorer: Scorer, crops: list[np.ndarray]) -> None:
    places = layers(scorer.network)
    assert list(places) == [f"backbone.blocks.{i}" for i in range(2, 7)] + ["backbone.bn2"]
    some = {name: places[name] for name in ("backbone.blocks.5", "backbone.bn2")}
    assert list(some.values()) == list(scorer.network.cam_layers)
    methods = ["Grad-CAM", "HiResCAM", "LayerCAM"]
    made = {(m, at): maps for m, at, maps in cam_maps(scorer, crops, methods, some)}
    assert len(made) == 6
    assert all(maps.shape == (2, 128, 128) and (maps >= 0).all() for maps in made.values())
    # In the last layer, with a linear head behind a mean, both are the same (Draelos and Carin, 2020).
    last = [made[method, "backbone.bn2"] for method in ("Grad-CAM", "HiResCAM")]
    assert np.allclose(*last, rtol=1e-3, atol=1e-5)
    # The engine's is hot nowhere that Grad-CAM, of the crop and of its mirror image, is cold.
    mirrored = [np.ascontiguousarray(crop[:, ::-1]) for crop in crops]
    back = {at: maps[..., ::-1] for _, at, maps in cam_maps(scorer, mirrored, ["Grad-CAM"], some)}
    engine = np.stack(maps_of_crops(scorer, crops))
    for at in some:
        assert engine.any() and not engine[made["Grad-CAM", at] + back[at] == 0].any()


def test_road_rewards_the_right_place(scorer: Scorer, crops: list[np.ndarray]) -> None:
    """A map and its reverse get opposite figures; the same map gets the same twice."""
    maps = random_maps(2, 128)
    first, reverse = road(scorer, crops, maps), road(scorer, crops, maps.max() - maps)
    assert np.array_equal(first, road(scorer, crops, maps))
    assert first == pytest.approx(-reverse, abs=0.2)


def test_on_photographs(data: Path, scorer: Scorer) -> None:
    rows = measure_maps(data / "photos-real.zip", scorer, lambda text: None, 2, ["Grad-CAM"])
    assert rows[0]["method"] == ENGINE
    assert [row["method"] for row in rows[-3:]] == [RANDOM, CENTRE, PERFECT]
    assert rows[-1]["pointing"] == 1.0
    assert all(rows[-1]["energy"] >= row["energy"] for row in rows)  # type: ignore[operator]


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos-real.zip").write_bytes(b"PK\x03\x04 half of it")
    with pytest.raises(DataSetError, match=r"photos-real\.zip: not a zip, or damaged"):
        blended_faces(tmp_path / "photos-real.zip", 64)
