"""Case details of an analysis: optional fields, stored beside its row and printed in its reports."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from language.translation import gettext, translated
from reports.inputs.case import CaseDetails, CaseError, case_details
from reports.inputs.case_fields import ASKED, FIELDS
from webapp.casework import access
from webapp.custody import custody_log, job_records, people_records
from webapp.errors import UserError
from webapp.storage.tables import AnalysisRow, CaseDetailsRow, now

SHOWN = "shown_"
"""Prefix of a form's hidden fields with the values it showed first."""


class ConflictError(UserError):
    """Somebody else changed ``fields`` since the form was shown.

    ``said`` is what the form should show now: the entered values, and for untouched fields the ``stored``
    ones.
    """

    def __init__(self, said: CaseDetails, stored: CaseDetails, fields: tuple[str, ...]) -> None:
        self.said, self.stored, self.fields = said, stored, fields
        conflicts = [
            gettext(
                "%(field)s: now “%(stored)s”, yours “%(said)s”",
                field=translated(FIELDS[name].label),
                stored=getattr(stored, name),
                said=getattr(said, name),
            )
            for name in fields
        ]
        super().__init__(
            409,
            gettext("Another person has changed the case details. %(fields)s.", fields="; ".join(conflicts)),
            gettext("Reload the page, and save the right values."),
        )


def read_details(session: Session, analysis_id: str) -> CaseDetails:
    """Return the case details of an analysis, all blank if none were entered.

    Raises :class:`AlteredRecord` if they differ from the custody log.
    """

    def read() -> CaseDetails:
        row = session.get(CaseDetailsRow, analysis_id, populate_existing=True)
        details = CaseDetails.model_validate_json(row.body) if row else CaseDetails()
        people_records.refuse_altered_case_details(session, analysis_id, details.model_dump())
        return details

    return job_records.read_consistently(session, analysis_id, read)


def details_from_form(form: Mapping[str, str]) -> CaseDetails:
    """Read case details from a form's fields; raise :class:`UserError` for invalid ones."""
    try:
        return case_details({name: form.get(name) or None for name in ASKED})
    except CaseError as problem:
        raise UserError(
            400,
            translated(str(problem)),
            gettext("Go back, correct it and save again."),
            field=problem.field,
        ) from None


def merge_details(entered: CaseDetails, shown: Mapping[str, str], stored: CaseDetails) -> CaseDetails:
    """Merge entered details with those stored since the form was shown; ``shown`` is what it showed first.

    A field that was left as shown keeps the stored value. Raises :class:`ConflictError` if a field was
    changed in both places.
    """
    now_stored, merged = stored.model_dump(), entered.model_dump()
    conflicts = []
    for name in merged.keys() & shown.keys():
        if merged[name] == shown[name]:
            merged[name] = now_stored[name]
        elif now_stored[name] not in (shown[name], merged[name]):
            conflicts.append(name)
    details = entered.model_copy(update=merged)
    if conflicts:
        raise ConflictError(details, stored, tuple(name for name in ASKED if name in conflicts))
    return details


def store_details(session: Session, row: AnalysisRow, details: CaseDetails) -> bool:
    """Store case details and record changes in the custody log; return False if nothing changed."""
    before, after = read_details(session, row.id).model_dump(), details.model_dump()
    changed = {name: value for name, value in after.items() if before[name] != value}
    if not changed:
        return False
    access.refuse_changes(session, row.case_id)
    session.merge(CaseDetailsRow(analysis_id=row.id, body=details.model_dump_json(), changed=now()))
    logged = {name.replace("_", " "): value or "removed" for name, value in changed.items()}
    custody_log.append(session, "case details", logged, exhibit=row.exhibit.sha256, analysis=row.id)
    return True
