"""Case details of an analysis: optional fields, stored beside its row and printed in its reports."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from reports.inputs.case import CaseDetails, CaseError, case_details
from reports.inputs.case_fields import ASKED, FIELDS
from reports.language.translation import gettext, translated
from webapp import context
from webapp.accounts.permissions import Permission, require
from webapp.analyses import queries as analysis_queries
from webapp.cases import access
from webapp.custody import custody_log, job_records, people_records
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again, wants_json
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


def read_details(session: Session, analysis_id: str) -> CaseDetails:
    """What was said of the case; all blank where nothing was.

    Raises :class:`~webapp.custody.job_records.AlteredRecord` where it is not what the custody log holds.
    """

    def read() -> CaseDetails:
        row = session.get(CaseDetailsRow, analysis_id, populate_existing=True)
        details = CaseDetails.model_validate_json(row.body) if row else CaseDetails()
        people_records.refuse_altered_case_details(session, analysis_id, details.model_dump())
        return details

    return job_records.read_consistently(session, analysis_id, read)


def details_from_form(form: Mapping[str, str]) -> CaseDetails:
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


def merge_details(said: CaseDetails, shown: Mapping[str, str], stored: CaseDetails) -> CaseDetails:
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


def store_details(session: Session, row: AnalysisRow, details: CaseDetails) -> bool:
    """Store case details; what changed goes into the custody log. False if nothing did."""
    before, after = (each.model_dump() for each in (read_details(session, row.id), details))
    changed = {name: value for name, value in after.items() if before[name] != value}
    if not changed:
        return False
    access.refuse_changes(session, row.case_id)
    session.merge(CaseDetailsRow(analysis_id=row.id, body=details.model_dump_json(), changed=now()))
    said = {name.replace("_", " "): value or "removed" for name, value in changed.items()}
    custody_log.append(session, "case details", said, exhibit=row.exhibit.sha256, analysis=row.id)
    return True


blueprint = Blueprint("case_details", __name__, url_prefix="/analyses/<analysis_id>")


def _form(analysis_id: str, problem: UserError) -> str:
    """The form alone, with what was typed; where somebody else changed the same meanwhile, with that too."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        access.refuse_changes(session, row.case_id)
    conflict = problem if isinstance(problem, ConflictError) else None
    return render_template(
        "pages/analysis/case_details.html",
        row=row,
        problem=problem,
        said=conflict.said if conflict else {name: request.form.get(name, "") for name in ASKED},
        shown=conflict.stored if conflict else _shown(),
        both=conflict.fields if conflict else (),
    )


@blueprint.post("/case")
@require(Permission.ANNOTATE)
@show_form_again(_form)
def keep(analysis_id: str) -> Response:
    """Store the details of the case; reports from now on carry them."""
    row = analysis_queries.get_or_404(analysis_id)
    details = details_from_form(request.form)
    with context.database().alone() as session:
        stored = analysis_queries.reload_row(session, row.id)
        details = merge_details(details, _shown(), read_details(session, row.id))
        changed = store_details(session, stored, details)
    if wants_json():
        return jsonify(changed=changed, **details.model_dump())
    return redirect(url_for("show.show", analysis_id=row.id, case="saved", _anchor="case"), 303)


def _shown() -> dict[str, str]:
    begins = SHOWN
    return {name.removeprefix(begins): text for name, text in request.form.items() if name.startswith(begins)}
