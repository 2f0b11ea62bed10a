"""What a file or a person supplied stands in every language as it was written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from analyses import build
from made_logs import exported_log
from made_validation import validation

from detector.schema.metadata import (
    Credentials,
    Declaration,
    DeclarationKind,
    Details,
    Encoding,
    Meaning,
    Moment,
    Structure,
    Tag,
)
from detector.validation.rates import part_of
from language import translation
from language.translation import Quoted, cause_text, translated
from reports.inputs.case import CaseDetails
from reports.report_view import ReportInputs, report_view
from reports.validation.error_rates import full_level_name, level_row
from reports.validation.validation_report import validation_report
from reports.wording.sections import Fact

TRAP = "inconclusive"  # "nicht entscheidbar" in German
LANGUAGES = pytest.mark.parametrize(
    "code", [code for code in translation.LANGUAGES if code != translation.DEFAULT]
)


def values(facts: tuple[Fact, ...]) -> list[str]:
    return [fact.value for fact in facts]


@LANGUAGES
def test_names_of_case_and_exhibit_are_shown_unchanged(tmp_path: Path, code: str) -> None:
    case = CaseDetails(case_number=TRAP, exhibit_number="2 tracks", examiner="Sound", organisation="none")
    view = report_view(
        build(tmp_path, file="Person A.mp4"), tmp_path, ReportInputs(case=case, language_code=code)
    )
    assert values(view.head.case) == [TRAP, "2 tracks", "Sound", "none"]
    assert view.exhibit[0].value == "Person A.mp4"


def test_missing_case_details_are_left_out(tmp_path: Path) -> None:
    assert report_view(build(tmp_path), tmp_path, ReportInputs(language_code="de")).head.case == ()


@LANGUAGES
def test_text_of_the_file_is_quoted(tmp_path: Path, code: str) -> None:
    analysis = build(tmp_path)
    details = Details(
        structure=Structure(brand=TRAP, boxes=(TRAP,)),
        encoding=Encoding(texts=(TRAP,)),
        tags=(Tag(place="EXIF", name="Sound", value=TRAP),),
        times=(Moment(place="EXIF", name="Sound", written=TRAP, utc=None),),
        location=TRAP,
    )
    credentials = Credentials(
        checked=True, found=True, valid=False, failed=(TRAP,), signer=TRAP, issuer=TRAP, generator=TRAP,
        actions=("Sound",), remote=TRAP, library=TRAP,
    )  # fmt: skip
    media = analysis.media.model_copy(update={"details": details, "credentials": credentials})
    declared = Declaration(
        kind=DeclarationKind.SOFTWARE,
        source="Sound",
        says=TRAP,
        means="",
        program=TRAP,
        meaning=Meaning.EDITED,
    )
    changed = analysis.model_copy(update={"media": media, "declarations": (declared,)})
    view = report_view(changed, tmp_path, ReportInputs(language_code=code))
    assert values(view.metadata.encoding).count(TRAP) == 4
    assert view.metadata.tags == (("EXIF", "Sound", TRAP),)
    assert view.metadata.times[0][:2] == ("EXIF, Sound", TRAP)
    assert values(view.metadata.credentials).count(TRAP) == 6 and "Sound" in values(view.metadata.credentials)
    row = view.declared.rows[0]
    assert (row.program, row.source, row.says) == (TRAP, "Sound", TRAP)
    assert row.meaning == translated_in(code, "edited")


@LANGUAGES
def test_entries_are_shown_as_in_the_log(tmp_path: Path, code: str) -> None:
    text = re.sub(rb"Ida(\\+u202e|\xe2\x80\xae)", b"Sound", exported_log(note=TRAP))
    view = report_view(build(tmp_path), tmp_path, ReportInputs(custody=text, language_code=code))
    rows = view.custody.rows
    assert rows and {(row.actor, row.details) for row in rows} == {("Sound", f"note: {TRAP}")}


@LANGUAGES
def test_a_model_has_the_title_of_its_card(tmp_path: Path, code: str) -> None:
    analysis = build(tmp_path)
    model = analysis.model.model_copy(update={"title": "Sound", "name": "Sound", "architecture": TRAP})
    changed = analysis.model_copy(update={"model": model})
    view = report_view(changed, tmp_path, ReportInputs(language_code=code)).model
    assert (view.title, *values(view.facts)[:2]) == ("Sound", "Sound", TRAP)


@LANGUAGES
def test_parts_of_a_laboratorys_material_keep_their_names(code: str) -> None:
    made = validation()
    variant = made.model_copy(update={"laboratory": TRAP})
    assert values(validation_report(variant, code).facts)[0] == TRAP
    level = made.levels[0].model_copy(
        update={"attribute": "generator", "name": TRAP, "least": None, "most": None}
    )
    measured = level.model_copy(update={"attribute": "group", "least": 10.5, "most": 20.5})
    with translation.speaking(code):
        assert level_row(level).name == TRAP and full_level_name(level).endswith(f" {TRAP}")
        assert level_row(measured).name == cause_text(part_of(measured)) != part_of(measured).text


def test_quoted_text_is_no_message() -> None:
    with translation.speaking("de"):
        assert translated("Sound") == "Ton" and translated(Quoted("Sound")) == "Sound"


def translated_in(code: str, text: str) -> str:
    with translation.speaking(code):
        return translated(text)
