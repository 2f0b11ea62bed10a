"""A picture that stays on the screen is examined, whichever frame of its sampling interval it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from engine_clips import ALL_FLAGGED, room
from PIL import Image

from detector import Parameters, analyze
from detector.models.loaded import LoadedModel
from detector.verdict.derived_fields import contradictions
from verification.agreement import compare_analyses

AT = 42  # number of the frame that stays: at 1.68 s, after one at 1.64 s in the same eighth of a second
_FAST = {"crf": "16", "bf": "3", "b-pyramid": "normal", "preset": "veryfast"}


def pictures(face: np.ndarray, *, there: bool, count: int = 60) -> list[np.ndarray]:
    """A face for one frame only, or in all but that one, on a grey wall."""
    made = []
    for number in range(count):
        shown = (
            room(face, side=200, x=60) if (number == AT) is there else np.full((240, 320, 3), 120, np.uint8)
        )
        shown[:8, :8] = 4 * number  # or an animation would hold equal ones once
        made.append(shown)
    return made


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
@pytest.mark.parametrize("there", [True, False], ids=["a face", "no face"])
def test_held_picture_in_the_middle(
    tmp_path: Path, scan: LoadedModel, portrait: np.ndarray, name: str, *, there: bool
) -> None:
    pts = [number + 124 * (number > AT) for number in range(60)]
    path = write_clip(tmp_path / name, pictures(portrait, there=there), pts=pts, options=_FAST)
    analysis = analyze(path, model=scan)
    on_screen = sum(person.screen_time for person in analysis.persons)
    without = [(span.start, span.end) for span in analysis.coverage.not_examined]
    if there:
        assert on_screen == pytest.approx(5.0, abs=0.02)
        assert [score.time for person in analysis.persons for score in person.scores] == [1.68]
        assert without == [(0.0, 1.68), pytest.approx((6.68, 7.36), abs=0.02)]
    else:
        assert on_screen == pytest.approx(2.36, abs=0.05)
        assert without == [pytest.approx((1.68, 6.68), abs=0.02)]
    assert analysis.media.duration == pytest.approx(7.36, abs=0.05)


def test_held_picture_at_the_end(tmp_path: Path, scan: LoadedModel, portrait: np.ndarray) -> None:
    path = tmp_path / "clip.gif"
    first, *others = map(Image.fromarray, pictures(portrait, there=True, count=AT + 1))
    first.save(path, save_all=True, append_images=others, duration=[40] * AT + [5000])
    analysis = analyze(path, model=scan)
    (person,) = analysis.persons
    assert person.screen_time == pytest.approx(5.0) and person.usable_frames == 1
    assert [(span.start, span.end) for span in analysis.coverage.not_examined] == [(0.0, 1.68)]


def test_derived_fields_of_a_held_picture_are_consistent(
    tmp_path: Path, scan: LoadedModel, portrait: np.ndarray
) -> None:
    """Where a person is in both samples of an interval, and frames around an end are judged besides."""
    moving = [room(portrait, side=200, x=30 + number) for number in range(60)]
    pts = [number + 20 * (number > AT) for number in range(60)]
    path = write_clip(tmp_path / "clip.mp4", moving, pts=pts, options=_FAST)
    analysis = analyze(path, model=scan, parameters=Parameters(**ALL_FLAGGED))
    (person,) = analysis.persons
    assert 1.68 in person.scores.time and analysis.coverage.frames_between
    assert not list(contradictions(analysis, True))
    assert compare_analyses(analysis, analysis).agree
