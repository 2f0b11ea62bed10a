"""What a report quotes of the laboratory's own validation, and that it can be verified with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build
from made_validation import items, of_analysis, validation

from detector.schema.analysis import Analysis, FaceQuality, Spread
from detector.schema.laboratory.quoted import Laboratory
from detector.validation.quoted import by_false_positive_rate, quoted
from reports.cli.main import main
from reports.inputs.laboratory import LaboratoryError, parse_laboratory
from reports.render.write import write_report
from reports.verification.verify import verify
from reports.view.report import report_view
from reports.view.report_inputs import ReportInputs
from reports.view.validation.laboratory import THRESHOLD, fitting, laboratory_view


def laboratory_for(analysis: Analysis) -> Laboratory:
    made = of_analysis(validation(items(60)), analysis)
    return quoted(made, made.to_json().encode(), by_false_positive_rate(made, 0.01))


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    made = build(tmp_path)
    width = Spread(tenth=90, median=100, ninetieth=110)
    other = Spread(tenth=0, median=0, ninetieth=0)
    quality = FaceQuality(width=width, contrast=other, sharpness=other, tilt=other, grey=0)
    return made.model_copy(update={"coverage": made.coverage.model_copy(update={"quality": quality})})


def test_the_rates_that_fit_are_chosen(analysis: Analysis) -> None:
    found = fitting(laboratory_for(analysis), analysis)
    assert [(each.attribute, each.name) for each in found] == [
        ("", "all clips"),
        ("face width", "80 to 120 px"),
    ]


def test_own_threshold_and_ratio_stand_beside_the_verdict(tmp_path: Path, analysis: Analysis) -> None:
    own = laboratory_for(analysis)
    given = ReportInputs(laboratory=own.to_json().encode())
    view = laboratory_view(own, analysis)
    assert not view.refused
    assert (view.thresholds[0].own, view.thresholds[0].shipped) == (
        f"{own.thresholds[0].threshold:g}",
        "0.75",
    )
    assert "The verdict is that of the shipped threshold" in view.decision
    assert "It is not a probability of manipulation" in view.ratio
    answers = dict(report_view(analysis, tmp_path, given).answers)
    assert answers[THRESHOLD] == view.decision


def test_another_model_is_told_and_nothing_is_quoted(tmp_path: Path, analysis: Analysis) -> None:
    own = laboratory_for(analysis)
    given = ReportInputs(laboratory=own.to_json().encode())
    other = analysis.model_copy(update={"model": analysis.model.model_copy(update={"sha256": "00" * 32})})
    view = laboratory_view(own, other)
    assert "other weights" in view.refused
    assert not (view.rows or view.thresholds or view.decision or view.ratio)
    assert THRESHOLD not in dict(report_view(other, tmp_path, given).answers)


def test_a_result_keeps_it_and_is_verified_with_it(tmp_path: Path, analysis: Analysis) -> None:
    text = laboratory_for(analysis).to_json().encode()
    write_report(analysis, tmp_path, laboratory=text)
    assert (tmp_path / "laboratory.json").read_bytes() == text
    assert "validation of 2026-11-22" in (tmp_path / "report.html").read_text()
    assert not {each.file for each in verify(tmp_path).results.problems} - {"analysis.json"}
    before = (tmp_path / "report.html").read_bytes()
    assert main(["render", str(tmp_path / "analysis.json")]) == 0
    assert (tmp_path / "report.html").read_bytes() == before, "what is kept is quoted again"
    changed = text.replace(b'"files": 120', b'"files": 900')
    assert changed != text
    (tmp_path / "laboratory.json").write_bytes(changed)
    assert {each.file for each in verify(tmp_path).results.problems} >= {"laboratory.json"}


def test_what_is_no_laboratory_json_is_refused() -> None:
    with pytest.raises(LaboratoryError, match="can be quoted"):
        parse_laboratory(b'{"title": "x"}')
