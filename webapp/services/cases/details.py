"""Case details of an analysis: asked for, optional, kept beside its row, printed in its reports."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from reports.inputs.case import CaseDetails, CaseError, case_details
from reports.inputs.case_fields import ASKED, FIELDS
from reports.text.translation.language import gettext, translated
from webapp.custody import altered
from webapp.custody import log as custody_log
from webapp.custody.records import review_records
from webapp.errors import UserError
from webapp.services.case_rules import write_access
from webapp.storage.tables import AnalysisRow, CaseDetailsRow, now

SHOWN = "shown_"
"""Begins the names of a form's hidden fields with what it showed first."""


class ConflictError(UserError):
    """Somebody else changed ``fields`` meanwhile.

    ``said`` is what the form is to hold now: what was typed, and where nothing was, what is ``stored``.
    """

    def __init__(self, said: CaseDetails, stored: CaseDetails, fields: tuple[str, ...]) -> None:
        self.said, self.stored, self.fields = said, stored, fields
        told = [
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
            gettext("Somebody changed the case details meanwhile. %(fields)s.", fields="; ".join(told)),
            gettext("Reload the page, and save what is to stand."),
        )


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
        return case_details({name: form.get(name) or None for name in ASKED})
    except CaseError as problem:
        raise UserError(
            400,
            translated(str(problem)),
            gettext("Go back, correct it and save again."),
            field=problem.field,
        ) from None


def merged(said: CaseDetails, shown: Mapping[str, str], stored: CaseDetails) -> CaseDetails:
    """What a form says beside what was ``stored`` while it was filled in; ``shown`` is what it showed first.

    A field that was left as it was shown stays as it is stored. Raises :class:`ConflictError` where one was
    changed here and there.
    """
    now_stored, changed = stored.model_dump(), said.model_dump()
    both = []
    for name in changed.keys() & shown.keys():
        if changed[name] == shown[name]:
            changed[name] = now_stored[name]
        elif now_stored[name] not in (shown[name], changed[name]):
            both.append(name)
    details = said.model_copy(update=changed)
    if both:
        raise ConflictError(details, stored, tuple(name for name in ASKED if name in both))
    return details


def keep(session: Session, row: AnalysisRow, details: CaseDetails) -> bool:
    """Store case details; what changed goes into the custody log. False if nothing did."""
    before, after = (each.model_dump() for each in (stored(session, row.id), details))
    changed = {name: value for name, value in after.items() if before[name] != value}
    if not changed:
        return False
    write_access.refuse_changes(session, row.case_id)
    session.merge(CaseDetailsRow(analysis_id=row.id, body=details.model_dump_json(), changed=now()))
    said = {name.replace("_", " "): value or "removed" for name, value in changed.items()}
    custody_log.append(session, "case details", said, exhibit=row.exhibit.sha256, analysis=row.id)
    return True
