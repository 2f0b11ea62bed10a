"""Case details: kept, read again, and refused in words where they cannot be used."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from cli.case_options import add_case_options
from reports.exhibit import identity
from reports.inputs.case import CaseDetails, CaseError, case_details, read_case
from reports.inputs.case_fields import FIELDS, STATED


def test_blank_by_default_and_frozen() -> None:
    case = CaseDetails()
    assert (case.case_number, case.examiner, case.paper, case.time_zone) == ("", "", "A4", "")
    with pytest.raises(ValidationError):
        case.examiner = "someone"  # type: ignore[misc]


def test_kept_in_a_folder_and_read_again(tmp_path: Path) -> None:
    case = CaseDetails(case_number=" 24/117 ", examiner="Zoë 李", paper="Letter", time_zone="Asia/Kolkata")
    assert case.case_number == "24/117"
    (tmp_path / "case.json").write_text(case.to_json(), "utf-8")
    assert read_case(tmp_path) == case
    assert read_case(tmp_path / "nowhere") == CaseDetails()


def test_zone_is_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr("tzlocal.get_localzone_name", lambda: "America/New_York")
    case = CaseDetails().with_time_zone()
    assert case.time_zone == "America/New_York"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert CaseDetails().with_time_zone().time_zone == "UTC"
    assert case.with_time_zone() is case
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    monkeypatch.setattr("tzlocal.get_localzone_name", lambda: "Made/Up")
    assert CaseDetails().with_time_zone().time_zone == "UTC"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"examiner": "a\nb"}, "examiner must be one line"),
        ({"case_number": "x" * 201}, "case number is longer than 200"),
        ({"paper": "A5"}, "A4 or Letter"),
        ({"time_zone": "Mars/Base"}, "Europe/Berlin"),
        ({"time_zone": "../etc/passwd"}, "Europe/Berlin"),
        ({"organisation": 7}, "organisation must be text"),
        ({"judge": "x"}, "no case detail called 'judge'"),
    ],
)
def test_unusable_case_files_are_named(values: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=says):
        case_details(values)
    (tmp_path / "case.json").write_text(json.dumps(values), "utf-8")
    with pytest.raises(CaseError, match=f"case.json.*{says}"):
        read_case(tmp_path)


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"[" * 90_000, b" " * 200_000], ids=range(5))
def test_files_that_are_not_annotation_files_are_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes(data)
    with pytest.raises(CaseError, match="is not the case.json of a report"):
        read_case(tmp_path)


def test_none_means_not_given() -> None:
    assert case_details({"examiner": None, "paper": "Letter"}) == CaseDetails(paper="Letter")


def test_every_detail_is_in_the_table_and_asked_for_wherever_it_can_be_given() -> None:
    assert list(FIELDS) == list(CaseDetails.model_fields)
    parser = argparse.ArgumentParser(add_help=False)
    add_case_options(parser)
    options = {action.dest for action in parser._actions}
    assert options - {"language", "report_length"} == set(FIELDS)
    printed = identity.case_facts(CaseDetails.model_validate({name: name.upper() for name in STATED}))
    assert [(fact.name, fact.value) for fact in printed] == [(STATED[n], n.upper()) for n in STATED]
