"""What is wrong with what a reviewer hands in is said alike everywhere, and in the reader's language."""

from __future__ import annotations

from typing import Any

import pytest

from language import translation
from reports.errors import ReportError
from reports.review import annotation_file, second_review

SAID = {"id": "1" * 32, "author": "Ann", "made": "2026-11-20T15:04:05.678Z"}
SPAN = SAID | {"kind": "span", "verdict": "manipulated", "start": 1, "end": 2}
MERGE = SAID | {"kind": "merge", "person": "A", "into": "B"}
JUDGEMENT = SAID | {"kind": "judgement", "part": "first", "conclusion": "manipulated", "reasons": "Seen."}


@pytest.mark.parametrize(
    ("given", "english", "german"),
    [
        (SPAN | {"note": "x" * 4001}, "longer than 4,000 characters", "länger als 4.000 Zeichen"),
        (SPAN | {"end": 0}, "A span ends before it starts.", "endet, bevor er beginnt"),
        (MERGE | {"into": "A"}, "merged with itself", "mit sich selbst"),
        (JUDGEMENT | {"reasons": "x" * 4001}, "longer than 4,000 characters", "länger als 4.000 Zeichen"),
        (
            JUDGEMENT | {"reasons": " "},
            "The text of the reasons is missing.",
            "Der Text der Begründung fehlt.",
        ),
        (
            JUDGEMENT | {"stretches": [{"start": 2, "end": 1}]},
            "ends before it starts",
            "endet, bevor er beginnt",
        ),
        (
            JUDGEMENT | {"conclusion": "no manipulation found", "stretches": [{"start": 1, "end": 2}]},
            "cannot mark manipulated intervals",
            "kann keine manipulierten Abschnitte markieren",
        ),
    ],
)
def test_a_problem_is_a_sentence_in_each_language(given: dict[str, Any], english: str, german: str) -> None:
    parse = second_review.parse if given["kind"] == "judgement" else annotation_file.parse
    with pytest.raises(ReportError) as problem:
        parse(given)
    assert english in str(problem.value)
    with translation.speaking("de"):
        assert german in translation.translated(str(problem.value))


def test_the_name_of_an_unknown_field_is_cut() -> None:
    with pytest.raises(ReportError) as problem:
        annotation_file.parse(MERGE | {"x" * 1000: 1})
    assert str(problem.value) == f"“{'x' * 60}…” is not a field of this kind of annotation."
