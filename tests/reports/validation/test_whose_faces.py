"""Which persons are held against validated ranges, as people read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build
from made_validation import of_analysis, of_sixty

from detector.models.model_files import load_card
from detector.schema.analysis import Analysis, FaceQuality, Spread
from detector.validation.rates import quoted_extract
from reports.finding.summary import outside_words
from reports.render.html import render_html
from reports.report_view import ReportInputs, report_view
from reports.validation.error_rates import MeasuredErrors, measured_errors
from reports.validation.laboratory import laboratory_view

VALIDATED = load_card("efficientnet-lstm")[0].validated
OUTSIDE = "is unlike the material on which the model was validated"


def faces(width: float = 120, tilt: float = 4) -> FaceQuality:
    spreads = {"width": width, "contrast": 40, "sharpness": 0.07, "tilt": tilt}
    return FaceQuality(
        **{name: Spread(tenth=value, median=value, ninetieth=value) for name, value in spreads.items()},
        grey=0,
    )


def exhibit(folder: Path, *persons: FaceQuality) -> Analysis:
    """Persons of these faces, of whom the first one is flagged; over all faces nothing is outside."""
    made = build(folder, persons=len(persons), segments=1, kept=False)
    people = [
        person.model_copy(update={"quality": of}) for person, of in zip(made.persons, persons, strict=True)
    ]
    return made.model_copy(
        update={
            "persons": tuple(people),
            "model": made.model.model_copy(update={"validated": VALIDATED}),
            "coverage": made.coverage.model_copy(update={"quality": faces()}),
        }
    )


def by_name(view: MeasuredErrors) -> dict[str, str]:
    return {row.name: row.state for row in view.domain}


def test_rows_and_sentences_name_the_person(tmp_path: Path) -> None:
    analysis = exhibit(tmp_path, faces(width=40, tilt=45), faces())
    view = measured_errors(analysis)
    rows = by_name(view)
    assert rows["face width, person A"] == rows["tilt, person A"] == "outside"
    assert rows["contrast, person A"] == rows["shorter side"] == "inside"
    assert f"{OUTSIDE}: face width of person A, tilt of person A." in view.sentence
    assert "(face width of person A, tilt of person A)" in outside_words(analysis)
    assert "Persons whose faces lie outside the ranges" not in view.sentence
    page = render_html(report_view(analysis, tmp_path), {}, ())
    assert "face width, person A" in page and view.sentence in page


def test_others_outside_are_named_and_many_counted(tmp_path: Path) -> None:
    few = measured_errors(exhibit(tmp_path, faces(), faces(), faces(width=40), faces(width=40, tilt=45)))
    assert set(by_name(few).values()) == {"inside", "not known"} and OUTSIDE not in few.sentence
    assert few.sentence.endswith(
        " Persons whose faces lie outside the ranges: person C (face width), person D (face width, tilt)."
    )
    many = measured_errors(exhibit(tmp_path, faces(), *[faces(width=40)] * 5))
    assert many.sentence.endswith(" Persons whose faces lie outside the ranges: 5 persons.")


def test_nothing_changes_where_there_is_one_person(tmp_path: Path) -> None:
    analysis = exhibit(tmp_path, faces(width=40))
    of_all = analysis.coverage.model_copy(update={"quality": faces(width=40)})
    (person,) = analysis.persons
    before = {"coverage": of_all, "persons": (person.model_copy(update={"quality": None}),)}
    assert measured_errors(analysis) == measured_errors(analysis.model_copy(update=before))
    assert f"{OUTSIDE}: face width. " in measured_errors(analysis).sentence


@pytest.mark.parametrize(
    ("language", "row", "listed", "others"),
    [
        ("de", "Gesichtsbreite, Person A", "Gesichtsbreite von Person A", "Person B (Neigung)."),
        (
            "es",
            "anchura del rostro, persona A",
            "anchura del rostro de la persona A",
            "persona B (inclinación).",
        ),
    ],
)
def test_custody_section_is_translated(
    tmp_path: Path, language: str, row: str, listed: str, others: str
) -> None:
    inputs = ReportInputs(language_code=language)
    view = report_view(exhibit(tmp_path, faces(width=40), faces(tilt=45)), tmp_path, inputs)
    assert row in by_name(view.measured_errors)
    assert f": {listed}." in view.measured_errors.sentence and view.measured_errors.sentence.endswith(others)
    assert f"({listed})" in view.figure.outside


def test_persons_outside_a_laboratorys_ranges_are_named(tmp_path: Path) -> None:
    analysis = exhibit(tmp_path, faces(width=500), faces())
    made = of_analysis(of_sixty(), analysis)
    sentence = laboratory_view(quoted_extract(made, made.to_json().encode()), analysis).outside
    assert sentence.startswith("This exhibit lies outside the measured ranges: face width of person A, ")


@pytest.mark.parametrize(
    ("language", "label"),
    [
        ("en", "face width 80 to 120 px, person A"),
        ("de", "Gesichtsbreite 80 bis 120 px, Person A"),
        ("es", "anchura del rostro 80 a 120 px, persona A"),
    ],
)
def test_rates_of_a_class_of_faces_name_the_person_whose_faces_are_of_it(
    tmp_path: Path, language: str, label: str
) -> None:
    of_two, of_one = exhibit(tmp_path, faces(width=100), faces()), exhibit(tmp_path, faces(width=100))

    def rows(analysis: Analysis) -> list[str]:
        made = of_analysis(of_sixty(), analysis)
        own = quoted_extract(made, made.to_json().encode()).to_json().encode()
        inputs = ReportInputs(laboratory=own, language_code=language)
        view = report_view(analysis, tmp_path, inputs).laboratory
        assert view is not None
        return [row.name for row in view.rows]

    assert label in rows(of_two)
    everything, of_class = rows(of_one)
    assert of_class == label.rpartition(", ")[0] and everything == rows(of_two)[0]
