"""Who may have the custody log of an exhibit, and what of it others are shown.

The log of an exhibit holds everything done with these bytes, whoever handed them in, and as a
chain it cannot be cut. Somebody who may not see all of the analyses it speaks of gets none.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.custody.format import Entry
from reports.text.translation.language import gettext
from webapp.errors import UserError
from webapp.security.access import blinding
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Principal
from webapp.security.access.visibility import visible
from webapp.storage.tables import JOBS, CustodyRow, Exhibit


def hidden_analyses(session: Session, who: Principal, sha256: str) -> frozenset[str]:
    """Ids of the analyses and comparisons in the exhibit's log that they may not see.

    Not those they made and deleted.
    """
    if who.sees_all:
        return frozenset()
    spoken_of = CustodyRow.exhibit == sha256, CustodyRow.analysis.is_not(None)
    known = set(session.scalars(select(CustodyRow.analysis).where(*spoken_of).distinct()))
    queued = CustodyRow.action.in_([f"{table.noun} queued" for table in JOBS])
    own = set(
        session.scalars(select(CustodyRow.analysis).where(*spoken_of, queued, CustodyRow.actor == who.name))
    )
    seen: set[str] = set()
    for table in JOBS:
        seen |= set(session.scalars(visible(select(table.id).where(table.id.in_(known)), who)))
    return frozenset(analysis for analysis in known - own - seen if analysis)


def require_full_log(session: Session, who: Principal, sha256: str) -> None:
    """Raise :class:`UserError` where the log speaks of analyses they may not see."""
    exhibit = session.scalar(select(Exhibit.id).where(Exhibit.sha256 == sha256))
    if exhibit is not None:
        blinding.refuse_blinded(session, who.user_id, exhibit, Discloses.JUDGEMENTS)
    if hidden_analyses(session, who, sha256):
        raise UserError(
            403,
            gettext(
                "The custody log of these bytes speaks of analyses or comparisons you may not see, "
                "and cannot be cut."
            ),
            gettext("An administrator can export it."),
        )


def redact(entries: Sequence[Entry], analyses: frozenset[str]) -> tuple[Entry, ...]:
    """The entries as a page shows them to somebody who may not know of these analyses.

    Left out is what is about them, and how the bytes came in for them: the intake before each is
    queued. That an intake of one's own was not the first is left out as well. No chain any more.
    """
    kept: list[Entry] = []
    theirs: set[str] = set()  # whose analysis, not to be seen, comes next
    for entry in reversed(entries):
        intake = entry.action in ("intake", "intake again")
        if entry.analysis in analyses:
            if entry.action == "analysis queued":
                theirs.add(entry.actor)
        elif intake and entry.actor in theirs:
            theirs.discard(entry.actor)
        elif intake:
            details = {name: value for name, value in entry.details.items() if name in ("name", "bytes")}
            kept.append(entry.model_copy(update={"action": "intake", "details": details}))
        else:
            kept.append(entry)
    return tuple(reversed(kept))
