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
from webapp.analyses.exhibits_api import latest_analysis_or_404
from webapp.custody import custody_log, disclosure
from webapp.custody.disclosure import record_download
from webapp.errors import UserError
from webapp.rest import schemas
from webapp.rest.operation import Answer, operation
from webapp.rest.schemas import RequestModel, Sha256
from webapp.storage.tables import CustodyRow

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CustodyExport(Value):
    """``custody.json``: an exhibit's entries, and where the whole log stood (docs/custody.md)."""

    reelproof_custody: Literal["1.0"]
    exhibit: Sha256 | None
    count: int = Field(description="entries of the whole log")
    head: Hash = Field(description="sha256 of its last entry")
    head_mac: Hash
    exported: str
    entries: tuple[Entry, ...]


class CustodyEntries(Value):
    """Some entries of the whole log, in order, and where the log stands."""

    count: int
    head: Hash
    head_mac: Hash
    items: tuple[Entry, ...]
    next: str | None


class CustodySearch(RequestModel):
    """Which entries to list."""

    after: int = Field(default=0, ge=0, le=2**53, description="entries from the next number on")
    limit: int = Field(default=100, ge=1, le=1000)


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
        row = latest_analysis_or_404(session, sha256)
    with context.database().begin() as session:
        disclosure.require_full_log(session, current(), sha256)
        text = custody_log.export_log(session, sha256)
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
    with context.database().begin() as session:
        last = custody_log.head(session)
        numbers = select(CustodyRow.number).where(CustodyRow.number > query.after).order_by(CustodyRow.number)
        wanted = session.scalars(numbers.limit(query.limit)).all()
        try:
            items = (
                tuple(custody_log.iter_entries(session, after=query.after, until=wanted[-1]))
                if wanted
                else ()
            )
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
        next=schemas.next_page_url(wanted[-1], "after") if more else None,
    )
