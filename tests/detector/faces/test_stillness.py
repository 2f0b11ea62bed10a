"""Tracks that show one motionless picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from engine_clips import ALL_FLAGGED, NONE_FLAGGED, room

from detector import Parameters, Verdict, analyze
from detector.faces.tracks import Stillness
from detector.models.loaded import LoadedModel
from detector.verdict.validated_domain import STILL_AS_VIDEO, criteria
from reports.finding.not_examined import not_examined

BOX = (40.0, 40.0, 140.0, 160.0)
Picture = np.ndarray


def draw_scene() -> Picture:
    blotches = np.random.default_rng(3).uniform(0, 255, (24, 24, 3)).astype(np.uint8)
    return cv2.resize(blotches, (200, 200), interpolation=cv2.INTER_CUBIC)


def compress(picture: Picture, number: int) -> Picture:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40 + 5 * (number % 4)])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def darken(picture: Picture) -> Picture:
    return (picture * 0.08).astype(np.uint8)


def move_mouth(picture: Picture, number: int) -> Picture:
    """A tenth of the face, as a mouth, changes a little."""
    changed = picture.copy()
    changed[120:150, 70:110] = np.roll(changed[120:150, 70:110], 3 * (number % 3), axis=0)
    return changed


def is_still(show: Callable[[int], Picture], frames: int = 24, rate: float = 8.0) -> bool:
    stillness = Stillness()
    for number in range(frames):
        # A detector's boxes tremble, which moves nothing.
        box = tuple(edge + number % 3 for edge in BOX)
        stillness.add(7, number / rate, show(number), box)  # type: ignore[arg-type]
    return stillness.motionless() == {7}


@pytest.mark.parametrize(
    ("show", "still"),
    [
        (lambda picture, number: picture, True),
        (compress, True),
        (move_mouth, False),
        (lambda picture, number: move_mouth(darken(picture), number), False),
        (lambda picture, number: np.roll(picture, number // 4, axis=1), False),
    ],
)
def test_compressed_still_is_motionless(show: Callable[[Picture, int], Picture], still: bool) -> None:
    picture = draw_scene()
    assert is_still(lambda number: show(picture, number)) is still


def test_short_track_is_not_motionless() -> None:
    picture = draw_scene()
    assert not is_still(lambda number: picture, frames=10)
    assert not is_still(lambda number: picture, frames=7, rate=1.0)
    assert not is_still(lambda number: picture, frames=24, rate=25.0)
    assert is_still(lambda number: picture, frames=8, rate=1.0)


def test_tracks_are_measured_separately() -> None:
    stillness, picture = Stillness(), draw_scene()
    for number in range(24):
        stillness.add(0, number / 8, picture, BOX)
        stillness.add(1, number / 8, move_mouth(picture, number), (*BOX[:3], 400.0))
    assert stillness.motionless() == {0}


@pytest.mark.parametrize("still", [True, False])
def test_photograph_made_into_a_video_is_inconclusive(
    tmp_path: Path, scan: LoadedModel, portrait: np.ndarray, still: bool
) -> None:
    places = [40 if still else 40 + number // 2 for number in range(60)]
    shown = [room(portrait, side=200, x=x) for x in places]
    path = write_clip(tmp_path / "clip.mp4", shown, options={"crf": "28", "g": "12", "preset": "veryfast"})
    analysis = analyze(path, model=scan, parameters=Parameters(**NONE_FLAGGED, doubt_threshold=0.999999))
    assert [person.motionless for person in analysis.persons] == [still]
    assert analysis.verdict is (Verdict.INCONCLUSIVE if still else Verdict.NOT_FOUND)
    assert ("Person A: the picture does not move" in analysis.reason) is still
    assert analysis.reason.startswith("1 person judged in")
    outside = [criterion.name for criterion in criteria(analysis) if criterion.inside is False]
    assert (STILL_AS_VIDEO in outside) is still
    assert any(line.startswith("Stills: the picture of person A") for line in not_examined(analysis)) is still


def test_finding_in_a_motionless_face_stays(tmp_path: Path, scan: LoadedModel, portrait: np.ndarray) -> None:
    path = write_clip(tmp_path / "clip.mp4", [room(portrait, side=200, x=40)] * 60)
    analysis = analyze(path, model=scan, parameters=Parameters(**{**ALL_FLAGGED, "second_look": 0}))
    assert analysis.verdict is Verdict.MANIPULATED
    assert analysis.reason.endswith("which is judged by other rules.")
