"""The details of the case of an analysis, as its page has them stored."""

from __future__ import annotations

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.inputs.case_fields import ASKED
from webapp import this_app
from webapp.errors import UserError
from webapp.http.error_pages import wants_json
from webapp.pages.form_again import form_again
from webapp.queries import analyses as analysis_queries
from webapp.security.access.permissions import Permission, require
from webapp.services.case_rules import write_access
from webapp.services.cases import details as case_details
from webapp.services.cases.details import ConflictError

blueprint = Blueprint("case_details", __name__, url_prefix="/analyses/<analysis_id>")


def _form(analysis_id: str, problem: UserError) -> str:
    """The form alone, with what was typed; where somebody else changed the same meanwhile, with that too."""
    row = analysis_queries.get_or_404(analysis_id)
    with this_app.database().begin() as session:
        write_access.refuse_changes(session, row.case_id)
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
@form_again(_form)
def keep(analysis_id: str) -> Response:
    """Store the details of the case; reports from now on carry them."""
    row = analysis_queries.get_or_404(analysis_id)
    details = case_details.from_form(request.form)
    with this_app.database().alone() as session:
        stored = analysis_queries.still_there(session, row.id)
        details = case_details.merged(details, _shown(), case_details.stored(session, row.id))
        changed = case_details.keep(session, stored, details)
    if wants_json():
        return jsonify(changed=changed, **details.model_dump())
    return redirect(url_for("show.show", analysis_id=row.id, case="saved", _anchor="case"), 303)


def _shown() -> dict[str, str]:
    begins = case_details.SHOWN
    return {name.removeprefix(begins): text for name, text in request.form.items() if name.startswith(begins)}
