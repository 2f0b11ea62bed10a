"""Base classes and field types of the models of requests and responses, and cursors of lists."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlencode

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from detector import timestamps
from webapp.http.error_responses import FieldProblem, FieldsError

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Text that PostgreSQL can keep and pages can show.
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


def moment(value: datetime | None) -> str | None:
    """A moment as the API writes it: UTC to the millisecond."""
    return timestamps.iso_milliseconds(value) if value else None


def _day(text: object) -> date:
    """Nothing but YYYY-MM-DD: by itself pydantic takes seconds since 1970 as well."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("a day is written as 2026-11-20")
    return date.fromisoformat(text)


Day = Annotated[date, BeforeValidator(_day)]


class RequestModel(BaseModel):
    """A part of a request: what it does not name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paged(RequestModel):
    """How much to list."""

    limit: int = Field(default=25, ge=1, le=200)
    cursor: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-]*$")] = ""


def encode_cursor(created: datetime, key: str | int) -> str:
    """The cursor after a row with this moment and key."""
    return base64.urlsafe_b64encode(f"{created.isoformat()} {key}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, str] | None:
    """The moment and key a cursor stands for; none for none."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        made, key = text.split(" ")
        moment = datetime.fromisoformat(made)
        if moment.tzinfo is None:
            raise ValueError
    except (ValueError, binascii.Error):
        problem = "This cursor is none that a listing gave. Leave it out to start from the first."
        raise FieldsError((FieldProblem(where="query.cursor", problem=problem),)) from None
    return moment, key


def next_page_url(cursor: object, name: str = "cursor") -> str:
    """Address of this listing from the cursor on, asking for the same."""
    query = {**request.args.to_dict(), name: str(cursor)}
    return f"{request.path}?{urlencode(query)}"
