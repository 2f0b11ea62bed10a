"""REST operation that lists copies and parts of an exhibit."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from detector.fingerprint.match import Match
from detector.schema.analysis import Value, Verdict
from webapp.accounts.permissions import Permission
from webapp.accounts.visibility import visible_session
from webapp.exhibits.copies import Copy, copies_of
from webapp.exhibits.queries import find_exhibit_or_404
from webapp.rest.operation import Answer, operation
from webapp.rest.schemas import Id, Moment, Sha256, moment
from webapp.storage.tables import State

blueprint = Blueprint("api_copies", __name__)


class CopyShape(Value):
    """Another exhibit that shows the same, or a part of it."""

    exhibit: Sha256 = Field(description="the other exhibit")
    analysis: Id = Field(description="its latest finished analysis, or else its latest")
    analyses: int = Field(description="of that exhibit; the same bytes uploaded again are the same exhibit")
    file: str
    created: Moment = Field(description="when that analysis was requested")
    state: State
    verdict: Verdict | None
    probability: float | None
    annotations: int = Field(description="current annotations of that analysis")
    relation: str = Field(description="how this exhibit is related to the other, in words")
    changes: tuple[str, ...] = Field(description="known differences, in words")
    match: Match = Field(description="which part of this exhibit is which part of the other")


class Copies(Value):
    """Copies and parts, those with most in common first. Information, and never a verdict."""

    copies: tuple[CopyShape, ...]


@operation(
    blueprint,
    "GET",
    "/exhibits/<sha256>/copies",
    permission=Permission.READ,
    answers={200: Answer("All copies and parts.", Copies, headers=("ETag",))},
    errors=(404,),
)
def listing(sha256: str) -> Copies:
    """List other exhibits that show the same as an exhibit, or a part of it.

    Exhibits you may not see are left out. Copies are known once an analysis has read all pictures.
    """
    with visible_session() as session:
        exhibit = find_exhibit_or_404(session, sha256).id
    return Copies(copies=tuple(_shape(copy) for copy in copies_of(exhibit)))


def _shape(copy: Copy) -> CopyShape:
    row = copy.analysis
    return CopyShape(
        exhibit=row.exhibit.sha256,
        analysis=row.id,
        analyses=copy.analyses,
        file=row.file,
        created=moment(row.created) or "",
        state=row.shown_state,
        verdict=Verdict(row.verdict) if row.verdict else None,
        probability=row.probability,
        annotations=len(copy.said) + copy.more_said,
        relation=copy.relation,
        changes=copy.changes,
        match=copy.match,
    )
