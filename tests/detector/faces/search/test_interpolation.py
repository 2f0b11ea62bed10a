"""Faces are followed between two looks, and searched where that fails."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from detector.faces.crop import Face
from detector.faces.search.matching import faces_between
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box

SIDE = 60


def make_face(left: float, top: float = 50.0, side: float = SIDE, confidence: float = 0.9) -> Face:
    points = np.array([[left + side * x, top + side * y] for x, y in ((0.3, 0.4), (0.7, 0.4))], np.float32)
    return Face((left, top, left + side, top + side), confidence, points)


def make_frames(astronaut: Image, lefts: list[float], covered: tuple[int, ...] = ()) -> list[Frame]:
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
        number = next(i for i, candidate in enumerate(self._images) if candidate is image)
        self.numbers.append(number)
        return self._there[number]


def fail_on_search(image: Image, box: Box) -> Face | None:
    raise AssertionError("it was looked for")


def left_edges(found: list[Face] | None) -> list[float]:
    assert found is not None
    return [face.box[0] for face in found]


def test_still_face_stays_on_the_line(astronaut: Image) -> None:
    shown = make_frames(astronaut, [100, 101, 102, 103, 104])
    faces = faces_between(
        shown, make_face(100, confidence=0.8), make_face(104, confidence=0.9), fail_on_search
    )
    assert left_edges(faces) == pytest.approx([101, 102, 103], abs=0.3)
    assert faces is not None and [f.confidence for f in faces] == pytest.approx([0.825, 0.85, 0.875])
    for face in faces:
        assert np.allclose(face.landmarks, make_face(face.box[0], face.box[1]).landmarks, atol=0.01)


def test_frames_that_are_not_evenly_spaced(astronaut: Image) -> None:
    first, _, _, third, last = make_frames(astronaut, [100, 101, 102, 103, 104])
    middle = Frame(1, Fraction(3, 8), third.image, 1)
    faces = faces_between([first, middle, last], make_face(100), make_face(104), fail_on_search)
    assert left_edges(faces) == pytest.approx([103], abs=0.3)


@pytest.mark.parametrize(
    "lefts", [[100, 100, 100, 112, 124], [100, 110, 115, 110, 100]], ids=["sets off", "comes back"]
)
def test_face_off_the_line_is_followed(astronaut: Image, lefts: list[float]) -> None:
    faces = faces_between(
        make_frames(astronaut, lefts), make_face(lefts[0]), make_face(lefts[-1]), fail_on_search
    )
    assert left_edges(faces) == pytest.approx(lefts[1:-1], abs=0.6)


def test_approaching_face_is_followed(astronaut: Image) -> None:
    sides = [60.0, 64, 68, 72, 76]
    shown = []
    for number, side in enumerate(sides):
        image = np.full((200, 400, 3), 90, np.uint8)
        portrait = cv2.resize(
            astronaut[60:180, 160:280], (int(side), int(side)), interpolation=cv2.INTER_AREA
        )
        image[50 : 50 + int(side), 100 + 5 * number : 100 + 5 * number + int(side)] = portrait
        shown.append(Frame(number, Fraction(number, 8), image, number))
    faces = faces_between(shown, make_face(100, side=60), make_face(120, side=76), fail_on_search)
    assert faces is not None
    for number, face in enumerate(faces, start=1):
        wanted = make_face(100 + 5 * number, side=sides[number]).box
        assert face.box == pytest.approx(wanted, abs=1.5)


def test_no_frames_between_neighbours(astronaut: Image) -> None:
    assert (
        faces_between(make_frames(astronaut, [100, 150]), make_face(100), make_face(150), fail_on_search)
        == []
    )


def test_leaping_face_causes_a_look(astronaut: Image) -> None:
    lefts = [100.0, 100, 100, 180, 180]
    shown = make_frames(astronaut, lefts)
    looks = Looks(shown, [make_face(left) for left in lefts])
    faces = faces_between(shown, make_face(100), make_face(180), looks)
    assert left_edges(faces) == pytest.approx([100, 100, 180], abs=0.3)
    assert 1 <= len(looks.numbers) <= 2


@pytest.mark.parametrize("covered", [1, 2, 3])
def test_covered_face_causes_a_look(astronaut: Image, covered: int) -> None:
    shown = make_frames(astronaut, [100] * 5, covered=(covered,))
    there: list[Face | None] = [make_face(100)] * 5
    there[covered] = None
    looks = Looks(shown, there)
    assert faces_between(shown, make_face(100), make_face(100), looks) is None
    assert covered in looks.numbers


def test_plain_face_matches_nothing(astronaut: Image) -> None:
    """Nor is one that lies beyond the frame: both are looked for."""
    shown = [Frame(i, Fraction(i, 8), np.full((200, 400, 3), 90, np.uint8), i) for i in range(3)]
    for box in (make_face(100), make_face(-300)):
        looks = Looks(shown, [box] * 3)
        assert faces_between(shown, box, box, looks) == [box]
        assert looks.numbers == [1]


def test_at_the_edge_of_the_frame(astronaut: Image) -> None:
    """A box may reach beyond the picture."""
    shown = make_frames(astronaut, [0, 0, 0])
    (face,) = faces_between(shown, make_face(-9.5, -3.0), make_face(-8.5, -3.0), fail_on_search) or []
    assert face.box[0] == pytest.approx(-9.0, abs=1.0)
