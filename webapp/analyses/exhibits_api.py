"""REST routes of exhibits, the uploaded files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from flask import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webapp.accounts.permissions import Permission, current
from webapp.accounts.visibility import visible_session
from webapp.analyses.api import QUEUED, accepted_response, analysis_request
from webapp.analyses.schemas import Again, Exhibits, ExhibitShape
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits import service as analysis_service
from webapp.http.request_values import row_number
from webapp.rest import schemas
from webapp.rest.idempotency import id_to_create
from webapp.rest.operation import Answer, operation
from webapp.rest.schemas import Paged, moment
from webapp.storage.tables import AnalysisRow, Exhibit

blueprint = Blueprint("api_exhibits", __name__)


@operation(
    blueprint,
    "GET",
    "/exhibits",
    permission=Permission.READ,
    query=Paged,
    answers={200: Answer("A page of exhibits.", Exhibits, headers=("ETag",))},
    errors=(422,),
)
def listing(query: Paged) -> Exhibits:
    """List exhibits, newest first."""
    with visible_session() as session:
        rows, rest = schemas.newest_page(
            session, select(Exhibit), Exhibit, query.limit, query.cursor, lambda key: row_number(key) or 0
        )
        return Exhibits(items=_shapes(session, rows), next=rest)


@operation(
    blueprint,
    "GET",
    "/exhibits/<sha256>",
    permission=Permission.READ,
    answers={200: Answer("The exhibit.", ExhibitShape, headers=("ETag",))},
    errors=(404,),
)
def get(sha256: str) -> ExhibitShape:
    """Get an exhibit and its analyses."""
    with visible_session() as session:
        return _shapes(session, [analysis_queries.find_exhibit_or_404(session, sha256)])[0]


@operation(
    blueprint,
    "POST",
    "/exhibits/<sha256>/analyses",
    permission=Permission.ANALYSE,
    body=Again,
    answers={202: QUEUED},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def analyse(sha256: str, body: Again) -> Response:
    """Analyse an exhibit again, without uploading it again."""
    with visible_session() as session:
        row = analysis_queries.latest_analysis_or_404(session, sha256)
    analysis_service.refuse_unknown_model(body.model)
    return accepted_response(analysis_service.reanalyse(row, analysis_request(body, id_to_create())))


def _shapes(session: Session, exhibits: Sequence[Exhibit]) -> tuple[ExhibitShape, ...]:
    columns = select(AnalysisRow.exhibit_id, AnalysisRow.id, AnalysisRow.file, AnalysisRow.created)
    visible = columns.where(AnalysisRow.exhibit_id.in_([row.id for row in exhibits]))
    analyses: dict[int, list[str]] = defaultdict(list)
    first: dict[int, tuple[str, datetime]] = {}
    for exhibit, analysis_id, file, created in session.execute(visible.order_by(AnalysisRow.created.desc())):
        analyses[exhibit].append(analysis_id)
        first[exhibit] = file, created
    if current().sees_all:
        # For others, the first name of an exhibit may come from an analysis they must not see.
        first = {row.id: (row.name, row.created) for row in exhibits}
    return tuple(
        ExhibitShape(
            sha256=row.sha256,
            file=first[row.id][0],
            bytes=row.bytes,
            created=moment(first[row.id][1]) or "",
            analyses=tuple(analyses[row.id]),
        )
        for row in exhibits
    )
