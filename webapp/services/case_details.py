"""Case details of an analysis: asked for, optional, kept beside its row, printed in its reports."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from reports.inputs.case import CaseDetails, CaseError, case_details
from reports.text import language
from reports.text.language import gettext
from webapp.custody import altered, review_records
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.services import cases
from webapp.storage.tables import AnalysisRow, CaseDetailsRow, now

# What forms ask for, in this order, and its name on pages.
LABELS = {
    "case_number": "Case number",
    "exhibit_number": "Exhibit number",
    "examiner": "Examiner",
    "organisation": "Organisation",
}


def stored(session: Session, analysis_id: str) -> CaseDetails:
    """What was said of the case; all blank where nothing was.

    Raises :class:`~webapp.custody.altered.AlteredRecord` where it is not what the custody log holds.
    """

    def read() -> CaseDetails:
        row = session.get(CaseDetailsRow, analysis_id, populate_existing=True)
        details = CaseDetails.model_validate_json(row.body) if row else CaseDetails()
        review_records.refuse_altered_case(session, analysis_id, details.model_dump())
        return details

    return altered.compared(session, analysis_id, read)


def from_form(form: Mapping[str, str]) -> CaseDetails:
    """Case details out of a form's fields; raises :class:`UserError` that says what cannot be used."""
    try:
        return case_details({name: form.get(name) or None for name in (*LABELS, "paper")})
    except CaseError as problem:
        raise UserError(
            400, language.translated(str(problem)), gettext("Go back, correct it and save again.")
        ) from None


def keep(session: Session, row: AnalysisRow, details: CaseDetails) -> bool:
    """Store case details; what changed goes into the custody log. False if nothing did."""
    before, after = (each.model_dump() for each in (stored(session, row.id), details))
    changed = {name: value for name, value in after.items() if before[name] != value}
    if not changed:
        return False
    cases.refuse_changes(session, row.case_id)
    session.merge(CaseDetailsRow(analysis_id=row.id, body=details.model_dump_json(), changed=now()))
    said = {name.replace("_", " "): value or "removed" for name, value in changed.items()}
    custody_log.append(session, "case details", said, exhibit=row.exhibit.sha256, analysis=row.id)
    return True
