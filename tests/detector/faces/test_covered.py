"""Faces with covered mouth or eyes are reported and decide nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from engine_clips import ALL_FLAGGED, room

from detector import Parameters, Verdict, analyze
from detector.faces.crop import crop_square, square_for_face
from detector.faces.search.networks import FaceDetector
from detector.faces.tracks import COVERED_THRESHOLD, CoverNet, Covers
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.verdict import left_open
from detector.verdict.judged_persons import flagged_persons
from detector.verdict.left_open import LeftOpen
from verification.agreement import compare_analyses

Draw = Callable[[Image], None]


def to_points(picture: Image, *shares: tuple[float, float]) -> list[tuple[int, int]]:
    height, width = picture.shape[:2]
    return [(int(x * width), int(y * height)) for x, y in shares]


def draw_banner(picture: Image) -> None:
    """Across the mouth, which is at 0.62 of the portrait's height."""
    corners = to_points(picture, (0, 0.57), (1, 0.7))
    cv2.rectangle(picture, corners[0], corners[1], (24, 28, 90), -1)
    (at,), size = to_points(picture, (0.03, 0.665)), picture.shape[0] / 400
    cv2.putText(
        picture, "LIVE: the mayor", at, cv2.FONT_HERSHEY_DUPLEX, size, (255, 255, 255), 1, cv2.LINE_AA
    )


def draw_mask(picture: Image) -> None:
    outline = to_points(picture, (0.3, 0.5), (0.5, 0.46), (0.71, 0.5), (0.69, 0.68), (0.5, 0.8), (0.32, 0.68))
    cv2.fillPoly(picture, [np.array(outline)], (175, 205, 225), cv2.LINE_AA)


def draw_bar_over_eyes(picture: Image) -> None:
    corners = to_points(picture, (0.3, 0.35), (0.72, 0.46))
    cv2.rectangle(picture, corners[0], corners[1], (0, 0, 0), -1)


def draw_strip_below(picture: Image) -> None:
    corners = to_points(picture, (0, 0.82), (1, 0.9))
    cv2.rectangle(picture, corners[0], corners[1], (24, 28, 90), -1)


def find_faces(picture: Image) -> list[Image]:
    wall = room(picture, side=200)
    return [crop_square(wall, square_for_face(face), 128) for face in FaceDetector()(wall)]


@pytest.fixture(scope="module")
def net() -> CoverNet:
    return CoverNet()


@pytest.mark.parametrize("draw", [draw_banner, draw_mask, draw_bar_over_eyes])
def test_covers_of_mouth_or_eyes_are_recognised(net: CoverNet, portrait: Image, draw: Draw) -> None:
    covered = portrait.copy()
    draw(covered)
    (crop,) = find_faces(covered)
    assert net(crop) >= COVERED_THRESHOLD


def test_bare_face_is_not_covered(net: CoverNet, portrait: Image) -> None:
    below = portrait.copy()
    draw_strip_below(below)
    for picture in (portrait, portrait[:, ::-1], below, cv2.GaussianBlur(portrait, (0, 0), 2), portrait // 2):
        (crop,) = find_faces(np.ascontiguousarray(picture))
        assert net(crop) < COVERED_THRESHOLD


def test_every_fourth_face_of_a_track_is_measured(portrait: Image) -> None:
    bare, hidden = portrait.copy(), portrait.copy()
    draw_mask(hidden)
    (bare,), (hidden,) = find_faces(bare), find_faces(hidden)
    covers = Covers()
    shown = [bare, hidden, hidden, hidden, hidden, bare, bare, bare, bare]
    flags = [covers.is_covered(0, number, crop) for number, crop in enumerate(shown)]
    assert flags == [False] * 4 + [True] * 4 + [False]
    assert covers.is_covered(1, 9, hidden), "another track is looked at in its first frame"


@pytest.mark.parametrize("draw", [None, draw_mask])
def test_covered_faces_cause_no_finding(
    tmp_path: Path, scan: LoadedModel, portrait: Image, draw: Draw | None
) -> None:
    picture = portrait.copy()
    if draw is not None:
        draw(picture)
    path = write_clip(
        tmp_path / "clip.mp4", [room(picture, side=200, x=40 + number // 2) for number in range(40)]
    )
    analysis = analyze(path, model=scan, parameters=Parameters(**{**ALL_FLAGGED, "second_look": 0}))
    covered = draw is not None
    assert [person.covered for person in analysis.persons] == [float(covered)]
    assert analysis.segments
    assert analysis.verdict is (Verdict.INCONCLUSIVE if covered else Verdict.MANIPULATED)
    assert flagged_persons(analysis.persons, analysis.segments) == ([] if covered else ["A"])
    assert left_open.cause_of(analysis) is (LeftOpen.COVERED if covered else None)
    reason = "Person A: the threshold for a finding is reached, but mouth or eyes seem covered"
    assert analysis.reason.startswith(reason) is covered
    assert "alterations beneath" not in analysis.reason, "it is said once"
    assert compare_analyses(analysis, analysis).agree


@pytest.mark.parametrize("draw", [None, draw_banner])
def test_photo_of_a_covered_face_is_inconclusive(
    tmp_path: Path, portrait: Image, draw: Draw | None, model: LoadedModel
) -> None:
    picture = portrait.copy()
    if draw is not None:
        draw(picture)
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), room(picture, 640, 480, side=400)[..., ::-1])
    analysis = analyze(path, model=model)
    (person,) = analysis.persons
    assert person.covered == float(draw is not None)
    if draw is not None:
        assert analysis.verdict is Verdict.INCONCLUSIVE
        assert left_open.cause_of(analysis) is LeftOpen.ALL_COVERED
        assert "Person A: mouth or eyes seem covered" in analysis.reason
