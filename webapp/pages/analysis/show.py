"""One analysis: its progress while it runs, its result when it is done, and both as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, assert_never

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from webapp import this_app
from webapp.downloads import exports, kept_reports
from webapp.pages.job_words import in_words
from webapp.queries import analyses as analysis_queries
from webapp.queries import copies as copy_queries
from webapp.queries import reference_comparisons, second_reviews
from webapp.queries.analyses import status_json
from webapp.queries.results import analysis_text, load, refuse_altered_row, result_folder, viewed
from webapp.security.access import blinding
from webapp.security.access.blinding import Blinded, Discloses
from webapp.security.access.permissions import Permission, current, require
from webapp.services.case_rules import comparing
from webapp.services.cases import details as case_details
from webapp.services.review import annotations as annotation_service
from webapp.storage.reviewed_analyses import begun
from webapp.storage.tables import AnalysisRow, State

blueprint = Blueprint("show", __name__)


@blueprint.get("/analyses/<analysis_id>")
@require(Permission.READ)
def show(analysis_id: str) -> str | Answer:
    """The page of an analysis, whatever its state."""
    try:
        row = analysis_queries.get_or_404(analysis_id, Discloses.FINDINGS)
    except Blinded as blinded:
        if blinded.analysis_id is None:
            raise
        return redirect(url_for("second_reviews.show", analysis_id=blinded.analysis_id), 303)
    viewed(row)
    its_case = analysis_queries.case_of(row)
    copies, compares = copy_queries.of_exhibit(row.exhibit_id, row), _compares(row)
    stands = State(row.state)
    if stands is State.DONE:
        from reports.view.second_review import second_review_view

        view = load(_folder(row)).view
        with this_app.database().begin() as session:
            case = case_details.stored(session, row.id)
            reviewed = second_reviews.find(session, analysis_queries.still_there(session, row.id))
            annotations = annotation_service.listed(session, row.id) if reviewed else ()
            tells_first = blinding.tells_first(session, current().user_id, row.exhibit_id)
            review_begun = bool(begun(session, [row.id]))
        return render_template(
            "pages/analysis/result.html",
            row=row,
            view=view,
            others=analysis_queries.sibling_analyses(row),
            compares=compares,
            compared=reference_comparisons.listed(row.exhibit_id, as_reference=True),
            case=case,
            its_case=its_case,
            review_words=second_review_view(reviewed.disclosed, row.duration or 0.0, annotations).summary
            if reviewed
            else "",
            review_begun=review_begun,
            tells_first=tells_first,
            earlier=_earlier(row),
            copies=copies,
            report=_report(row),
            exports=exports.links(view.still),
        )
    match stands:
        case State.FAILED | State.CANCELLED | State.PAUSED:
            return render_template(
                "pages/analysis/stopped.html",
                row=row,
                its_case=its_case,
                earlier=_earlier(row),
                copies=copies,
                compares=compares,
            )
        case State.QUEUED | State.RUNNING:
            return render_template(
                "pages/analysis/progress.html",
                row=row,
                ahead=analysis_queries.count_ahead(row),
                its_case=its_case,
                earlier=_earlier(row),
                copies=copies,
                compares=compares,
            )
        case _:
            assert_never(stands)


@blueprint.get("/analyses/<analysis_id>/copies")
@require(Permission.READ)
def copies(analysis_id: str) -> str:
    """Other exhibits that show the same as its exhibit, or a part of it."""
    row = analysis_queries.get_or_404(analysis_id, Discloses.FINDINGS)
    copies = copy_queries.of_exhibit(row.exhibit_id, row)
    return render_template("pages/analysis/copies.html", row=row, copies=copies, compares=_compares(row))


@blueprint.get("/analyses/<analysis_id>/state.json")
@require(Permission.READ)
def state(analysis_id: str) -> Response:
    """Where the analysis stands, for pages that wait for it."""
    row = analysis_queries.get_or_404(analysis_id, Discloses.FINDINGS)
    refuse_altered_row(row)
    return jsonify(in_words(_status(row)))


@blueprint.get("/analyses/<analysis_id>.json")
@require(Permission.READ)
def as_json(analysis_id: str) -> Response:
    """Where the analysis stands and, when it is done, the whole of it."""
    row = analysis_queries.get_or_404(analysis_id, Discloses.FINDINGS)
    text = json.dumps(_status(row), ensure_ascii=False)
    if row.state == State.DONE:
        # The stored bytes are put in as they are, without re-encoding thousands of scores.
        stored = analysis_text(_folder(row)).decode().strip()
        text = f'{text[:-1]}, "analysis": {stored}}}'
    return Response(text + "\n", mimetype="application/json")


def _status(row: AnalysisRow) -> dict[str, Any]:
    return status_json(row) | {"copies": copy_queries.count(row.exhibit_id), "report": _report(row)}


def _compares(row: AnalysisRow) -> bool:
    """Whether who asks may have its exhibit compared, if their role lets them."""
    with this_app.database().begin() as session:
        return comparing.allowed(comparing.refuse_starting, session, row)


def _report(row: AnalysisRow) -> str | None:
    return kept_reports.status(this_app.folders(), row)


def _earlier(row: AnalysisRow) -> analysis_queries.EarlierAnalyses | None:
    """What to say of a file that was handed in before, on the page that its form leads to."""
    return analysis_queries.earlier_analyses(row) if "known" in request.args else None


def _folder(row: AnalysisRow) -> Path:
    return result_folder(this_app.database(), this_app.folders(), row)
