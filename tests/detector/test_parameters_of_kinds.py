"""What each parameter concerns: videos, photographs or both; first pass, second look or what comes after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip
from engine_clips import ALL_FLAGGED, NONE_FLAGGED, room

from detector import Analysis, Parameters, analyze, environment
from detector.media.open import open_media
from detector.models.loaded import LoadedModel
from detector.schema.analysis import MediaKind
from detector.schema.method import (
    FIRST_PASS_PARAMETERS,
    LATER_PARAMETERS,
    PHOTO_PARAMETERS,
    SECOND_LOOK_PARAMETERS,
    VIDEO_PARAMETERS,
)
from detector.scoring.first_pass import FirstPass
from detector.scoring.scorer import Scorer

# A new parameter is named here or in the sets beside `Parameters`.
OF_BOTH_KINDS = {
    "detection_threshold", "detection_width", "minimum_face", "minimum_confidence", "minimum_contrast",
    "minimum_sharpness", "maximum_sharpness", "enter_threshold", "doubt_threshold", "second_look", "seed",
}  # fmt: skip
AFTER_FIRST_PASS = {
    "edge_window", "edge_level", "median_window", "enter_threshold", "exit_threshold", "merge_gap",
    "minimum_duration", "minimum_usable_frames", "doubt_threshold", "second_look", "alternate_heads",
    "average_odds", "seed",
}  # fmt: skip
OF_READING = {"skip_unreferenced", "sound"}

# As far from the defaults as may be.
OTHER_OF_VIDEOS: dict[str, Any] = {
    "sample_rate": 1.0, "search_interval": 0.0, "edge_window": 0.0, "edge_level": 0.0, "median_window": 9.0,
    "exit_threshold": 0.9, "merge_gap": 9.0, "minimum_duration": 9.0, "bridge_gap": 0.0,
    "minimum_usable_frames": 999, "skip_unreferenced": False, "interpolate_below": 0.0,
    "alternate_heads": False, "sound": False,
}  # fmt: skip
OTHER_OF_PHOTOS: dict[str, Any] = {
    "minimum_colour": 255.0, "minimum_detail": 1.0, "maximum_flatness": 1e-6, "average_odds": False,
}  # fmt: skip


def test_every_parameter_has_a_kind() -> None:
    names = set(Parameters.model_fields)
    where = "name it once here, or in a set beside `Parameters`"
    assert names == OF_BOTH_KINDS | VIDEO_PARAMETERS | PHOTO_PARAMETERS, where
    assert len(names) == len(OF_BOTH_KINDS) + len(VIDEO_PARAMETERS) + len(PHOTO_PARAMETERS)
    assert names == FIRST_PASS_PARAMETERS | AFTER_FIRST_PASS | OF_READING, where
    assert len(names) == len(FIRST_PASS_PARAMETERS) + len(AFTER_FIRST_PASS) + len(OF_READING)
    assert names >= set(LATER_PARAMETERS)


def test_descriptions_mark_parameters_for_photographs() -> None:
    descriptions = {name: str(field.description) for name, field in Parameters.model_fields.items()}
    assert {name for name in descriptions if descriptions[name].startswith("photos:")} == PHOTO_PARAMETERS
    assert {name for name in descriptions if descriptions[name].startswith("videos:")} <= VIDEO_PARAMETERS


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """A second of one usable face that moves a little."""
    path = tmp_path_factory.mktemp("talking") / "talking.mp4"
    return write_clip(path, [room(portrait, side=200, x=40 + i // 2) for i in range(30)])


def _found(analysis: Analysis) -> dict[str, Any]:
    return analysis.model_dump(exclude={"parameters", "software"})


@pytest.mark.parametrize("thresholds", [ALL_FLAGGED, NONE_FLAGGED], ids=["flagged", "calm"])
def test_video_parameters_do_not_affect_photographs(
    still: Path, fused: LoadedModel, thresholds: dict[str, Any]
) -> None:
    assert OTHER_OF_VIDEOS.keys() == VIDEO_PARAMETERS
    as_shipped, otherwise = (
        analyze(still, model=fused, parameters=Parameters(**given))
        for given in (thresholds, thresholds | OTHER_OF_VIDEOS)
    )
    assert as_shipped.media.kind is MediaKind.IMAGE and as_shipped.probability is not None
    assert _found(as_shipped) == _found(otherwise)


def test_photograph_parameters_do_not_affect_videos(talking: Path, scan: LoadedModel) -> None:
    assert OTHER_OF_PHOTOS.keys() == PHOTO_PARAMETERS
    as_shipped, otherwise = (
        analyze(talking, model=scan, parameters=Parameters(**ALL_FLAGGED, **given))
        for given in ({}, OTHER_OF_PHOTOS)
    )
    assert as_shipped.segments
    assert _found(as_shipped) == _found(otherwise)


def _asking(**given: Any) -> tuple[Parameters, set[str]]:
    """Parameters, and the names of those that they have been asked for."""
    asked: set[str] = set()

    class Asked(Parameters):
        def __getattribute__(self, name: str) -> Any:
            if name in Parameters.model_fields:
                asked.add(name)
            return super().__getattribute__(name)

    parameters = Asked(**given)
    asked.clear()
    return parameters, asked


def test_first_pass_uses_only_its_own_parameters(still: Path, talking: Path, scan: LoadedModel) -> None:
    """Or faces that were recorded for a replay would be taken for those of other parameters."""
    parameters, asked = _asking()
    for path in (still, talking):
        with open_media(path) as reader:
            first_pass = FirstPass(reader, parameters, Scorer(scan, still=path is still))
            for frame, is_cut in first_pass.with_cuts(reader.frames(8.0)):
                first_pass.process_frame(frame, is_cut)
            (left,) = first_pass.post_process()
        assert len(left.detections.scored_rows)
    assert asked == FIRST_PASS_PARAMETERS


def test_second_look_parameters_are_used_nowhere_else(
    still: Path, talking: Path, fused: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a report says that an analysis without one was made otherwise than measured."""
    monkeypatch.setattr(environment, "repeat_command", lambda *_: "")  # it asks for all, to name them
    asked_for: dict[int, set[str]] = {0: set(), 2: set()}
    for moments, asked_so_far in asked_for.items():
        for thresholds in (ALL_FLAGGED, NONE_FLAGGED):
            parameters, asked = _asking(**thresholds | {"second_look": moments})
            for path in (still, talking):
                flagged = analyze(path, model=fused, parameters=parameters).segments
                assert bool(flagged) is (thresholds is ALL_FLAGGED)
            asked_so_far |= asked
    assert (asked_for[2] - asked_for[0]) | {"second_look"} == SECOND_LOOK_PARAMETERS
