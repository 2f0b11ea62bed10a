"""What is said of segments beside their times."""

from __future__ import annotations

import re
from pathlib import Path

from analyses import build

from detector.schema.analysis import MediaKind
from reports.persons.segments import BOUNDARY_ERROR, boundary_words
from reports.report_view import report_view

ENGINE = Path(__file__).parents[3] / "docs" / "engine.md"


def test_how_exact_boundaries_are_is_stated(tmp_path: Path) -> None:
    """As measured where every frame around them was judged; else by the distance of sampled frames."""
    sampled = build(tmp_path, kept=False)
    assert "sampled frames, which are 0.125 s apart" in report_view(sampled, tmp_path).boundaries
    between = sampled.coverage.model_copy(update={"frames_between": 40})
    refined = boundary_words(sampled.model_copy(update={"coverage": between}))
    assert "off by 0.03 s in the median and by 0.11 s on average" in refined
    assert not boundary_words(build(tmp_path, segments=0, kept=False))
    assert not boundary_words(build(tmp_path, kind=MediaKind.IMAGE, kept=False))


def test_the_error_of_boundaries_is_the_measured_one() -> None:
    row = r"^\| 8, and every frame around boundaries \|.*\| ([\d.]+) s; ([\d.]+) s \|$"
    found = re.search(row, ENGINE.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    mean, median = map(float, found.groups())
    assert (median, mean) == BOUNDARY_ERROR
