"""Exhibits as the API lists them, each with its analyses."""

from __future__ import annotations

from pydantic import Field

from detector.schema.analysis import Value
from webapp.api.contract.schemas.base import Id, Moment, Sha256


class ExhibitShape(Value):
    """A file that was handed in, unchanged."""

    sha256: Sha256
    file: str = Field(description="what it was first called")
    bytes: int
    created: Moment
    analyses: tuple[Id, ...] = Field(description="newest first")


class Exhibits(Value):
    """Some of the exhibits, newest first."""

    items: tuple[ExhibitShape, ...]
    next: str | None
