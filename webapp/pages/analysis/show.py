"""One analysis: its progress while it runs, its result when it is done, and both as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, assert_never

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from webapp import this_app
from webapp.downloads import exports, report_lock
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
    stands = State(row.state)
    match stands:
        case State.DONE:
            return render_template("pages/analysis/result.html", **_of_any(row), **_of_result(row))
        case State.FAILED | State.CANCELLED | State.PAUSED:
            return render_template("pages/analysis/stopped.html", **_of_any(row))
        case State.QUEUED | State.RUNNING:
            ahead = analysis_queries.count_ahead(row)
            return render_template("pages/analysis/progress.html", **_of_any(row), ahead=ahead)
        case _:
            assert_never(stands)


def _of_any(row: AnalysisRow) -> dict[str, Any]:
    """What the page of an analysis in any state shows."""
    return {
        "row": row,
        "its_case": analysis_queries.case_of(row),
        "earlier": _earlier(row),
        "copies": copy_queries.of_exhibit(row.exhibit_id, row),
        "compares": _compares(row),
    }


def _of_result(row: AnalysisRow) -> dict[str, Any]:
    """What the page of a finished one shows besides."""
    from reports.view.review.second_review import second_review_view

    view = load(_folder(row)).view
    with this_app.database().begin() as session:
        reviewed = second_reviews.find(session, analysis_queries.still_there(session, row.id))
        annotations = annotation_service.listed(session, row.id) if reviewed else ()
        of_records = {
            "case": case_details.stored(session, row.id),
            "tells_first": blinding.tells_first(session, current().user_id, row.exhibit_id),
            "review_begun": bool(begun(session, [row.id])),
        }
    review = second_review_view(reviewed.disclosed, row.duration or 0.0, annotations) if reviewed else None
    return of_records | {
        "view": view,
        "others": analysis_queries.sibling_analyses(row),
        "compared": reference_comparisons.listed(row.exhibit_id, as_reference=True),
        "review_words": review.summary if review else "",
        "report": _report(row),
        "exports": exports.links(view.still),
    }


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
    return report_lock.status(this_app.folders(), row)


def _earlier(row: AnalysisRow) -> analysis_queries.EarlierAnalyses | None:
    """What to say of a file that was handed in before, on the page that its form leads to."""
    return analysis_queries.earlier_analyses(row) if "known" in request.args else None


def _folder(row: AnalysisRow) -> Path:
    return result_folder(this_app.database(), this_app.folders(), row)
