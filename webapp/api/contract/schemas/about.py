"""What the API says of itself, and whom it takes the caller for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from detector.schema.analysis import Value


class Health(Value):
    """The API answers."""

    status: Literal["ok"]
    version: str


class Me(Value):
    """Whom the API takes you for."""

    name: str
    scopes: tuple[str, ...] = Field(description="what you may do")
