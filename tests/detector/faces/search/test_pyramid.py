"""Small faces in large photographs are found, each once."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from detector.demo_clip import portraits
from detector.faces.crop import Face
from detector.faces.search.photos import PyramidSearch, find_upright_turn
from detector.faces.search.places import is_among
from detector.faces.search.search import FaceSearch
from detector.media.frame import Frame
from detector.schema.analysis import Parameters

SHAPE = (1950, 2600, 3)
HEAD = (80, 95)  # px: the face in it is about 50 px wide, 12 as the whole is searched
LARGE = (900, 1060)


def draw_crowd(places: list[tuple[int, int]], large: tuple[int, int] | None = None) -> np.ndarray:
    """A photograph with a small head at each of ``places`` (left, top), and a large one."""
    collins, hopper = portraits()
    heads = [collins[0:220, 150:330], hopper[20:400, 110:420]]
    picture = np.full(SHAPE, (96, 120, 150), np.uint8)
    for number, (x, y) in enumerate(places):
        head = cv2.resize(heads[number % 2], HEAD, interpolation=cv2.INTER_AREA)
        picture[y : y + HEAD[1], x : x + HEAD[0]] = head
    if large is not None:
        x, y = large
        head = cv2.resize(heads[1], LARGE, interpolation=cv2.INTER_CUBIC)
        picture[y : y + LARGE[1], x : x + LARGE[0]] = head
    return picture


def find_faces(picture: np.ndarray, still: bool = True, **changed: float) -> list[Face]:
    search = FaceSearch(Parameters(**changed), still=still)  # type: ignore[arg-type]
    frames = search.process_frame(Frame(0, Fraction(0), picture, 0), False) + search.flush()
    return frames[0].faces


# Some lie where tiles of 640 px meet, at this size or at half of it: at 512 and 640 px from the left.
PLACES = [(40, 30), (975, 260), (1245, 262), (1990, 980), (2480, 1800), (1240, 1000), (500, 1270)]


def test_each_small_face_is_found_once() -> None:
    picture = draw_crowd(PLACES)
    assert not [face for face in find_faces(picture, still=False) if face.confidence >= 0.7]
    faces = find_faces(picture)
    for x, y in PLACES:
        middle = x + HEAD[0] / 2, y + HEAD[1] / 2
        there = [
            face
            for face in faces
            if face.box[0] < middle[0] < face.box[2] and face.box[1] < middle[1] < face.box[3]
        ]
        assert len(there) == 1 and there[0].confidence >= 0.7
        assert 40 < there[0].width < 75
    assert len(faces) == len(PLACES)


def test_large_face_keeps_its_box_from_the_whole_search() -> None:
    picture = draw_crowd(PLACES[:1], large=(300, 500))[:1600, :1280]
    (of_whole,) = [face for face in find_faces(picture, still=False) if face.width > 300]
    of_whole_and_tiles = find_faces(picture)
    assert len(of_whole_and_tiles) == 2
    (large,) = [face for face in of_whole_and_tiles if face.width > 300]
    assert large.box == of_whole.box and large.confidence == of_whole.confidence


@pytest.mark.parametrize("shape", [(600, 900, 3), (1280, 700, 3)])
def test_small_photo_needs_no_tiles(shape: tuple[int, int, int]) -> None:
    picture = draw_crowd(PLACES)[: shape[0], : shape[1]].copy()
    alone, with_tiles = find_faces(picture, still=False), find_faces(picture)
    assert [face.box for face in alone] == [face.box for face in with_tiles]


def test_more_confident_detection_counts_unless_the_whole_search_was_confident() -> None:
    picture = draw_crowd(PLACES[:1], large=(300, 500))[:1600, :1280]
    (large,) = [face for face in find_faces(picture, still=False) if face.width > 300]
    unsure = Face(large.box, 0.55, large.landmarks)
    for given, kept in ((large, True), (unsure, False)):
        (detection,) = [
            face
            for face in PyramidSearch(Parameters())(picture, [given])
            if face.width > 300 and is_among(face.box, [large])
        ]
        assert (detection == given) == kept and detection.confidence >= 0.7


@pytest.mark.parametrize("width", [128, 2000])
def test_tile_size_is_independent_of_search_width(width: int) -> None:
    faces = find_faces(draw_crowd(PLACES[:2])[:800, :1300], detection_width=width)
    assert len([face for face in faces if face.confidence >= 0.7]) == 2


@pytest.mark.parametrize("turned", [1, 2])
def test_a_large_photograph_of_small_faces_is_turned(turned: int) -> None:
    """Searched whole at such a width, its faces are too small to be found."""
    picture = np.rot90(draw_crowd(PLACES[:2])[:500, :1150], turned)
    parameters = Parameters(detection_width=300, minimum_face=36)
    assert find_upright_turn([picture], parameters) == 0
    assert find_upright_turn([picture], parameters, still=True) == turned
