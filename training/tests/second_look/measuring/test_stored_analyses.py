"""What decided a verdict, in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build

from detector.schema.analysis import Analysis, SecondLook, SecondLookContrast, Verdict
from training.second_look.measuring.stored_analyses import StoredAnalysis, cause_in_words, report_causes

CONTRAST = SecondLookContrast(track=0, start=1.0, end=2.0, contrast=3.0, raised=0.4)


def analysis_of(folder: Path, verdict: Verdict, **look: object) -> Analysis:
    """An analysis in which a single person has the second look given, and no segment."""
    analysis = build(folder, kept=False)
    answers = {"scan": 0.5, "altered": 0.5, "synthesised": 0.5, "stability": None, "moments": ()}
    second = SecondLook.model_validate({**answers, **look})
    person = analysis.persons[0].model_copy(update={"second_look": second})
    return analysis.model_copy(update={"verdict": verdict, "segments": (), "persons": (person,)})


@pytest.mark.parametrize(
    ("look", "words"),
    [
        ({"stability": 0.5, "contradiction": True}, "networks contradict each other"),
        ({"stability": 0.6, "contrasts": (CONTRAST,)}, "a stretch stands out in some views"),
        ({"stability": 0.6}, "views disagree"),
    ],
)
def test_an_open_verdict_names_the_check_that_opened_it(
    tmp_path: Path, look: dict[str, object], words: str
) -> None:
    analysis = analysis_of(tmp_path, Verdict.INCONCLUSIVE, **look)
    assert cause_in_words(analysis) == f"unstable: {words}"


def test_causes_are_counted_by_truth_and_wrong_ones_named(tmp_path: Path) -> None:
    cleared = analysis_of(tmp_path, Verdict.NOT_FOUND)
    stored = [
        StoredAnalysis(name, {"label": label, "generator": "none", "group": "t3-a"}, cleared)
        for name, label in (("a.mp4", "real"), ("b.mp4", "fake"))
    ]
    lines: list[str] = []
    assert report_causes(stored, lines.append) == {(False, "cleared"): 1, (True, "cleared"): 1}
    assert [line.split()[0] for line in lines] == ["unmanipulated,", "manipulated,", "b.mp4"]
    assert all(clip.in_second_collection for clip in stored)
