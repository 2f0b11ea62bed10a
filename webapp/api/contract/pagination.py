"""Paging by cursor: where a page ended, so that what arrives meanwhile shifts nothing."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from urllib.parse import urlencode

from flask import request

from webapp.http.problem_details import FieldProblem, FieldsError


def written(created: datetime, key: str | int) -> str:
    """The cursor after a row with this moment and key."""
    return base64.urlsafe_b64encode(f"{created.isoformat()} {key}".encode()).decode().rstrip("=")


def read(cursor: str) -> tuple[datetime, str] | None:
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


def following(cursor: object, name: str = "cursor") -> str:
    """Address of this listing from the cursor on, asking for the same."""
    query = {**request.args.to_dict(), name: str(cursor)}
    return f"{request.path}?{urlencode(query)}"
