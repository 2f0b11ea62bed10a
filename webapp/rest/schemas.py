"""Base classes and field types of the models of requests and responses, and cursors of lists."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from sqlalchemy import Select, tuple_
from sqlalchemy.orm import Session

from detector import timestamps
from detector.schema.analysis import Value
from detector.schema.causes.cause import Cause
from webapp.http.error_responses import FieldProblem, FieldsError
from webapp.storage.tables import Priority, State

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Text that PostgreSQL can store and pages can show.
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


# Syntax of the Upload-Metadata header, for validation and documentation.
_PAIR = r"[A-Za-z0-9_.-]{1,60}( [A-Za-z0-9+/]{0,4000}={0,2})?"
METADATA = f"^{_PAIR}(,{_PAIR}){{0,9}}$"
MAX_METADATA_LENGTH = 8000


def moment(value: datetime | None) -> str | None:
    """Format a moment for the API: UTC to the millisecond."""
    return timestamps.iso_milliseconds(value) if value else None


def _day(text: object) -> date:
    # pydantic by itself also accepts seconds since 1970.
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("a day is written as 2026-11-20")
    return date.fromisoformat(text)


Day = Annotated[date, BeforeValidator(_day)]


class RequestModel(BaseModel):
    """A part of a request; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paged(RequestModel):
    """Size and start of a page of a list.

    A cursor identifies the last row of a page, so that new rows do not shift the next one.
    """

    limit: int = Field(default=25, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-]*$")] = ""


PriorityName = Literal["low", "normal", "high"]
assert set(PriorityName.__args__) == {priority.words for priority in Priority}  # type: ignore[attr-defined]


class JobStatus(Value):
    """The status of a job."""

    id: Id
    state: State
    priority: PriorityName = Field(description="waiting jobs of the highest priority start first")
    stage: str = Field(description="the current step, in words; empty unless the job runs")
    progress: float = Field(ge=0, le=1)
    created: Moment
    started: Moment | None
    finished: Moment | None
    attempt: int
    ahead: int | None = Field(default=None, description="number of jobs before it, while it waits")
    error: str | None = Field(default=None, description="why it failed")
    remedy: str | None = Field(default=None, description="what to do about the error")
    failure: Cause | None = Field(
        default=None, description="the error as code and parameters; null: it failed before 0.3"
    )


def encode_cursor(created: datetime, key: str | int) -> str:
    """Return the cursor for the position after a row."""
    return base64.urlsafe_b64encode(f"{created.isoformat()} {key}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, str] | None:
    """Return moment and key of a cursor; None for an empty one."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        timestamp, key = text.split(" ")
        created = datetime.fromisoformat(timestamp)
        if created.tzinfo is None:
            raise ValueError
    except (ValueError, binascii.Error):
        problem = "This cursor is invalid. Leave it out to start at the beginning."
        raise FieldsError((FieldProblem(where="query.cursor", problem=problem),)) from None
    return created, key


def newest_page(
    session: Session,
    statement: Select[Any],
    table: Any,
    limit: int,
    cursor: str,
    parse_id: Callable[[str], Any] = str,
) -> tuple[Sequence[Any], str | None]:
    """Return the rows of a page, newest first, and the address of the next page."""
    if (position := decode_cursor(cursor)) is not None:
        created, key = position
        statement = statement.where(tuple_(table.created, table.id) < tuple_(created, parse_id(key)))
    newest = statement.order_by(table.created.desc(), table.id.desc())
    rows = session.scalars(newest.limit(limit + 1)).all()
    page = rows[:limit]
    if len(rows) == len(page):
        return page, None
    return page, next_page_url(encode_cursor(page[-1].created, page[-1].id))


def next_page_url(cursor: object, name: str = "cursor") -> str:
    """Return the address of this list from a cursor on, with the same query."""
    query = {**request.args.to_dict(), name: str(cursor)}
    return f"{request.path}?{urlencode(query)}"
