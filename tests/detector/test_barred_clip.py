"""Faces in blurred bars around a picture repeat those of the picture: they count as nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from clips import write_clip
from engine_clips import ALL_FLAGGED

from detector.engine import analyze
from detector.models.loaded import load_model
from detector.schema.analysis import Parameters

HEIGHT, WIDTH, INNER = 360, 640, 202


def panels(picture: np.ndarray) -> np.ndarray:
    """A blurred copy of the upright ``picture`` on either side of it."""
    copy = cv2.resize(picture, ((WIDTH - INNER) // 2, HEIGHT))
    blurred = cv2.GaussianBlur(copy, (0, 0), 4)
    return np.concatenate([blurred, picture, blurred], axis=1)


def behind(picture: np.ndarray) -> np.ndarray:
    """An enlarged and blurred copy of the upright ``picture`` behind it."""
    height = round(HEIGHT * WIDTH / INNER)
    large = cv2.resize(picture, (WIDTH, height))[(height - HEIGHT) // 3 :][:HEIGHT]
    frame = cv2.GaussianBlur(large, (0, 0), 8)
    frame[:, (WIDTH - INNER) // 2 :][:, :INNER] = picture
    return frame


def black(picture: np.ndarray) -> np.ndarray:
    return np.pad(picture, ((0, 0), ((WIDTH - INNER) // 2, (WIDTH - INNER) // 2), (0, 0)))


def stacked(picture: np.ndarray) -> np.ndarray:
    """A wide picture with blurred copies of it above and below."""
    wide = cv2.resize(picture[40:240], (INNER, 200))
    blurred = cv2.GaussianBlur(wide, (0, 0), 4)
    return np.concatenate([blurred, wide, blurred], axis=0)


@pytest.mark.parametrize(
    ("frame_of", "size", "copies"),
    [
        (panels, (INNER, HEIGHT), True),
        (behind, (INNER, HEIGHT), False),
        (black, (INNER, HEIGHT), False),
        (stacked, (INNER, 200), True),
    ],
)
def test_faces_in_bars_count_as_nobody(
    tmp_path: Path, frame_of: Callable[[np.ndarray], np.ndarray], size: tuple[int, int], copies: bool
) -> None:
    large = cv2.resize(skimage.data.astronaut(), (420, 420), interpolation=cv2.INTER_AREA)
    pictures = [frame_of(large[:HEIGHT, 90 + shift :][:, :INNER]) for shift in range(12)]
    path = write_clip(tmp_path / "clip.mp4", pictures, options={"crf": "18", "preset": "ultrafast"})
    parameters = Parameters(**ALL_FLAGGED).model_copy(update={"second_look": 0, "sound": False})
    analysis = analyze(path, model=load_model().alone, parameters=parameters, explain=False)
    bars = analysis.coverage.bars
    assert bars is not None and bars.frames == analysis.coverage.frames_sampled
    assert abs(bars.width - size[0]) <= 4 and abs(bars.height - size[1]) <= 4
    assert (bars.faces > 0) is copies
    (person,) = analysis.persons
    x0, y0, x1, y1 = person.median_box
    left, top = (analysis.media.width - size[0]) / 2, (analysis.media.height - size[1]) / 2
    assert left < (x0 + x1) / 2 < left + size[0] and top < (y0 + y1) / 2 < top + size[1]
    assert {segment.person for segment in analysis.segments} == {person.id}
    (cause,) = (cause for cause in analysis.causes if cause.code == "bars")
    assert cause.parameters == {"frames": bars.frames, "width": bars.width, "height": bars.height}
