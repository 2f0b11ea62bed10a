"""Clips in which one portrait dissolves into another, through the whole engine."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from engine_clips import ALL_FLAGGED, room

from detector.comparison.compare import compare
from detector.demo_clip import portraits
from detector.engine import analyze
from detector.models.loaded import LoadedModel
from detector.schema.analysis import Analysis, Parameters
from training.evaluation.recorded_clips import record

_OVER = 12  # frames of 25 a second
_EACH = 50


def dissolved(path: Path, before: np.ndarray, after: np.ndarray) -> Path:
    """Two seconds of one picture, two of the other, and half a second in between in which they are mixed."""
    shares = np.clip((np.arange(2 * _EACH + _OVER) - _EACH + 1) / (_OVER + 1), 0, 1)
    return write_clip(path, [cv2.addWeighted(before, 1 - share, after, share, 0) for share in shares])


def analysed(clip: Path, model: LoadedModel) -> Analysis:
    return analyze(clip, model=model, parameters=Parameters(**ALL_FLAGGED))


@pytest.fixture(scope="module")
def heads() -> tuple[np.ndarray, np.ndarray]:
    """Two persons, where a dissolve leaves the face in its place."""
    collins, hopper = portraits()
    return room(collins[0:220, 150:370], side=220, x=50), room(hopper[20:420, 60:460], side=220, x=50)


def test_two_persons_stay_separate(
    tmp_path: Path, heads: tuple[np.ndarray, np.ndarray], fused: LoadedModel
) -> None:
    analysis = analysed(dissolved(tmp_path / "two.mp4", *heads), fused)
    assert analysis.coverage.faces_found == analysis.coverage.frames_sampled == 36
    assert len(analysis.persons) == 2
    middle = (_EACH + _OVER / 2) / 25
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


def test_comparison_and_recording_separate_them_too(
    tmp_path: Path, heads: tuple[np.ndarray, np.ndarray]
) -> None:
    clip = dissolved(tmp_path / "two.mp4", *heads)
    assert len(compare(clip, clip).persons) == 2
    recording, crops = record(clip, 64, tmp_path / "recordings", Parameters())
    assert sorted(recording.persons) == [[0], [1]]
    assert len(recording.faces) == 36
    assert sum(face.crop is not None for face in recording.faces) == len(crops)
    tracks = [face.track for face in recording.faces]
    assert tracks == sorted(tracks) and set(tracks) == {0, 1}
