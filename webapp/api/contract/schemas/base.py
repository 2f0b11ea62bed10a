"""What the models of several areas are made of: ids, moments, days, the root of requests, pages of lists."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from detector import timestamps

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
