"""What an analysis found: segments and scores."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from detector.schema.analysis import Score, Segment, Value
from webapp.api.contract.schemas.base import RequestModel


class FoundSegment(Segment):
    """A segment of an analysis, and whether it is flagged."""

    flagged: bool = Field(
        description="whether a finding rests on it; false: it was looked at, and other views do not agree or "
        "the faces are without colour or covered"
    )


class Segments(Value):
    """The segments of an analysis: those that are flagged, and those looked at and not flagged."""

    segments: tuple[FoundSegment, ...]


class PersonScore(Score):
    """One score, with whose face it is."""

    person: str


class ScorePage(Value):
    """Scores in order of person and time."""

    items: tuple[PersonScore, ...]
    next: str | None


class ScoreSearch(RequestModel):
    """Which scores to list; times in seconds from the first frame."""

    person: Annotated[str, Field(pattern=r"^[A-Z]{1,4}$")] | None = None
    start: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    end: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    limit: int = Field(default=1000, ge=1, le=10_000)
    cursor: int = Field(default=0, ge=0, le=1_000_000_000, description="from the address in “next”")
