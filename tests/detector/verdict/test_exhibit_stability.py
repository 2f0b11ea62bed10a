"""The stability of a verdict is the least of those on whom it rests."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build, with_stability

from detector.schema.analysis import Verdict
from detector.verdict.verdict import exhibit_stability


@pytest.mark.parametrize(
    ("verdict", "of_persons", "least"),
    [
        (Verdict.MANIPULATED, {"A": 0.9, "B": 0.75}, 0.9),  # B is not flagged, so that nothing rests on B
        (Verdict.NOT_FOUND, {"A": 0.9, "B": 0.75}, 0.75),
        (Verdict.INCONCLUSIVE, {"A": 0.9, "B": 0.75}, 0.75),
        (Verdict.MANIPULATED, {"B": 0.75}, None),
        (Verdict.NOT_FOUND, {}, None),
    ],
)
def test_lowest_stability_of_relevant_persons(
    tmp_path: Path, verdict: Verdict, of_persons: dict[str, float], least: float | None
) -> None:
    analysis = with_stability(build(tmp_path, persons=2, segments=1, kept=False, count=20), **of_persons)
    assert [segment.person for segment in analysis.segments] == ["A"]
    assert exhibit_stability(verdict, analysis.persons, analysis.segments) == least
