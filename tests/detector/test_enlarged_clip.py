"""The result says of a small video stored as a large one that it holds less detail than its size promises."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from clips import write_clip

from detector.engine import analyze
from detector.models.loaded import load_model
from detector.schema.analysis import Analysis, Parameters


def analysis_of(path: Path, width: int, enlarged: int) -> Analysis:
    """Analyse 8 frames of a face that is ``width`` px wide before they are enlarged."""
    scale = width / 120
    small = cv2.resize(skimage.data.astronaut(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = small[: small.shape[0] // 2 * 2, : small.shape[1] // 2 * 2]
    large = cv2.resize(small, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_CUBIC)
    pictures = [np.roll(large, shift, axis=1) for shift in range(8)]
    write_clip(path, pictures, options={"crf": "18", "preset": "ultrafast"})
    model, parameters = load_model().alone, Parameters(second_look=0, sound=False)
    return analyze(path, model=model, parameters=parameters, explain=False)


def test_the_result_of_an_enlarged_video_says_so(tmp_path: Path) -> None:
    analysis = analysis_of(tmp_path / "clip.mp4", 60, 3)
    media = analysis.media
    assert 2 <= media.enlarged <= 4
    (cause,) = (cause for cause in analysis.causes if cause.code == "enlarged")
    assert cause.parameters == {
        "width": round(media.width / media.enlarged),
        "height": round(media.height / media.enlarged),
    }
    assert "have no more detail than about" in analysis.reason
    assert analysis.coverage.frames_with_usable_face


def test_a_video_at_its_true_size_has_no_such_note(tmp_path: Path) -> None:
    analysis = analysis_of(tmp_path / "clip.mp4", 120, 1)
    assert analysis.media.enlarged == 1 and "enlarged" not in {cause.code for cause in analysis.causes}
