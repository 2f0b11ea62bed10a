"""What a validation keeps of an analysis, and makes of what it kept."""

from __future__ import annotations

from pathlib import Path

from analyses import build, with_stability
from made_validation import item

from detector.schema.laboratory.validation import LabelledSegment
from detector.validation import conclude
from detector.validation.measuring import told


def test_segments_are_those_that_a_finding_rests_on(tmp_path: Path) -> None:
    """Not those of people whose scores do not hold in other views."""
    analysis = build(tmp_path)
    assert len(told(analysis)["segments"]) == len(analysis.segments) == 3  # type: ignore[arg-type]
    unstable = with_stability(analysis, A=0.4, B=1.0)
    kept = [[each.start, each.end, each.confidence] for each in unstable.segments if each.person == "B"]
    assert told(unstable)["segments"] == kept != []


def test_clips_of_the_same_name_are_timed_apart() -> None:
    span = LabelledSegment(start=1.0, end=2.0)
    met = LabelledSegment(start=1.0, end=2.0, confidence=0.9)
    some = [
        item(n, manipulated=True, probability=0.9, file="clip.mp4", truth=(span,), segments=(met,))
        for n in (1, 2)
    ]
    assert conclude._temporal(some)["AP at tIoU 0.5"] == 1.0
