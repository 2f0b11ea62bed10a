"""REST operations on the custody log."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, Response
from pydantic import Field
from sqlalchemy import select

from detector.schema.analysis import Value
from reports.custody.format import CustodyError, Entry
from reports.file_names import CUSTODY
from webapp import context
from webapp.accounts.permissions import Permission, current
from webapp.accounts.visibility import visible_session
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.exhibits import disclosure
from webapp.exhibits.queries import latest_analysis_or_404
from webapp.rest.operation import Answer, operation
from webapp.rest.schemas import RequestModel, Sha256, next_page_url
from webapp.storage.tables import CustodyRow

blueprint = Blueprint("api_custody", __name__)

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CustodyExport(Value):
    """``custody.json``: the entries about an exhibit, and the state of the complete log (docs/custody.md)."""

    reelproof_custody: Literal["1.0"]
    exhibit: Sha256 | None
    count: int = Field(description="entries of the whole log")
    head: Hash = Field(description="sha256 of its last entry")
    head_mac: Hash
    exported: str
    entries: tuple[Entry, ...]


class CustodyEntries(Value):
    """Some entries of the complete log, in order, and the state of the log."""

    count: int
    head: Hash
    head_mac: Hash
    items: tuple[Entry, ...]
    next: str | None


class CustodySearch(RequestModel):
    """The entries to list."""

    after: int = Field(default=0, ge=0, le=2**53, description="list entries with higher numbers")
    limit: int = Field(default=100, ge=1, le=1000)


@operation(
    blueprint,
    "GET",
    "/exhibits/<sha256>/custody.json",
    permission=Permission.EXPORT,
    answers={200: Answer("The exhibit's log.", CustodyExport)},
    errors=(404,),
)
def of_exhibit(sha256: str) -> Response:
    """Export the custody log of an exhibit, to be kept elsewhere.

    The export is recorded in the log afterwards.
    """
    with visible_session() as session:
        row = latest_analysis_or_404(session, sha256)
    with context.database().begin() as session:
        disclosure.require_full_log(session, current(), sha256)
        text = custody_log.export_log(session, sha256)
    disclosure.record_download(row, CUSTODY, text, log=text)
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
    """List the entries of the complete custody log, oldest first."""
    with context.database().begin() as session:
        last = custody_log.head(session)
        numbers = select(CustodyRow.number).where(CustodyRow.number > query.after).order_by(CustodyRow.number)
        page = session.scalars(numbers.limit(query.limit)).all()
        try:
            items = (
                tuple(custody_log.iter_entries(session, after=query.after, until=page[-1])) if page else ()
            )
        except CustodyError as problem:
            raise UserError(
                409, str(problem), "The log must be looked at by whoever runs Reelproof."
            ) from None
    has_more = bool(page) and page[-1] < last.count
    return CustodyEntries(
        count=last.count,
        head=last.sha256,
        head_mac=last.mac,
        items=items,
        next=next_page_url(page[-1], "after") if has_more else None,
    )
