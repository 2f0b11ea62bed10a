"""Where what workers do stands, and how soon it begins."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from detector.schema.analysis import Value
from webapp.api.contract.schemas.base import Id, Moment, RequestModel
from webapp.storage.tables import Priority, State

PriorityName = Literal["low", "normal", "high"]
assert set(PriorityName.__args__) == {each.words for each in Priority}  # type: ignore[attr-defined]


class JobStatus(Value):
    """Where what workers do stands."""

    id: Id
    state: State
    priority: PriorityName = Field(description="of those that wait, the highest begins first")
    stage: str = Field(description="what is being done, in words; empty unless it runs")
    progress: float = Field(ge=0, le=1)
    created: Moment
    started: Moment | None
    finished: Moment | None
    attempt: int
    ahead: int | None = Field(default=None, description="how many jobs come first, where it waits")
    error: str | None = Field(default=None, description="why it failed")
    remedy: str | None = Field(default=None, description="what to do about that")


class Prioritised(RequestModel):
    """How soon an analysis that waits is to begin."""

    priority: PriorityName
