"""A validation as HTML and as PDF/A, by the same means as reports of analyses."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.laboratory.validation import Validation
from reports.render.attachments import Attachment
from reports.render.html import STYLES, TEMPLATES, document_date, environment, style_and_policy
from reports.render.pdf import set_document
from reports.view.validation.validation_report import ValidationReport, validation_report

RESULT, PAGE, DOCUMENT = "validation.json", "validation.html", "validation.pdf"
_OWN = TEMPLATES / "validation" / "validation.css"
_STYLES = {
    "screen": (*STYLES["screen"][1:], _OWN),
    "print": (*STYLES["print"], _OWN, TEMPLATES / "validation" / "print.css"),
}


def validation_files(validation: Validation, paper: str = "A4") -> dict[str, bytes]:
    """``validation.json``, the report as HTML and as PDF, by name: the same bytes each time."""
    text = validation.to_json().encode()
    enclosed = (Attachment(RESULT, text, "application/json", "Source", "all figures of this report"),)
    view = validation_report(validation)
    places = {section.key: f"Section {section.heading}" for section in view.sections.values()}
    markup = _filled(view, "print", enclosed, paper)
    document = set_document(markup, {}, enclosed, document_date(view.created_iso), places)
    return {RESULT: text, PAGE: _filled(view, "screen", enclosed, None).encode(), DOCUMENT: document}


def _filled(view: ValidationReport, medium: str, enclosed: Sequence[Attachment], paper: str | None) -> str:
    style, policy = style_and_policy(_STYLES[medium], paper)
    return (
        environment()
        .get_template("validation/report.html")
        .render(
            view=view,
            medium=medium,
            style=style,
            policy=policy,
            created=document_date(view.created_iso),
            enclosed=enclosed,
        )
    )
