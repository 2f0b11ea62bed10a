"""Two analyses of one exhibit: what they may differ by, and what is said when they do."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build

from detector.schema.analysis import Analysis, Scores, Verdict
from detector.schema.tolerance import PROBABILITY
from verification.agreement import compare_analyses


@pytest.fixture
def recorded(tmp_path: Path) -> Analysis:
    """Two persons, beside each other."""
    made = build(tmp_path, kept=False)
    left, right = made.persons
    aside = Scores(s.model_copy(update={"box": (1000, 120, 1184, 340)}) for s in right.scores)
    return made.model_copy(update={"persons": (left, right.model_copy(update={"scores": aside}))})


def moved(analysis: Analysis, by: float, *, person: int = 0) -> Analysis:
    """The same with every probability of one person's frames moved."""
    subject = analysis.persons[person]
    scores = Scores(
        s if s.probability is None else s.model_copy(update={"probability": s.probability + by})
        for s in subject.scores
    )
    persons = list(analysis.persons)
    persons[person] = subject.model_copy(update={"scores": scores})
    return analysis.model_copy(update={"persons": tuple(persons)})


def with_edges(analysis: Analysis, start: float) -> Analysis:
    first, *others = analysis.segments
    shifted = first.model_copy(update={"start": first.start + start})
    return analysis.model_copy(update={"segments": (shifted, *others)})


def test_identical_analyses_agree(recorded: Analysis) -> None:
    agreement = compare_analyses(recorded, recorded)
    assert agreement.agree and agreement.scores > 800
    assert (agreement.score_difference, agreement.edge_difference, agreement.unmatched) == (0, 0, 0)


@pytest.mark.parametrize(("by", "agree"), [(0.9, True), (1.1, False)])
def test_scores_within_the_tolerance(recorded: Analysis, by: float, agree: bool) -> None:
    agreement = compare_analyses(recorded, moved(recorded, -by * PROBABILITY.by))
    assert agreement.agree is agree
    assert agreement.score_difference == pytest.approx(by * PROBABILITY.by)


def test_edge_may_move_by_one_sampled_frame(recorded: Analysis) -> None:
    interval = 60.0 / 480
    assert compare_analyses(recorded, with_edges(recorded, interval)).agree
    (problem,) = compare_analyses(recorded, with_edges(recorded, 2 * interval)).problems
    assert problem.startswith("segment A1: start is ")


def test_names_of_persons_and_tracks_are_irrelevant(recorded: Analysis) -> None:
    swapped = recorded.model_copy(update={"persons": tuple(reversed(recorded.persons))})
    assert compare_analyses(recorded, swapped).score_difference == 0


def test_faces_judged_in_one_analysis_only(recorded: Analysis) -> None:
    subject = recorded.persons[0]
    few = subject.model_copy(update={"scores": subject.scores[: len(subject.scores) // 2]})
    agreement = compare_analyses(
        recorded, recorded.model_copy(update={"persons": (few, *recorded.persons[1:])})
    )
    assert agreement.unmatched > 100 and "judged in only one of the two" in agreement.problems[0]


def test_segments_verdicts_and_premises(recorded: Analysis) -> None:
    other = recorded.model_copy(
        update={
            "segments": recorded.segments[1:],
            "verdict": Verdict.INCONCLUSIVE,
            "probability": None,
            "model": recorded.model.model_copy(update={"sha256": "0" * 64}),
            "parameters": recorded.parameters.model_copy(update={"seed": 1}),
            "media": recorded.media.model_copy(update={"sha256": "1" * 64}),
        }
    )
    problems = " ".join(compare_analyses(recorded, other).problems)
    for words in (
        "exhibits",
        "models",
        "parameters seed",
        "segments are",
        "verdict is",
        "in only one of the two",
    ):
        assert words in problems
    weaker = recorded.segments[0].model_copy(update={"confidence": recorded.segments[0].confidence - 0.1})
    agreement = compare_analyses(
        recorded, recorded.model_copy(update={"segments": (weaker, *recorded.segments[1:])})
    )
    assert agreement.segment_difference == pytest.approx(0.1) and not agreement.agree


def test_earlier_versions_counted_brief_appearances(tmp_path: Path) -> None:
    """Its figure is then that of another person, whose own figure is the same in both."""
    built = build(tmp_path, segments=0, kept=False)
    calm, passing = built.persons
    passing = passing.model_copy(update={"usable_frames": 3, "probability": 0.99})
    again = built.model_copy(update={"persons": (calm, passing)})
    assert again.probability == calm.probability == 0.06
    before = again.software.model_copy(update={"source_sha256": "e" * 64})
    stored = again.model_copy(update={"probability": 0.99, "software": before})
    assert compare_analyses(stored, again).agree
    assert not compare_analyses(stored, again.model_copy(update={"probability": 0.2})).agree
    assert not compare_analyses(stored.model_copy(update={"software": again.software}), again).agree
    assert not compare_analyses(stored.model_copy(update={"probability": 0.9}), again).agree, (
        "nobody's figure"
    )
