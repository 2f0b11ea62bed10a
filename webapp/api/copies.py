"""Copies and parts: other exhibits that show the same as one."""

from __future__ import annotations

from flask import Blueprint

from detector.schema.analysis import Verdict
from webapp.api.contract.operation import Answer, operation
from webapp.api.contract.schemas.base import moment
from webapp.api.contract.schemas.copies import Copies, CopyShape
from webapp.api.exhibits import find_or_404
from webapp.queries import copies as copy_queries
from webapp.queries.copies import Copy
from webapp.security.access.permissions import Permission
from webapp.security.access.visibility import visible_session
from webapp.storage.tables import State

blueprint = Blueprint("api_copies", __name__)


@operation(
    blueprint,
    "GET",
    "/exhibits/<sha256>/copies",
    permission=Permission.READ,
    answers={200: Answer("All of them.", Copies, headers=("ETag",))},
    errors=(404,),
)
def listing(sha256: str) -> Copies:
    """Other exhibits that show the same as an exhibit, or a part of it.

    Those you may not see are left out. They are known once an analysis has seen all pictures.
    """
    with visible_session() as session:
        exhibit = find_or_404(session, sha256).id
    return Copies(copies=tuple(_shape(copy) for copy in copy_queries.of_exhibit(exhibit)))


def _shape(copy: Copy) -> CopyShape:
    row = copy.analysis
    return CopyShape(
        exhibit=row.exhibit.sha256,
        analysis=row.id,
        analyses=copy.analyses,
        file=row.file,
        created=moment(row.created) or "",
        state=State(row.state),
        verdict=Verdict(row.verdict) if row.verdict else None,
        probability=row.probability,
        annotations=len(copy.said) + copy.more_said,
        relation=copy.relation,
        changes=copy.changes,
        match=copy.match,
    )
