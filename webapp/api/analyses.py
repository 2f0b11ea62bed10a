"""Analyses: hand in a file, list, look, cancel, retry, pause, prioritise, delete."""

from __future__ import annotations

from flask import Blueprint
from sqlalchemy import select, tuple_
from werkzeug.wrappers import Response

from webapp import this_app
from webapp.api.analysis_requests import QUEUED, accepted_response, asked_analysis, asked_case, to_status
from webapp.api.contract import pagination
from webapp.api.contract.idempotency import id_to_create
from webapp.api.contract.operation import Answer, Form, operation, uploaded
from webapp.api.contract.schemas.analyses import Again, AnalysisStatus, Listing, NewAnalysis, Search
from webapp.api.contract.schemas.jobs import Prioritised
from webapp.intake.exhibits import clean_name
from webapp.intake.incoming import UploadLimit
from webapp.queries import analyses as analysis_queries
from webapp.queries import library as library_search
from webapp.queries.results import refuse_altered_row
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Permission, current
from webapp.security.access.visibility import visible_session
from webapp.services import analyses as analysis_service
from webapp.services import deletion
from webapp.services.quota import upload_limit
from webapp.settings import Settings
from webapp.storage.tables import AnalysisRow

blueprint = Blueprint("api_analyses", __name__)


def one_exhibit(settings: Settings) -> UploadLimit:
    """What who asks may hand in at once."""
    return upload_limit(settings, current())


@operation(
    blueprint,
    "POST",
    "/analyses",
    permission=Permission.ANALYSE,
    body=Form(NewAnalysis, "file", one_exhibit),
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
    file, case_id = clean_name(name), asked_case(body)
    asked = asked_analysis(body, id_to_create())
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
    fitting = library_search.fitting(select(AnalysisRow), _library_search(query))
    after = pagination.read(query.cursor)
    if after is not None:
        fitting = fitting.where(tuple_(AnalysisRow.created, AnalysisRow.id) < tuple_(*after))
    newest = fitting.order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc()).limit(query.limit + 1)
    with visible_session() as session:
        found = session.scalars(newest).all()
    shown, more = found[: query.limit], len(found) > query.limit
    rest = pagination.following(pagination.written(shown[-1].created, shown[-1].id)) if more else None
    page = Listing(items=tuple(to_status(row, ahead=False) for row in shown), next=rest)
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
    row = analysis_queries.get_or_404(analysis_id, Discloses.FINDINGS)
    refuse_altered_row(row)
    return to_status(row)


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
    return to_status(analysis_queries.get_or_404(analysis_id))


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
    return to_status(analysis_queries.get_or_404(analysis_id))


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
    analysis_service.prioritise(analysis_id, analysis_service.priority_of(body.priority))
    return to_status(analysis_queries.get_or_404(analysis_id))


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
    return accepted_response(analysis_service.reanalyse(row, asked_analysis(body, id_to_create())))


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
    deletion.delete(this_app.database(), this_app.folders(), analysis_id)
