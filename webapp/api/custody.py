"""The custody log: who did what to an exhibit, and when."""

from __future__ import annotations

from flask import Blueprint, Response
from sqlalchemy import select

from reports.custody.format import CustodyError
from reports.file_names import CUSTODY
from webapp import this_app
from webapp.api.contract import pagination
from webapp.api.contract.operation import Answer, operation
from webapp.api.contract.schemas.custody import CustodyEntries, CustodyExport, CustodySearch
from webapp.api.exhibits import latest_or_404
from webapp.custody import log_queries
from webapp.downloads import custody_access
from webapp.downloads.download_record import record_download
from webapp.errors import UserError
from webapp.security.access.permissions import Permission, current
from webapp.security.access.visibility import visible_session
from webapp.storage.tables import CustodyRow

blueprint = Blueprint("api_custody", __name__)


@operation(
    blueprint,
    "GET",
    "/exhibits/<sha256>/custody.json",
    permission=Permission.EXPORT,
    answers={200: Answer("The exhibit's log.", CustodyExport)},
    errors=(404,),
)
def of_exhibit(sha256: str) -> Response:
    """The custody log of an exhibit, to be kept elsewhere.

    Handing it out is an entry of the log itself, made after it.
    """
    with visible_session() as session:
        row = latest_or_404(session, sha256)
    with this_app.database().begin() as session:
        custody_access.require_full_log(session, current(), sha256)
        text = log_queries.export(session, sha256)
    record_download(row, CUSTODY, text, log=text)
    return Response(text, content_type="application/json")


@operation(
    blueprint,
    "GET",
    "/custody",
    permission=Permission.AUDIT,
    query=CustodySearch,
    answers={200: Answer("Some entries.", CustodyEntries, headers=("ETag",))},
    errors=(409, 422),
)
def listing(query: CustodySearch) -> CustodyEntries:
    """The custody log as a whole, oldest first."""
    with this_app.database().begin() as session:
        last = log_queries.head(session)
        numbers = select(CustodyRow.number).where(CustodyRow.number > query.after).order_by(CustodyRow.number)
        wanted = session.scalars(numbers.limit(query.limit)).all()
        try:
            items = tuple(log_queries.entries(session, after=query.after, until=wanted[-1])) if wanted else ()
        except CustodyError as problem:
            raise UserError(
                409, str(problem), "The log must be looked at by whoever runs Reelproof."
            ) from None
    more = bool(wanted) and wanted[-1] < last.count
    return CustodyEntries(
        count=last.count,
        head=last.sha256,
        head_mac=last.mac,
        items=items,
        next=pagination.following(wanted[-1], "after") if more else None,
    )
