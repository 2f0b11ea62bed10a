"""Comparisons of an exhibit with a reference."""

from __future__ import annotations

from pydantic import Field

from detector.schema.analysis import Value
from detector.schema.comparison import Outcome
from webapp.api.contract.schemas.base import RequestModel, Sha256
from webapp.api.contract.schemas.jobs import JobStatus, PriorityName


class NewComparison(RequestModel):
    """With what an exhibit is to be compared."""

    reference: Sha256 = Field(description="of another exhibit, said to be the original or an earlier version")
    priority: PriorityName = "normal"


class ComparisonStatus(JobStatus):
    """Where a comparison stands."""

    exhibit: Sha256
    exhibit_file: str = Field(description="what who asked for it knew the exhibit as")
    reference: Sha256
    reference_file: str
    related: bool | None = Field(description="whether the exhibit shows any part of it; null: not done")
    segments: int | None = Field(description="how many differ; null: not done")
    outcome: Outcome | None = Field(
        description="what it amounts to, of several things the first; null: not done, or not kept"
    )


class Comparisons(Value):
    """The comparisons of an exhibit, newest first."""

    comparisons: tuple[ComparisonStatus, ...]
