"""Entries of the custody log as the API lists, finds and exports them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from detector.schema.analysis import Value
from reports.custody.format import Entry
from webapp.api.contract.schemas.base import RequestModel, Sha256

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
