"""REST routes of analyses: create, list, get, cancel, retry, pause, prioritise, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, url_for
from sqlalchemy import select, tuple_
from werkzeug.wrappers import Response

from detector.schema.analysis import EMPTY_SUMMARY
from detector.schema.method import JointRule
from webapp import context
from webapp.accounts.permissions import Permission, current
from webapp.accounts.visibility import visible_session
from webapp.analyses import deletion, library_search
from webapp.analyses import queries as analysis_queries
from webapp.analyses import service as analysis_service
from webapp.analyses.downloads import kept_reports
from webapp.analyses.queries import status_json
from webapp.analyses.results import get_finished, refuse_altered_row
from webapp.analyses.schemas import Again, AnalysisStatus, Listing, NewAnalysis, OfUpload, Prioritised, Search
from webapp.analyses.service import AnalysisRequest
from webapp.analyses.uploads.exhibits import clean_file_name
from webapp.analyses.uploads.resumable import upload_limit
from webapp.cases import access as case_queries
from webapp.comparisons import copies as copy_queries
from webapp.errors import UserError
from webapp.http.error_responses import FieldProblem, FieldsError
from webapp.http.uploads import UploadLimit
from webapp.rest import schemas
from webapp.rest.idempotency import id_to_create
from webapp.rest.operation import Answer, Form, operation, uploaded
from webapp.review.blinding import Disclosure
from webapp.settings import Settings
from webapp.storage.tables import AnalysisRow, State

NOTHING_FOUND: dict[str, Any] = {"verdict": None, "probability": None, **EMPTY_SUMMARY}
QUEUED = Answer("It waits to be analysed.", AnalysisStatus, headers=("Location",))


def analysis_request(body: NewAnalysis | OfUpload | Again, wanted_id: str | None) -> AnalysisRequest:
    """How a request has an exhibit analysed; ``wanted_id`` is the id the analysis is to have.

    Raises :class:`FieldsError` for fields that contradict each other, :class:`UserError` for models or a
    priority that there are not.
    """
    where = "form" if isinstance(body, NewAnalysis) else "body"
    if body.joint != JointRule.FIRST and not body.also:
        problem = "It is for several models: “also” names them."
        raise FieldsError((FieldProblem(where=f"{where}.joint", problem=problem),))
    if body.parameters and body.parameters.crossed:
        name, other = body.parameters.crossed
        problem = f"It must not be above {other}, {getattr(body.parameters, other):g}."
        raise FieldsError((FieldProblem(where=f"{where}.parameters.{name}", problem=problem),))
    given = body.parameters.model_dump(exclude_unset=True) if body.parameters else {}
    changes = given | analysis_service.changes_for_other_models(body.also, body.model, body.joint)
    return AnalysisRequest(body.model, changes, analysis_service.parse_priority(body.priority), wanted_id)


def requested_case_id(asked: NewAnalysis | OfUpload) -> int | None:
    """Id of the case a request names, if it does; raises :class:`UserError` for one they are not in.

    With 400, not 404: what is wrong with the request must not look like a missing address.
    """
    if asked.case is None:
        return None
    try:
        with context.database().begin() as session:
            return case_queries.find_or_404(session, current(), asked.case).id
    except UserError:
        raise UserError(400, "There is no such case, or you are not in it.", "Name one you are in.") from None


def accepted_response(row: AnalysisRow) -> Response:
    """202 with where the new analysis stands and its address.

    A request that is sent again may find it done; a second reviewer is not told what is hidden from them.
    """
    status = status_of(row)
    if analysis_queries.are_findings_hidden(row):
        status = status.model_copy(update=NOTHING_FOUND)
    response = Response(
        status.model_dump_json(exclude_unset=True) + "\n", status=202, content_type="application/json"
    )
    response.headers["Location"] = url_for("api_analyses.get", analysis_id=row.id)
    return response


def status_of(row: AnalysisRow, *, ahead: bool = True) -> AnalysisStatus:
    """A row as the API tells of it; without ``ahead``, what takes a question to the database is left out."""
    known = status_json(row, ahead=ahead) | {"case": row.case_id}
    if ahead:
        known["copies"] = copy_queries.count_copies(row.exhibit_id)
        known["report"] = kept_reports.report_status(context.folders(), row)
    return AnalysisStatus.model_validate(known)


def require_finished(
    analysis_id: str, discloses: Disclosure = Disclosure.JUDGEMENTS
) -> tuple[AnalysisRow, Path]:
    """The row of a finished analysis and the folder of its result; 409 where there is none (yet)."""
    row = analysis_queries.get_or_404(analysis_id, discloses)
    if row.state in (State.FAILED, State.CANCELLED):
        ended = "failed" if row.state == State.FAILED else "was cancelled"
        raise UserError(409, f"This analysis {ended}, so it has no result.", "Retry it.")
    return get_finished(analysis_id, discloses)


blueprint = Blueprint("api_analyses", __name__)


def exhibit_limit(settings: Settings) -> UploadLimit:
    """What who asks may hand in at once."""
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
    """Hand in a file and have it analysed.

    The file is one part of a form. A file known already is analysed again and stored once. For
    large files and bad lines, send it in parts: see uploads.
    """
    stream, name = uploaded("file")
    analysis_service.refuse_unknown_model(body.model)
    file, case_id = clean_file_name(name), requested_case_id(body)
    asked = analysis_request(body, id_to_create())
    return accepted_response(analysis_service.submit(stream, file, asked, case_id=case_id))


@operation(
    blueprint,
    "GET",
    "/analyses",
    permission=Permission.READ,
    query=Search,
    answers={200: Answer("Some of what fits.", Listing, headers=("ETag", "Link"))},
    errors=(422,),
)
def listing(query: Search) -> Response:
    """List analyses, newest first."""
    fitting = library_search.matching_analyses(select(AnalysisRow), _library_search(query))
    after = schemas.decode_cursor(query.cursor)
    if after is not None:
        fitting = fitting.where(tuple_(AnalysisRow.created, AnalysisRow.id) < tuple_(*after))
    newest = fitting.order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc()).limit(query.limit + 1)
    with visible_session() as session:
        found = session.scalars(newest).all()
    shown, more = found[: query.limit], len(found) > query.limit
    rest = schemas.next_page_url(schemas.encode_cursor(shown[-1].created, shown[-1].id)) if more else None
    page = Listing(items=tuple(status_of(row, ahead=False) for row in shown), next=rest)
    response = Response(page.model_dump_json(exclude_unset=True) + "\n", content_type="application/json")
    if rest:
        response.headers["Link"] = f'<{rest}>; rel="next"'
    return response


def _library_search(query: Search) -> library_search.LibrarySearch:
    """The same as the library is asked it. The first and last years of the calendar leave nothing out."""
    return library_search.LibrarySearch(
        text=query.q,
        verdict=query.verdict or "",
        state=query.state or "",
        model=query.model,
        reviewer=query.reviewer,
        since=query.since if query.since and query.since.year > 1 else None,
        until=query.until if query.until and query.until.year < 9999 else None,
        like=query.like or "",
        grouped=query.grouped,
    )


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>",
    permission=Permission.READ,
    answers={200: Answer("Where it stands.", AnalysisStatus, headers=("ETag",))},
    errors=(404,),
)
def get(analysis_id: str) -> AnalysisStatus:
    """Where an analysis stands."""
    row = analysis_queries.get_or_404(analysis_id, Disclosure.FINDINGS)
    refuse_altered_row(row)
    return status_of(row)


@operation(
    blueprint,
    "POST",
    "/analyses/<analysis_id>/cancel",
    permission=Permission.ANALYSE,
    answers={200: Answer("It was cancelled.", AnalysisStatus)},
    errors=(404, 409, 422),
    keyed=True,
)
def cancel(analysis_id: str) -> AnalysisStatus:
    """Take an analysis out of the queue, or stop it."""
    analysis_service.cancel(analysis_id)
    return status_of(analysis_queries.get_or_404(analysis_id))


@operation(
    blueprint,
    "POST",
    "/analyses/<analysis_id>/retry",
    permission=Permission.ANALYSE,
    answers={202: QUEUED},
    errors=(404, 409, 422),
    keyed=True,
)
def retry(analysis_id: str) -> Response:
    """Queue an analysis that failed or was cancelled once more."""
    analysis_service.retry(analysis_id)
    return accepted_response(analysis_queries.get_or_404(analysis_id))


@operation(
    blueprint,
    "POST",
    "/analyses/<analysis_id>/pause",
    permission=Permission.ANALYSE,
    answers={200: Answer("It is paused.", AnalysisStatus)},
    errors=(404, 409, 422),
    keyed=True,
)
def pause(analysis_id: str) -> AnalysisStatus:
    """Take an analysis out of the queue, or stop it, until it is resumed.

    Nothing is kept of what a running one did so far: resumed, it begins anew.
    """
    analysis_service.pause(analysis_id)
    return status_of(analysis_queries.get_or_404(analysis_id))


@operation(
    blueprint,
    "POST",
    "/analyses/<analysis_id>/resume",
    permission=Permission.ANALYSE,
    answers={202: QUEUED},
    errors=(404, 409, 422),
    keyed=True,
)
def resume(analysis_id: str) -> Response:
    """Queue a paused analysis again, in the place it had."""
    analysis_service.resume(analysis_id)
    return accepted_response(analysis_queries.get_or_404(analysis_id))


@operation(
    blueprint,
    "POST",
    "/analyses/<analysis_id>/priority",
    permission=Permission.ANALYSE,
    body=Prioritised,
    answers={200: Answer("It has that priority.", AnalysisStatus)},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def prioritise(analysis_id: str, body: Prioritised) -> AnalysisStatus:
    """Have an analysis that waits, or is paused, begin earlier or later than others."""
    analysis_service.prioritise(analysis_id, analysis_service.parse_priority(body.priority))
    return status_of(analysis_queries.get_or_404(analysis_id))


@operation(
    blueprint,
    "POST",
    "/analyses/<analysis_id>/again",
    permission=Permission.ANALYSE,
    body=Again,
    answers={202: QUEUED},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
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
    answers={204: Answer("It is gone, and its exhibit too unless another analysis needs it.")},
    errors=(404, 409),
)
def delete(analysis_id: str) -> None:
    """Delete an analysis that has ended or is paused."""
    analysis_queries.get_or_404(analysis_id)
    deletion.delete_analysis(context.database(), context.folders(), analysis_id)
