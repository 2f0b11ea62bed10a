"""Annotations for tests, a second apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from reports.review.annotations import (
    ANNOTATION,
    Annotation,
)

START = datetime(2026, 11, 20, 9, tzinfo=UTC)


def say(number: int, kind: str, author: str = "Ann", **more: Any) -> Annotation:
    """An annotation made ``number`` seconds after the first."""
    made = START + timedelta(seconds=number)
    return ANNOTATION.validate_python(
        {"id": f"{number:032x}", "author": author, "made": made, "kind": kind, **more}
    )
