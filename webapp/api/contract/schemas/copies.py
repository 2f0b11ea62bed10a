"""Other exhibits that show the same as one."""

from __future__ import annotations

from pydantic import Field

from detector.fingerprint.match import Match
from detector.schema.analysis import Value, Verdict
from webapp.api.contract.schemas.base import Id, Moment, Sha256
from webapp.storage.tables import State


class CopyShape(Value):
    """Another exhibit that shows the same, or a part of it."""

    exhibit: Sha256 = Field(description="the other one")
    analysis: Id = Field(description="its latest finished analysis, or else its latest")
    analyses: int = Field(description="of that exhibit; the same bytes handed in again are the same exhibit")
    file: str
    created: Moment = Field(description="when that analysis was asked for")
    state: State
    verdict: Verdict | None
    probability: float | None
    annotations: int = Field(description="that stand for that analysis")
    relation: str = Field(description="how this exhibit is related to the other, in words")
    changes: tuple[str, ...] = Field(description="what differs as far as it is known, in words")
    match: Match = Field(description="which part of this exhibit is which part of the other")


class Copies(Value):
    """Those that have most in common first. Information, and never a verdict."""

    copies: tuple[CopyShape, ...]
