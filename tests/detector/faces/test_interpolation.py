"""Faces between two looks are predicted only where the prediction holds."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from detector.faces.crop import Face
from detector.faces.interpolation import faces_between
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box

SIDE = 60


def face(left: float, top: float = 50.0, side: float = SIDE, confidence: float = 0.9) -> Face:
    points = np.array([[left + side * x, top + side * y] for x, y in ((0.3, 0.4), (0.7, 0.4))], np.float32)
    return Face((left, top, left + side, top + side), confidence, points)


def frames(astronaut: Image, lefts: list[float], covered: tuple[int, ...] = ()) -> list[Frame]:
    """A real face at these places, or a hand's worth of one colour in its place."""
    portrait = cv2.resize(astronaut[60:180, 160:280], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    shown = []
    for number, left in enumerate(lefts):
        image = np.full((200, 400, 3), 90, np.uint8)
        x = round(left)
        image[50 : 50 + SIDE, x : x + SIDE] = portrait
        if number in covered:
            image[80 : 50 + SIDE, x : x + SIDE] = (200, 150, 130)
        shown.append(Frame(number, Fraction(number, 8), image, number))
    return shown


class Looks:
    """Finds what it is told is there, and remembers where it was asked to look."""

    def __init__(self, shown: list[Frame], there: list[Face | None]) -> None:
        self.numbers: list[int] = []
        self._images = [frame.image for frame in shown]
        self._there = there

    def __call__(self, image: Image, box: Box) -> Face | None:
        number = next(i for i, one in enumerate(self._images) if one is image)
        self.numbers.append(number)
        return self._there[number]


def never(image: Image, box: Box) -> Face | None:
    raise AssertionError("it was looked for")


def test_a_face_that_hardly_moves_lies_on_the_line(astronaut: Image) -> None:
    shown = frames(astronaut, [100, 101, 102, 103, 104])
    found = faces_between(shown, face(100, confidence=0.8), face(104, confidence=0.9), never)
    assert found is not None
    assert [f.box for f in found] == [face(left).box for left in (101, 102, 103)]
    assert [f.confidence for f in found] == pytest.approx([0.825, 0.85, 0.875])
    assert np.allclose([f.landmarks for f in found], [face(left).landmarks for left in (101, 102, 103)])


def test_frames_that_are_not_evenly_spaced(astronaut: Image) -> None:
    first, _, _, _, last = frames(astronaut, [100, 101, 102, 103, 104])
    middle = Frame(1, Fraction(3, 8), first.image, 1)
    (found,) = faces_between([first, middle, last], face(100), face(104), never) or []
    assert found.box == face(103).box


def test_nothing_lies_between_neighbours(astronaut: Image) -> None:
    assert faces_between(frames(astronaut, [100, 150]), face(100), face(150), never) == []


def test_what_moves_is_looked_for_until_the_rest_is_still(astronaut: Image) -> None:
    lefts = [100.0, 100, 100, 112, 124]
    shown = frames(astronaut, lefts)
    looks = Looks(shown, [face(left) for left in lefts])
    found = faces_between(shown, face(100), face(124), looks)
    assert found is not None and [f.box[0] for f in found] == [100, 100, 112]
    assert looks.numbers == [2, 3], "not frame 1, between two places that are the same"


@pytest.mark.parametrize("covered", [1, 2, 3])
def test_what_is_covered_on_the_way_is_looked_for(astronaut: Image, covered: int) -> None:
    shown = frames(astronaut, [100] * 5, covered=(covered,))
    there: list[Face | None] = [face(100)] * 5
    there[covered] = None
    looks = Looks(shown, there)
    assert faces_between(shown, face(100), face(100), looks) is None
    assert covered in looks.numbers


def test_what_comes_back_is_looked_for(astronaut: Image) -> None:
    """Both ends are alike, but in the middle it was elsewhere."""
    lefts = [100.0, 120, 140, 120, 100]
    shown = frames(astronaut, lefts)
    found = faces_between(shown, face(100), face(100), Looks(shown, [face(left) for left in lefts]))
    assert found is not None and [f.box[0] for f in found] == [120, 140, 120]


def test_at_the_edge_of_the_frame(astronaut: Image) -> None:
    """A box may reach beyond the picture."""
    shown = frames(astronaut, [0, 0, 0])
    (found,) = faces_between(shown, face(-9.5, -3.0), face(-8.5, -3.0), never) or []
    assert found.box[0] == -9.0
