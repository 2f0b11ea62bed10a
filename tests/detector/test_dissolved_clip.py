"""Clips in which one portrait dissolves into another, through the whole engine."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from dissolves import EACH, OVER, dissolved, two_heads
from engine_clips import ALL_FLAGGED

from detector.comparison.compare import compare
from detector.engine import analyze
from detector.models.loaded import LoadedModel
from detector.schema.analysis import Analysis, Parameters


def analysed(clip: Path, model: LoadedModel) -> Analysis:
    return analyze(clip, model=model, parameters=Parameters(**ALL_FLAGGED))


@pytest.fixture(scope="module")
def heads() -> tuple[np.ndarray, np.ndarray]:
    return two_heads()


def test_two_persons_stay_separate(
    tmp_path: Path, heads: tuple[np.ndarray, np.ndarray], fused: LoadedModel
) -> None:
    analysis = analysed(dissolved(tmp_path / "two.mp4", *heads), fused)
    assert analysis.coverage.faces_found == analysis.coverage.frames_sampled == 36
    assert len(analysis.persons) == 2
    middle = (EACH + OVER / 2) / 25
    first, second = sorted(analysis.persons, key=lambda person: person.scores[0].time)
    assert first.scores[-1].time < second.scores[0].time
    assert abs(first.scores[-1].time - middle) < 0.25 and abs(second.scores[0].time - middle) < 0.25
    for person in (first, second):
        (segment,) = (candidate for candidate in analysis.segments if candidate.person == person.id)
        assert len(person.tracks) == 1
        moments = person.second_look.moments
        for time in (segment.start, segment.end, *(moment.time for moment in moments)):
            assert person.scores[0].time <= time <= person.scores[-1].time
        assert all((score.logit is not None) is score.usable for score in person.scores)


def test_same_person_in_another_pose_is_one(
    tmp_path: Path, heads: tuple[np.ndarray, np.ndarray], fused: LoadedModel
) -> None:
    head = heads[0]
    posed = cv2.warpAffine(head, np.array([[1.1, 0.05, -20], [-0.05, 1.1, -5.0]]), head.shape[1::-1])
    analysis = analysed(dissolved(tmp_path / "one.mp4", head, posed), fused)
    (person,) = analysis.persons
    assert person.usable_frames == analysis.coverage.frames_sampled


def test_comparison_separates_them_too(tmp_path: Path, heads: tuple[np.ndarray, np.ndarray]) -> None:
    clip = dissolved(tmp_path / "two.mp4", *heads)
    assert len(compare(clip, clip).persons) == 2
