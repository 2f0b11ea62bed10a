"""What a report can carry: named in one list, by which verification knows what is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from analyses import build
from evidence import small_pdf
from made_annotations import say

from detector.files import FILES
from detector.schema import laboratory
from reports.file_names import LABORATORY
from reports.render.attachments import HOLDS, attachments
from reports.report_view import ReportInputs
from verification.verify import verify

SAID = say(1, "segment", segment="A1", verdict="agree")


def test_the_list_contains_all_attachments(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, peaks=1)
    inputs = ReportInputs(annotations=[SAID], custody=b"{}", laboratory=b"{}", second_review=b"{}")
    enclosed = attachments(analysis, analysis.to_json().encode(), inputs)
    assert {attachment.name: attachment.holds for attachment in enclosed} == HOLDS


def test_the_engine_uses_the_same_file_name_for_extracts() -> None:
    assert LABORATORY == laboratory.LABORATORY_FILE


def test_the_document_lists_the_parameters() -> None:
    text = (FILES / "docs" / "report.md").read_text(encoding="utf-8").partition("\nEnclosed, with name")[2]
    assert set(re.findall(r"^\| `([\w.-]+)`", text, re.MULTILINE)) == {*HOLDS, "comparison-1.json"}


@pytest.mark.parametrize("name", HOLDS)
def test_each_missing_comparison_is_reported(tmp_path: Path, name: str) -> None:
    """Its SHA-256 stands in the report's text, and it was taken out."""
    path = tmp_path / "report.pdf"
    path.write_bytes(small_pdf({"video.csv": b""}, video=f"{'5' * 64} {name}: {'4' * 64}"))
    problems = {(problem.file, problem.kind) for problem in verify(path).results.problems}
    assert (f"report.pdf/{name}", "missing") in problems
