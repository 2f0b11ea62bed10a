"""Whether maps lie on replaced parts, on made maps and a photograph."""

from __future__ import annotations

import numpy as np
import pytest

from detector.faces.search.networks import FaceDetector
from detector.models.loaded import LoadedModel
from training.second_look.measuring.heatmap_checks import CompositeMap, composite_figures, maps_of

SIDE = 8


def placed(replaced: tuple[bool, ...], at: tuple[int, int]) -> CompositeMap:
    """Parts are quarters of the crop; the map is hot at one place."""
    places = np.zeros((4, SIDE, SIDE), bool)
    for number in range(4):
        y, x = 4 * (number // 2), 4 * (number % 2)
        places[number, y : y + 4, x : x + 4] = True
    heat = np.zeros((SIDE, SIDE), np.float32)
    heat[at] = 1.0
    return CompositeMap(heat, places, replaced)


def test_hits_are_compared_with_chance() -> None:
    first, last = (True, False, False, False), (False, False, False, True)
    figures = composite_figures([placed(first, (1, 1)), placed(last, (6, 6)), placed(last, (6, 1))])
    assert figures["composites"] == 3
    assert figures["hottest place on a replaced part"] == pytest.approx(2 / 3)
    assert figures["the same, by their area"] == pytest.approx(1 / 4)
    assert figures["the same, parts replaced in the others"] == pytest.approx(1 / 6)
    assert figures["energy on replaced parts"] == pytest.approx(8 / 3)


def test_parts_lie_where_the_face_has_them(astronaut: np.ndarray, model: LoadedModel) -> None:
    detector = FaceDetector()
    maps = maps_of(model, detector, astronaut, "1000")
    assert maps is not None and maps[1].heat.shape == maps[0].heat.shape
    composite = maps[0]
    assert composite.replaced == (True, False, False, False)
    assert composite.heat.shape == composite.places.shape[1:] and composite.heat.min() >= 0
    rows, columns = (
        [np.argwhere(place)[:, axis].mean() / composite.heat.shape[0] for place in composite.places]
        for axis in (0, 1)
    )
    left, right, nose, mouth = range(4)
    assert rows[left] < rows[nose] < rows[mouth] and columns[left] < columns[nose] < columns[right]
    assert all(0.1 < place < 0.9 for place in (*rows, *columns))
    assert maps_of(model, detector, np.zeros((64, 64, 3), np.uint8), "1000") is None
