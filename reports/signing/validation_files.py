"""A validation as HTML and PDF/A, signed where there is a key, with SHA-256 sums."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detector.files import write_atomically
from detector.schema.laboratory import Validation
from language import translation
from language.languages import DEFAULT
from language.translation import N_, gettext
from reports.bundle.manifest import sums
from reports.file_names import LABORATORY
from reports.render.attachments import Attachment
from reports.render.html import STYLES, TEMPLATES, document_date, environment, style_and_policy
from reports.render.pdf import render_document
from reports.signing.keys import SigningKey
from reports.validation.validation_report import ValidationReport, validation_report

RESULT, PAGE, DOCUMENT = "validation.json", "validation.html", "validation.pdf"
_PAPER = "A4"
_OWN = TEMPLATES / "validation" / "validation.css"
_STYLES = {
    "screen": (*STYLES["screen"][1:], _OWN),
    "print": (*STYLES["print"], _OWN, TEMPLATES / "validation" / "print.css"),
}


def validation_files(validation: Validation, language_code: str = translation.DEFAULT) -> dict[str, bytes]:
    """Return ``validation.json`` and the report as HTML and PDF; the same input gives the same bytes."""
    text = validation.to_json().encode()
    view = validation_report(validation, language_code)
    with translation.speaking(language_code):
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


SUMS, SIGNATURE = "sha256sums.txt", "validation.sig"


def write_validation(
    validation: Validation,
    folder: Path,
    key: SigningKey | None = None,
    laboratory: bytes | None = None,
    language_code: str = DEFAULT,
) -> None:
    """Write ``validation.json``, ``validation.html``, ``validation.pdf`` and ``sha256sums.txt``.

    ``laboratory`` is the text of the ``laboratory.json`` that reports quote; it is not among the sums because
    own thresholds replace it later.

    With a ``key`` the PDF is signed, and ``validation.sig`` is a detached CMS signature over
    ``validation.json``. Raise :class:`~reports.signing.keys.SigningError` before anything is written.
    """
    files = validation_files(validation, language_code=language_code)
    if key is not None:
        from reports.signing.pdf_signature import sign_pdf  # brings pyHanko

        files[DOCUMENT] = sign_pdf(files[DOCUMENT], key, reason="validation released")
        files[SIGNATURE] = key.sign(files[RESULT])
    else:  # an earlier one's says nothing of this one
        (folder / SIGNATURE).unlink(missing_ok=True)
    extra_files = {} if laboratory is None else {LABORATORY: laboratory}
    for name, data in {**files, SUMS: sums(files), **extra_files}.items():
        write_atomically(folder / name, data)
