"""Figures of heatmaps against worked examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.scoring.scorer import Scorer
from training.data.labelled_sets import DataSetError
from training.evaluation.heatmaps import (
    CENTRE,
    ENGINE,
    PERFECT,
    RANDOM,
    blended_faces,
    centre_maps,
    energy_ratios,
    measure_maps,
    pointing_hits,
    random_maps,
)


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


def test_on_photographs(data: Path, scorer: Scorer) -> None:
    rows = measure_maps(data / "photos-real.zip", scorer, lambda text: None, 2)
    assert rows[0]["method"] == ENGINE
    assert [row["method"] for row in rows[-3:]] == [RANDOM, CENTRE, PERFECT]
    assert rows[-1]["pointing"] == 1.0
    assert all(rows[-1]["energy"] >= row["energy"] for row in rows)  # type: ignore[operator]


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos-real.zip").write_bytes(b"PK\x03\x04 half of it")
    with pytest.raises(DataSetError, match=r"photos-real\.zip: not a zip, or damaged"):
        blended_faces(tmp_path / "photos-real.zip", 64)
