"""A validation as HTML and as PDF/A, by the same means as reports of analyses."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.laboratory.validation import Validation
from reports.render.attachments import Attachment
from reports.render.html import STYLES, TEMPLATES, document_date, environment, style_and_policy
from reports.render.pdf import render_document
from reports.text.translation import language
from reports.text.translation.language import N_, gettext
from reports.view.validation.validation_report import ValidationReport, validation_report

RESULT, PAGE, DOCUMENT = "validation.json", "validation.html", "validation.pdf"
_PAPER = "A4"
_OWN = TEMPLATES / "validation" / "validation.css"
_STYLES = {
    "screen": (*STYLES["screen"][1:], _OWN),
    "print": (*STYLES["print"], _OWN, TEMPLATES / "validation" / "print.css"),
}


def validation_files(validation: Validation, language_code: str = language.DEFAULT) -> dict[str, bytes]:
    """``validation.json``, the report as HTML and PDF in this language: always the same bytes."""
    text = validation.to_json().encode()
    view = validation_report(validation, language_code)
    with language.speaking(language_code):
        holds = gettext("all figures of this report")
        enclosed = (Attachment(RESULT, text, "application/json", "Source", holds),)
        places = {
            section.key: gettext("Section %(heading)s", heading=section.heading)
            for section in view.sections.values()
        }
        markup = _filled(view, "print", enclosed, _PAPER)
        document = render_document(markup, {}, enclosed, document_date(view.created_iso), places)
        page = _filled(view, "screen", enclosed, None).encode()
    return {RESULT: text, PAGE: page, DOCUMENT: document}


def _filled(view: ValidationReport, medium: str, enclosed: Sequence[Attachment], paper: str | None) -> str:
    style, policy = style_and_policy(_STYLES[medium], paper, N_("Validation report"))
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
