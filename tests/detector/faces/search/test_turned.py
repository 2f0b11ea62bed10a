"""Sideways and upside-down pictures are turned; pictures of leaning people are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.demo_clip import portraits
from detector.faces.search.photos import find_upright_turn
from detector.schema.analysis import Parameters


@pytest.fixture(scope="module")
def two_people() -> np.ndarray:
    collins, hopper = portraits()
    picture = np.full((520, 900, 3), (96, 120, 150), np.uint8)
    for number, head in enumerate((collins[0:220, 150:330], hopper[20:400, 110:420])):
        picture[60:460, 60 + 440 * number : 400 + 440 * number] = cv2.resize(head, (340, 400))
    return cv2.resize(picture, (450, 260), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("turned", range(4))
def test_a_picture_is_turned_upright(two_people: np.ndarray, turned: int) -> None:
    """Sideways most faces are found as well, and landmarks say that they lean by less than they do."""
    stored = np.ascontiguousarray(np.rot90(two_people, turned))
    assert find_upright_turn([stored], Parameters()) == turned
    assert find_upright_turn([stored], Parameters(), still=True) == turned


@pytest.mark.parametrize("degrees", [-40, 40])
def test_leaning_people_turn_nothing(two_people: np.ndarray, degrees: int) -> None:
    height, width = two_people.shape[:2]
    leaning = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.7)
    assert find_upright_turn([cv2.warpAffine(two_people, leaning, (width, height))], Parameters()) == 0


def test_single_frame_turns_nothing(two_people: np.ndarray) -> None:
    upside_down, plain = np.rot90(two_people, 2), np.zeros_like(two_people)
    assert find_upright_turn([upside_down, plain, plain], Parameters()) == 0
    assert find_upright_turn([upside_down, upside_down, plain], Parameters()) == 2
