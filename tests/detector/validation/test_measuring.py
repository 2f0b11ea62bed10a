"""What a validation keeps of an analysis, and makes of what it kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build, with_stability
from made_validation import item, items, validation

from detector.errors import ParameterError
from detector.schema.analysis import MediaKind, Parameters, Verdict
from detector.schema.laboratory import LabelledSegment, Validation
from detector.validation import conclude
from detector.validation.measuring import Run, validation_fields
from detector.validation.validated_model import validated_model


def test_only_flagged_segments_are_stored(tmp_path: Path) -> None:
    """Not those of people whose scores do not hold in other views."""
    analysis = build(tmp_path)
    assert len(validation_fields(analysis)["segments"]) == len(analysis.segments) == 3  # type: ignore[arg-type]
    unstable = with_stability(analysis, A=0.4, B=1.0)
    kept = [
        [segment.start, segment.end, segment.confidence]
        for segment in unstable.segments
        if segment.person == "B"
    ]
    assert validation_fields(unstable)["segments"] == kept != []


def test_codec_of_a_video_is_stored(tmp_path: Path) -> None:
    analysis = build(tmp_path)
    assert validation_fields(analysis)["codec"] == "h264"
    photo = analysis.media.model_copy(update={"kind": MediaKind.IMAGE, "codec": "mjpeg"})
    assert validation_fields(analysis.model_copy(update={"media": photo}))["codec"] is None


def test_clips_of_the_same_name_stay_separate() -> None:
    span = LabelledSegment(start=1.0, end=2.0)
    met = LabelledSegment(start=1.0, end=2.0, confidence=0.9)
    some = [
        item(n, manipulated=True, probability=0.9, file="clip.mp4", truth=(span,), segments=(met,))
        for n in (1, 2)
    ]
    assert conclude._temporal(some)["AP at tIoU 0.5"] == 1.0


def test_items_without_probability_do_not_count_as_different() -> None:
    some = items(10)
    there = [
        result.model_copy(update={"probability": None, "verdict": Verdict.INCONCLUSIVE} if n % 2 else {})
        for n, result in enumerate(some)
    ]
    (comparison,) = conclude._elsewhere(some, validation(tuple(there)))
    assert comparison.items == 20 and comparison.verdicts_changed > 0
    assert comparison.largest_difference == 0


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"sha256": "00" * 32}, "made with other weights"),
        ({"card_sha256": "00" * 32}, "the calibration or the second look"),
        ({}, r"other parameters \(second_look\)"),
    ],
)
def test_comparison_requires_the_same_model_and_parameters(
    tmp_path: Path, changed: dict[str, str], why: str
) -> None:
    """Before any work: differences would be taken for those of machines."""
    model = validated_model(None).model_copy(update=changed)
    parameters = Parameters() if changed else Parameters(second_look=0)
    other: Validation = validation(model=model, parameters=parameters)
    with pytest.raises(ParameterError, match=why):
        conclude.validate(
            tmp_path / "gone", tmp_path, Run(None, Parameters()), lambda *_: None, other_machine=other
        )


def test_comparison_requires_the_same_material(tmp_path: Path) -> None:
    for label in ("real", "manipulated"):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "a.mp4").write_text(label)
    other = validation(model=validated_model(None))
    with pytest.raises(ParameterError, match="no file of this material"):
        conclude.validate(
            tmp_path / "data", tmp_path, Run(None, Parameters()), lambda *_: None, other_machine=other
        )
