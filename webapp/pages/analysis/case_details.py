"""The details of the case of an analysis, as its page has them stored."""

from __future__ import annotations

from flask import Blueprint, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.text.translation.language import gettext
from webapp import this_app
from webapp.errors import UserError
from webapp.http.error_pages import wants_json
from webapp.queries import analyses as analysis_queries
from webapp.security.access.permissions import Permission, require
from webapp.services.cases import details as case_details
from webapp.services.cases.details import ConflictError
from webapp.storage.tables import AnalysisRow

blueprint = Blueprint("case_details", __name__, url_prefix="/analyses/<analysis_id>")


@blueprint.post("/case")
@require(Permission.ANNOTATE)
def keep(analysis_id: str) -> Response:
    """Store the details of the case; reports from now on carry them.

    Where somebody else changed the same one meanwhile, the form comes again with what was typed.
    """
    row = analysis_queries.get_or_404(analysis_id)
    details = case_details.from_form(request.form)
    try:
        with this_app.database().alone() as session:
            stored = session.get(AnalysisRow, row.id)
            if stored is None:
                raise UserError(
                    404, gettext("This analysis was deleted meanwhile."), gettext("Nothing was stored.")
                )
            details = case_details.merged(details, _shown(), case_details.stored(session, row.id))
            changed = case_details.keep(session, stored, details)
    except ConflictError as problem:
        if wants_json():
            raise
        page = render_template("pages/analysis/case_conflict.html", row=row, problem=problem)
        return make_response(page, problem.status)
    if wants_json():
        return jsonify(changed=changed, **details.model_dump())
    return redirect(url_for("show.show", analysis_id=row.id, case="saved", _anchor="case"), 303)


def _shown() -> dict[str, str]:
    begins = case_details.SHOWN
    return {name.removeprefix(begins): text for name, text in request.form.items() if name.startswith(begins)}
