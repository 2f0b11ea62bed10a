"""REST routes of analyses: create, list, get, cancel, retry, pause, prioritise, delete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from detector.schema.joint import JointRule
from detector.schema.summary import EMPTY_SUMMARY
from detector.timestamps import iso_milliseconds
from language.headlines import headline
from webapp import context
from webapp.accounts.permissions import Permission, current
from webapp.accounts.visibility import visible_session
from webapp.analyses.schemas import (
    Again,
    AnalysisStatus,
    Earlier,
    Listing,
    NewAnalysis,
    OfUpload,
    Prioritised,
    Search,
)
from webapp.casework import access as case_queries
from webapp.casework import details as case_details
from webapp.casework.blinding import Disclosure
from webapp.downloads import kept_reports
from webapp.errors import UserError
from webapp.exhibits import copies as copy_queries
from webapp.exhibits import deletion, library_search
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits import service as analysis_service
from webapp.exhibits.queries import EarlierAnalyses, status_json, translate_status
from webapp.exhibits.results import get_finished, refuse_altered_row
from webapp.exhibits.service import AnalysisRequest
from webapp.exhibits.uploads.exhibits import clean_file_name
from webapp.exhibits.uploads.resumable import upload_limit
from webapp.http.error_responses import FieldProblem, FieldsError
from webapp.http.uploads import UploadLimit
from webapp.rest import schemas
from webapp.rest.idempotency import id_to_create
from webapp.rest.operation import Answer, Form, ViewFunction, operation, uploaded
from webapp.rest.schemas import RequestModel
from webapp.settings import Settings
from webapp.storage.finding_columns import row_verdicts
from webapp.storage.tables import AnalysisRow, State

NOTHING_FOUND: dict[str, Any] = {
    "verdict": None,
    "probability": None,
    "headline": "",
    **EMPTY_SUMMARY,
}
QUEUED = Answer("It is queued.", AnalysisStatus, headers=("Location",))


def analysis_request(body: NewAnalysis | OfUpload | Again, wanted_id: str | None) -> AnalysisRequest:
    """Convert a request body; ``wanted_id`` is the id of the new analysis.

    Raises :class:`FieldsError` for contradicting fields, :class:`UserError` for an unknown model or priority.
    """
    where = "form" if isinstance(body, NewAnalysis) else "body"
    if body.joint != JointRule.FIRST and not body.also:
        problem = "It is for several models: “also” names them."
        raise FieldsError((FieldProblem(where=f"{where}.joint", problem=problem),))
    if body.parameters and body.parameters.inverted_thresholds:
        name, other = body.parameters.inverted_thresholds
        problem = f"It must not be above {other}, {getattr(body.parameters, other):g}."
        raise FieldsError((FieldProblem(where=f"{where}.parameters.{name}", problem=problem),))
    own = body.parameters.model_dump(exclude_unset=True) if body.parameters else {}
    changes = own | analysis_service.changes_for_other_models(body.also, body.model, body.joint)
    return AnalysisRequest(body.model, changes, analysis_service.parse_priority(body.priority), wanted_id)


def requested_case_id(body: NewAnalysis | OfUpload) -> int | None:
    """Return the id of the case a request names. Raises :class:`UserError` if the caller is not in it."""
    if body.case is None:
        return None
    try:
        with context.database().begin() as session:
            return case_queries.find_or_404(session, current(), body.case).id
    except UserError:
        # 400, because a 404 would mean that the address is wrong.
        raise UserError(400, "There is no such case, or you are not in it.", "Name one you are in.") from None


def accepted_response(row: AnalysisRow, earlier: EarlierAnalyses | None = None) -> Response:
    """Respond with 202, the status of the new analysis and its address.

    A repeated request may find it done; then findings must stay hidden from a blind second reviewer.
    """
    status = status_of(row)
    if analysis_queries.are_findings_hidden(row):
        status = status.model_copy(update=NOTHING_FOUND)
    if earlier is not None:
        update = {"earlier": Earlier(count=earlier.count, first=iso_milliseconds(earlier.first))}
        status = status.model_copy(update=update)
    response = Response(
        status.model_dump_json(exclude_unset=True) + "\n", status=202, content_type="application/json"
    )
    response.headers["Location"] = url_for("api_analyses.get", analysis_id=row.id)
    return response


def status_of(row: AnalysisRow, *, ahead: bool = True) -> AnalysisStatus:
    """Convert a row to its status; without ``ahead``, fields that need another query are left out."""
    status = translate_status(status_json(row, ahead=ahead)) | {"case": row.case_id}
    status["headline"] = headline(row_verdicts(row)) if row.verdict else ""
    if ahead:
        status["copies"] = copy_queries.count_copies(row.exhibit_id)
        status["report"] = kept_reports.report_status(context.folders(), row)
    return AnalysisStatus.model_validate(status)


def require_finished(
    analysis_id: str, disclosure: Disclosure = Disclosure.JUDGEMENTS
) -> tuple[AnalysisRow, Path]:
    """Return the row of a finished analysis and the folder of its result; raise a 409 error otherwise."""
    row = analysis_queries.get_or_404(analysis_id, disclosure)
    if row.state in (State.FAILED, State.CANCELLED):
        ended = "failed" if row.state == State.FAILED else "was cancelled"
        raise UserError(409, f"This analysis {ended}, so it has no result.", "Retry it.")
    return get_finished(analysis_id, disclosure)


blueprint = Blueprint("api_analyses", __name__)


def exhibit_limit(settings: Settings) -> UploadLimit:
    """Limit one upload of the caller."""
    return upload_limit(settings, current())


@operation(
    blueprint,
    "POST",
    "/analyses",
    permission=Permission.ANALYSE,
    body=Form(NewAnalysis, "file", exhibit_limit),
    answers={202: QUEUED},
    errors=(409, 413, 415, 422, 507),
    keyed=True,
)
def create(body: NewAnalysis) -> Response:
    """Upload a file and have it analysed.

    The file is one part of a form. A file uploaded before is analysed again and stored once. For large
    files and unreliable connections, use resumable uploads.
    """
    stream, name = uploaded("file")
    analysis_service.refuse_unknown_model(body.model)
    file, case_id = clean_file_name(name), requested_case_id(body)
    details = case_details.details_from_form(body.details.model_dump())
    request = analysis_request(body, id_to_create())
    row = analysis_service.submit(stream, file, request, case_id=case_id, details=details)
    return accepted_response(row, analysis_queries.earlier_analyses(row))


@operation(
    blueprint,
    "GET",
    "/analyses",
    permission=Permission.READ,
    query=Search,
    answers={200: Answer("A page of matching analyses.", Listing, headers=("ETag", "Link"))},
    errors=(422,),
)
def listing(query: Search) -> Response:
    """List analyses, newest first."""
    matching = library_search.matching_analyses(select(AnalysisRow), _library_search(query))
    with visible_session() as session:
        rows, rest = schemas.newest_page(session, matching, AnalysisRow, query.limit, query.cursor)
    page = Listing(items=tuple(status_of(row, ahead=False) for row in rows), next=rest)
    response = Response(page.model_dump_json(exclude_unset=True) + "\n", content_type="application/json")
    if rest:
        response.headers["Link"] = f'<{rest}>; rel="next"'
    return response


def _library_search(query: Search) -> library_search.LibrarySearch:
    """Convert the query. The first and the last year of the calendar mean no limit."""
    filters = query.model_dump(exclude={"q", "limit", "cursor"}, exclude_none=True)
    for name, year in (("since", 1), ("until", 9999)):
        if name in filters and filters[name].year == year:
            del filters[name]
    return library_search.LibrarySearch(text=query.q, **filters)


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>",
    permission=Permission.READ,
    answers={200: Answer("The status of the analysis.", AnalysisStatus, headers=("ETag",))},
    errors=(404,),
)
def get(analysis_id: str) -> AnalysisStatus:
    """Get the status of an analysis."""
    row = analysis_queries.get_or_404(analysis_id, Disclosure.FINDINGS)
    refuse_altered_row(row)
    return status_of(row)


def _action(
    name: str, answers: dict[int, Answer], body: type[RequestModel] | None = None
) -> Callable[[ViewFunction], ViewFunction]:
    """Declare an operation that changes an analysis."""
    return operation(
        blueprint,
        "POST",
        f"/analyses/<analysis_id>/{name}",
        permission=Permission.ANALYSE,
        body=body,
        answers=answers,
        errors=(404, 409, 422) if body is None else (404, 409, 413, 415, 422),
        keyed=True,
    )


@_action("cancel", {200: Answer("It was cancelled.", AnalysisStatus)})
def cancel(analysis_id: str) -> AnalysisStatus:
    """Remove an analysis from the queue, or stop it."""
    analysis_service.cancel(analysis_id)
    return status_of(analysis_queries.get_or_404(analysis_id))


@_action("retry", {202: QUEUED})
def retry(analysis_id: str) -> Response:
    """Queue a failed or cancelled analysis again."""
    analysis_service.retry(analysis_id)
    return accepted_response(analysis_queries.get_or_404(analysis_id))


@_action("pause", {200: Answer("It is paused.", AnalysisStatus)})
def pause(analysis_id: str) -> AnalysisStatus:
    """Remove an analysis from the queue, or stop it, until it is resumed.

    A running analysis loses its progress and starts from the beginning once resumed.
    """
    analysis_service.pause(analysis_id)
    return status_of(analysis_queries.get_or_404(analysis_id))


@_action("resume", {202: QUEUED})
def resume(analysis_id: str) -> Response:
    """Queue a paused analysis again, in its old place."""
    analysis_service.resume(analysis_id)
    return accepted_response(analysis_queries.get_or_404(analysis_id))


@_action("priority", {200: Answer("It has that priority.", AnalysisStatus)}, Prioritised)
def prioritise(analysis_id: str, body: Prioritised) -> AnalysisStatus:
    """Change the priority of a waiting or paused analysis."""
    analysis_service.prioritise(analysis_id, analysis_service.parse_priority(body.priority))
    return status_of(analysis_queries.get_or_404(analysis_id))


@_action("again", {202: QUEUED}, Again)
def again(analysis_id: str, body: Again) -> Response:
    """Analyse the exhibit of an analysis again, with another model or other parameters."""
    row = analysis_queries.get_or_404(analysis_id)
    analysis_service.refuse_unknown_model(body.model)
    return accepted_response(analysis_service.reanalyse(row, analysis_request(body, id_to_create())))


@operation(
    blueprint,
    "DELETE",
    "/analyses/<analysis_id>",
    permission=Permission.DELETE,
    answers={204: Answer("The analysis is deleted, with its exhibit unless another analysis needs it.")},
    errors=(404, 409),
)
def delete(analysis_id: str) -> None:
    """Delete an ended or paused analysis."""
    analysis_queries.get_or_404(analysis_id)
    deletion.delete_analysis(context.database(), context.folders(), analysis_id)
