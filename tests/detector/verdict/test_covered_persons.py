"""Faces of which mouth or eyes are covered: no finding rests on them, and nobody is cleared by them."""

from __future__ import annotations

from collections.abc import Sequence

import made_persons
import pytest
from made_persons import DEFAULT, IMAGE, VIDEO, coverage, decide, exhibit

from detector.schema.analysis import MediaKind, Person, Score, Scores, Segment, Verdict
from detector.verdict.judged_persons import flagged_persons, flagged_segments, is_covered
from detector.verdict.left_open import LeftOpen, left_open
from detector.verdict.verdict import exhibit_probability, is_outweighed

SAID = (
    "the threshold for a finding is reached, but mouth or eyes seem covered, as by a mask, a hand or a "
    "caption, which can raise a score by itself."
)


def person(name: str, covered: float | None, usable: int = 80, probability: float = 0.1) -> Person:
    return made_persons.person(name, usable, probability).model_copy(update={"covered": covered})


def segment(name: str, covered: float | None = 1.0, number: int = 1) -> Segment:
    update = {"covered": covered, "id": f"{name}{number}"}
    return made_persons.segment(name).model_copy(update=update)


def reaching(face: Person, smoothed: float = 0.9) -> Person:
    score = Score(time=0.0, pts=0, track=0, box=(0, 0, 90, 90), usable=True, logit=2.0, smoothed=smoothed)
    return face.model_copy(update={"scores": Scores([score])})


HIDDEN, FREE = person("A", 0.8), person("B", 0.1)
GREY = FREE.model_copy(update={"grey": 0.9})


@pytest.mark.parametrize(
    ("kind", "persons", "segments", "cause"),
    [
        (VIDEO, [HIDDEN], [segment("A")], LeftOpen.COVERED),
        (VIDEO, [HIDDEN, FREE], [segment("A"), segment("B", 0.1)], None),
        (VIDEO, [HIDDEN, GREY], [segment("A"), segment("B", 0.0)], LeftOpen.COVERED),
        (VIDEO, [HIDDEN], [segment("A", 0.0)], None),  # by what is seen of a person mostly covered
        (VIDEO, [FREE], [segment("B")], LeftOpen.COVERED),  # by what is covered of one mostly free
        (VIDEO, [FREE], [segment("B"), segment("B", 0.2, 2)], None),
        (VIDEO, [FREE], [segment("B", None)], None),  # of before 0.2
        (VIDEO, [HIDDEN], [], LeftOpen.ALL_COVERED),
        (VIDEO, [HIDDEN, person("B", 0.0, usable=2)], [], LeftOpen.ALL_COVERED),
        (VIDEO, [HIDDEN, FREE], [], None),
        (VIDEO, [person("A", 0.5)], [], None),
        (VIDEO, [person("A", None)], [], None),
        (VIDEO, [person("A", 0.8, probability=0.6)], [], LeftOpen.ALL_COVERED),
        (VIDEO, [HIDDEN, person("B", 0.0, probability=0.6)], [], LeftOpen.DOUBTFUL),
        (IMAGE, [person("A", 1.0, usable=1)], [], LeftOpen.ALL_COVERED),
        (IMAGE, [person("A", 1.0, usable=1), person("B", 0.0, usable=1)], [], None),
        (IMAGE, [person("A", 1.0, usable=1)], [segment("A")], LeftOpen.COVERED),
    ],
)
def test_covered_faces_leave_the_verdict_open(
    kind: MediaKind, persons: Sequence[Person], segments: Sequence[Segment], cause: LeftOpen | None
) -> None:
    assert left_open(exhibit(kind, DEFAULT, persons, segments)) is cause
    verdict, _ = decide(kind, DEFAULT, coverage(), persons, segments)
    assert (verdict is Verdict.INCONCLUSIVE) is (cause is not None)


def test_finding_rests_on_uncovered_faces() -> None:
    bare, hidden = segment("A", 0.5), segment("A", 0.6, 2)
    assert flagged_segments([HIDDEN], [bare, hidden]) == (bare,)
    assert flagged_persons([HIDDEN], [bare, hidden]) == ["A"] and not flagged_persons([HIDDEN], [hidden])


def test_reason_names_covered_persons() -> None:
    _, reason = decide(VIDEO, DEFAULT, coverage(), [reaching(HIDDEN)], [segment("A")])
    assert reason == f"Person A: {SAID}"
    _, reason = decide(VIDEO, DEFAULT, coverage(), [HIDDEN], [])
    assert "none reached the threshold" in reason, "what follows it says why nobody is cleared"
    _, reason = decide(VIDEO, DEFAULT, coverage(), [person("A", 0.8, probability=0.6)], [])
    assert "too high to rule one out" in reason
    _, reason = decide(VIDEO, DEFAULT, coverage(), [reaching(HIDDEN)], [])
    assert "Person A reached the threshold for a finding, but for less than" in reason
    assert "none reached" not in reason


def test_finding_mentions_persons_with_covered_segments_only() -> None:
    segments = [segment("B", 0.0), segment("A"), segment("B", 1.0, 2)]
    verdict, reason = decide(VIDEO, DEFAULT, coverage(), [reaching(HIDDEN), reaching(FREE)], segments)
    assert verdict is Verdict.MANIPULATED
    assert "1 segment flagged" in reason and reason.endswith(f"Person A: {SAID}")


def test_covered_face_of_a_photograph_is_not_eligible() -> None:
    """Neither does it make a finding of somebody else, nor unmake one."""
    swap = reaching(person("A", 0.0, usable=1, probability=0.9))
    masked = [reaching(person(name, 1.0, usable=1, probability=0.3), 0.3) for name in "BCDEFG"]
    assert not is_outweighed(exhibit(IMAGE, DEFAULT, [swap, *masked], ()), ["A"], DEFAULT.enter_threshold)
    assert exhibit_probability(exhibit(IMAGE, DEFAULT, [swap, *masked], ()), Verdict.MANIPULATED) == 0.9
    calm = [person(name, 0.0, usable=1, probability=0.05) for name in "BCDEFG"]
    high = reaching(person("H", 1.0, usable=1, probability=0.99))
    assert is_outweighed(
        exhibit(IMAGE, DEFAULT, [swap, *calm, high], ()), ["A", "H"], DEFAULT.enter_threshold
    )
    assert not is_outweighed(exhibit(IMAGE, DEFAULT, [*calm, high], ()), ["H"], DEFAULT.enter_threshold)
    verdict, reason = decide(IMAGE, DEFAULT, coverage(), [swap, *calm, high], [])
    assert verdict is Verdict.INCONCLUSIVE and reason.startswith("Person A: on its own above")
    assert "among 7 faces on which views agree and that are not covered" in reason


@pytest.mark.parametrize(("covered", "most"), [(None, False), (0.5, False), (0.51, True)])
def test_majority_of_faces_decides(covered: float | None, most: bool) -> None:
    assert is_covered(person("A", covered)) is most
