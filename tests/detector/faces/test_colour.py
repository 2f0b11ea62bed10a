"""Faces in footage without colour, or toned, are reported and give no finding."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from engine_clips import ALL_FLAGGED, room

from detector import Parameters, Verdict, analyze
from detector.faces.quality import is_grey
from detector.models.loaded import LoadedModel
from detector.verdict import left_open
from detector.verdict.judged_persons import flagged_persons
from detector.verdict.left_open import LeftOpen
from verification.agreement import compare_analyses

GREY, SEPIA, NIGHT = (1.0, 1.0, 1.0), (0.95, 0.78, 0.55), (0.35, 1.0, 0.45)


def apply_tone(picture: np.ndarray, tone: tuple[float, float, float]) -> np.ndarray:
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return (grey * tone).astype(np.uint8)


def compress(picture: np.ndarray) -> np.ndarray:
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize("tone", [GREY, SEPIA, NIGHT])
def test_toned_picture_has_no_colour(portrait: np.ndarray, tone: tuple[float, float, float]) -> None:
    face = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    assert is_grey(compress(apply_tone(face, tone)))


def test_weak_or_shifted_colour_counts(portrait: np.ndarray) -> None:
    face = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    pale = cv2.addWeighted(face, 0.6, apply_tone(face, GREY), 0.4, 0)
    dark = (face * 0.25).astype(np.uint8)
    for image in (face, compress(face), pale, dark, (face * SEPIA).astype(np.uint8)):
        assert not is_grey(image)


@pytest.mark.parametrize(("tone", "colourless"), [(None, False), (NIGHT, True), (GREY, True)])
def test_grey_faces_cause_no_finding(
    tmp_path: Path,
    scan: LoadedModel,
    portrait: np.ndarray,
    tone: tuple[float, float, float] | None,
    colourless: bool,
) -> None:
    face = portrait if tone is None else apply_tone(portrait, tone)
    wall = [room(face, side=200, x=40 + number // 2) for number in range(40)]
    path = write_clip(tmp_path / "clip.mp4", wall)
    analysis = analyze(path, model=scan, parameters=Parameters(**{**ALL_FLAGGED, "second_look": 0}))
    assert [person.grey for person in analysis.persons] == [float(colourless)]
    assert analysis.segments
    assert analysis.verdict is (Verdict.INCONCLUSIVE if colourless else Verdict.MANIPULATED)
    assert flagged_persons(analysis.persons, analysis.segments) == ([] if colourless else ["A"])
    assert left_open.cause_of(analysis) is (LeftOpen.COLOURLESS if colourless else None)
    reason = "Person A: the threshold for a finding is reached, but by faces without colour"
    assert analysis.reason.startswith(reason) is colourless
    assert ("Most faces judged are without colour" in analysis.reason) is colourless
    assert compare_analyses(analysis, analysis).agree
