"""Persons whose mouth or eyes are covered in most frames: neither flagged nor cleared."""

from __future__ import annotations

from collections.abc import Sequence

import made_persons
import pytest
from made_persons import DEFAULT, IMAGE, VIDEO, coverage, decide, segment

from detector.schema.analysis import MediaKind, Person, Score, Scores, Segment, Verdict
from detector.verdict.left_open import LeftOpen, left_open
from detector.verdict.stability import is_covered


def person(name: str, covered: float | None, usable: int = 80, probability: float = 0.1) -> Person:
    return made_persons.person(name, usable, probability).model_copy(update={"covered": covered})


HIDDEN, FREE = person("A", 0.8), person("B", 0.1)
GREY = FREE.model_copy(update={"grey": 0.9})


@pytest.mark.parametrize(
    ("kind", "persons", "segments", "cause"),
    [
        (VIDEO, [HIDDEN], [segment("A")], LeftOpen.COVERED),
        (VIDEO, [HIDDEN, FREE], [segment("A"), segment("B")], None),
        (VIDEO, [HIDDEN, GREY], [segment("A"), segment("B")], LeftOpen.UNCONFIRMED),
        (VIDEO, [HIDDEN], [], LeftOpen.ALL_COVERED),
        (VIDEO, [HIDDEN, person("B", 0.0, usable=2)], [], LeftOpen.ALL_COVERED),
        (VIDEO, [HIDDEN, FREE], [], None),
        (VIDEO, [person("A", 0.5)], [], None),
        (VIDEO, [person("A", None)], [], None),  # of before schema 1.21
        (VIDEO, [person("A", 0.8, probability=0.6)], [], LeftOpen.DOUBTFUL),
        (IMAGE, [person("A", 1.0, usable=1)], [], LeftOpen.ALL_COVERED),
        (IMAGE, [person("A", 1.0, usable=1), person("B", 0.0, usable=1)], [], None),
        (IMAGE, [person("A", 1.0, usable=1)], [segment("A")], LeftOpen.COVERED),
    ],
)
def test_what_covered_faces_leave_open(
    kind: MediaKind, persons: Sequence[Person], segments: Sequence[Segment], cause: LeftOpen | None
) -> None:
    assert left_open(kind, DEFAULT, coverage(), persons, segments) is cause
    verdict, _ = decide(kind, DEFAULT, coverage(), persons, segments)
    assert (verdict is Verdict.INCONCLUSIVE) is (cause is not None)


def test_the_reason_names_who_is_covered() -> None:
    score = Score(time=0.0, pts=0, track=0, box=(0, 0, 90, 90), usable=True, logit=2.0, smoothed=0.9)
    reached = HIDDEN.model_copy(update={"scores": Scores([score])})
    _, reason = decide(VIDEO, DEFAULT, coverage(), [reached], [segment("A")])
    assert reason == (
        "Person A: the threshold for a finding is reached, but mouth or eyes seem covered, as by a mask, a "
        "hand or a caption, which can raise a score by itself."
    )
    _, reason = decide(VIDEO, DEFAULT, coverage(), [HIDDEN], [])
    assert "none reached the threshold" in reason, "what follows it says why nobody is cleared"


@pytest.mark.parametrize(("covered", "most"), [(None, False), (0.5, False), (0.51, True)])
def test_most_faces_count(covered: float | None, most: bool) -> None:
    assert is_covered(person("A", covered)) is most
