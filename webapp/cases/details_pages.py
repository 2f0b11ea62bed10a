"""The form of the case details of an analysis."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.inputs.case_fields import ASKED
from webapp import context
from webapp.accounts.permissions import Permission, require
from webapp.casework import access
from webapp.casework.details import (
    SHOWN,
    ConflictError,
    details_from_form,
    merge_details,
    read_details,
    store_details,
)
from webapp.errors import UserError
from webapp.exhibits import queries as analysis_queries
from webapp.http.error_responses import show_form_again

blueprint = Blueprint("case_details", __name__, url_prefix="/analyses/<analysis_id>")


def _form(analysis_id: str, problem: UserError) -> str:
    """Show the form again with the entered values and, after a conflict, the stored ones."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        access.refuse_changes(session, row.case_id)
    conflict = problem if isinstance(problem, ConflictError) else None
    return render_template(
        "cases/details.html",
        row=row,
        problem=problem,
        said=conflict.said if conflict else {name: request.form.get(name, "") for name in ASKED},
        shown=conflict.stored if conflict else _shown_values(),
        both=conflict.fields if conflict else (),
    )


@blueprint.post("/case")
@require(Permission.ANNOTATE)
@show_form_again(_form)
def keep(analysis_id: str) -> Response:
    """Store the case details, which all reports from now on contain."""
    row = analysis_queries.get_or_404(analysis_id)
    details = details_from_form(request.form)
    with context.database().alone() as session:
        current_row = analysis_queries.reload_row(session, row.id)
        details = merge_details(details, _shown_values(), read_details(session, row.id))
        store_details(session, current_row, details)
    return redirect(url_for("show.show", analysis_id=row.id, case="saved", _anchor="case"), 303)


def _shown_values() -> dict[str, str]:
    return {name.removeprefix(SHOWN): text for name, text in request.form.items() if name.startswith(SHOWN)}
