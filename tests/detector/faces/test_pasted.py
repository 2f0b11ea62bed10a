"""Edges of photographs that were pasted into a larger picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.faces.patch import bounds_of_photo, cut_patch, cut_photo_patch, patch_reach
from detector.faces.search.networks import FaceDetector

HEAD = (slice(0, 220), slice(150, 330))  # of the astronaut
PLACE = (130, 90)  # px, left and top in the larger picture
GROUNDS = [(255, 255, 255), (0, 0, 0), (96, 120, 150)]


@pytest.fixture(scope="module")
def box(astronaut: np.ndarray) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = FaceDetector()(astronaut)[0].box
    return (x0 - HEAD[1].start, y0, x1 - HEAD[1].start, y1)


def paste(head: np.ndarray, ground: tuple[int, int, int], quality: int | None) -> np.ndarray:
    out = np.full((420, 460, 3), ground, np.uint8)
    (x, y), (height, width) = PLACE, head.shape[:2]
    out[y : y + height, x : x + width] = head
    if quality is None:
        return out
    data = cv2.imencode(".jpg", out[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].copy()


def move_box(box: tuple[float, ...]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    return (x0 + PLACE[0], y0 + PLACE[1], x1 + PLACE[0], y1 + PLACE[1])


@pytest.mark.parametrize("quality", [None, 90, 60])
@pytest.mark.parametrize("ground", GROUNDS)
def test_patch_ends_at_the_edges_of_the_photograph(
    astronaut: np.ndarray, box: tuple, ground: tuple[int, int, int], quality: int | None
) -> None:
    head = astronaut[HEAD]
    picture, at = paste(head, ground, quality), move_box(box)
    left, top, right, bottom = bounds_of_photo(picture, at, patch_reach(at))
    x, y = PLACE
    assert x <= left <= x + 4 and x + 180 - 4 <= right <= x + 180
    assert y <= top <= y + 4
    patch, own = cut_photo_patch(picture, at), cut_patch(head, box)
    assert patch.image.shape[1] <= own.image.shape[1] < cut_patch(picture, at).image.shape[1]
    face = [picture[round(at[1]) : round(at[3]), round(at[0]) : round(at[2])]]
    x0, y0, x1, y1 = (round(value) for value in patch.box)
    face.append(patch.image[y0:y1, x0:x1])
    assert np.abs(np.subtract(*map(np.mean, face))) < 1


def test_plain_photograph_stays_whole(astronaut: np.ndarray, box: tuple) -> None:
    at = tuple(value + (HEAD[1].start if number % 2 == 0 else 0) for number, value in enumerate(box))
    for picture in (astronaut, cv2.GaussianBlur(astronaut, (0, 0), 2), np.ascontiguousarray(astronaut[:300])):
        height, width = picture.shape[:2]
        assert bounds_of_photo(picture, at, patch_reach(at)) == (0, 0, width, height)


def test_head_in_front_of_a_plain_wall_stays_whole() -> None:
    """The head's outline is no straight edge, however plain the wall is."""
    picture = np.full((300, 300, 3), 200, np.uint8)
    cv2.ellipse(picture, (150, 150), (62, 90), 0, 0, 360, (120, 90, 70), -1)
    assert bounds_of_photo(picture, (105.0, 90.0, 195.0, 215.0), 170) == (0, 0, 300, 300)


@pytest.mark.parametrize(
    "box", [(-20.0, -10.0, 60.0, 70.0), (250.0, 240.0, 330.0, 320.0), (0.0, 0.0, 3.0, 3.0)]
)
def test_a_face_at_the_edge_or_beyond_it(box: tuple[float, float, float, float]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    assert bounds_of_photo(picture, box, 100) == (0, 0, 300, 300)
