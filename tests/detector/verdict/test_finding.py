"""The finding of an analysis: derived once, with the facts that reports and pages state."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from analyses import build
from made_persons import person

from detector.schema.analysis import Analysis, ManipulationKind, SecondLook, Verdict
from detector.verdict import finding as findings
from detector.verdict.finding import finding_of
from detector.verdict.left_open import LeftOpen


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    """Persons A and B with two segments each; views of B disagree."""
    made = build(tmp_path, persons=2, segments=4, peaks=1)
    a, b = made.persons
    look = SecondLook(scan=0.9, altered=0.95, synthesised=0.2, stability=1.0, moments=())
    return made.model_copy(
        update={
            "persons": (
                a.model_copy(update={"second_look": look}),
                b.model_copy(update={"second_look": look.model_copy(update={"stability": 0.2})}),
            )
        }
    )


def test_it_is_derived_once(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = finding_of(analysis)
    monkeypatch.setattr(findings, "_derive", None)
    assert finding_of(analysis) is finding


def test_a_changed_copy_has_its_own(analysis: Analysis) -> None:
    assert finding_of(analysis).flagged
    assert finding_of(analysis.model_copy(update={"segments": ()})).flagged == ()


def test_it_goes_with_the_analysis(tmp_path: Path) -> None:
    gc.collect()
    before = set(findings._derived)
    analysis = build(tmp_path)
    finding_of(analysis)
    assert set(findings._derived) - before == {id(analysis)}
    del analysis
    gc.collect()
    assert not set(findings._derived) - before


def test_segments_are_flagged_or_have_a_doubt(analysis: Analysis) -> None:
    finding = finding_of(analysis)
    assert {segment.person for segment in finding.flagged} == {"A"} == set(finding.flagged_persons)
    assert {segment.person for segment in finding.unflagged} == {"B"}
    assert finding.flagged_ids | finding.unflagged_ids == {segment.id for segment in analysis.segments}
    assert finding.doubts.keys() == finding.unflagged_ids
    assert all(cause.code for causes in finding.doubts.values() for cause in causes)
    assert finding.persons["A"].flagged == tuple(segment.id for segment in finding.flagged)
    assert finding.persons["B"].flagged == ()
    assert finding.kind_of(finding.flagged[0]) is ManipulationKind.EDITED


def test_persons_are_named_in_order_of_letters(analysis: Analysis) -> None:
    names = ("AA", "B")
    segments = tuple(
        segment.model_copy(update={"person": name, "id": f"{name}1"})
        for name, segment in zip(names, analysis.segments, strict=False)
    )
    persons = tuple(map(person, names))
    assert finding_of(
        analysis.model_copy(update={"persons": persons, "segments": segments})
    ).flagged_persons == (
        "B",
        "AA",
    )


def test_an_open_verdict_names_what_leaves_it_open(analysis: Analysis) -> None:
    of_b = tuple(segment for segment in analysis.segments if segment.person == "B")
    update = {"verdict": Verdict.INCONCLUSIVE, "segments": of_b}
    finding = finding_of(analysis.model_copy(update=update))
    assert {segment.person for segment in finding.unflagged} == {"B"}
    assert finding.left_open is LeftOpen.UNCONFIRMED and not finding.open_whatever_score
    assert finding_of(analysis).left_open is None


def test_a_still_shown_as_a_video_is_outside_the_domain(analysis: Analysis) -> None:
    persons = tuple(row.model_copy(update={"motionless": True}) for row in analysis.persons)
    finding = finding_of(analysis.model_copy(update={"persons": persons}))
    judged = [row.id for row in persons if row.usable_frames >= analysis.parameters.minimum_usable_frames]
    assert finding.motionless == judged
    assert finding.all_motionless is bool(judged)
