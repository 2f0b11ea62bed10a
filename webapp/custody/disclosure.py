"""Who may read the custody log of an exhibit, and the record in it of every download."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from reports.custody.format import Entry
from reports.language.translation import gettext
from webapp import context
from webapp.accounts.permissions import Principal
from webapp.accounts.visibility import visible
from webapp.custody import custody_log
from webapp.custody import custody_log as custody_custody_log
from webapp.errors import UserError
from webapp.review import blinding
from webapp.review.blinding import Disclosure
from webapp.storage.tables import JOBS, AnalysisRow, CustodyRow, Exhibit


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
        blinding.refuse_blinded(session, who.user_id, exhibit, Disclosure.JUDGEMENTS)
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


def record_download(
    row: AnalysisRow,
    name: str,
    content: Path | bytes,
    log: bytes | None = None,
    answer: Response | None = None,
) -> None:
    """Put the export of a file into the custody log.

    ``log`` is the ``custody.json`` that the file holds: where the log stood then is recorded.
    ``answer`` is what sends the file, where that may be a part of it: a part beyond the start of a
    file that the same person had before is no further export. Nor are answers without content: to requests
    for headers alone, and to who has the file already (304).
    """
    if request.method == "HEAD" or (answer is not None and answer.status_code == 304):
        return
    details = custody_log.export_details(name, content, log)
    # What was asked for says nothing: many a file is sent whole whatever part is asked for.
    goes_on = answer is not None and answer.status_code == 206 and answer.content_range.start != 0
    with context.database().begin() as session:
        if goes_on and custody_custody_log.is_export_recorded(
            session, row.exhibit.sha256, row.id, str(details["sha256"])
        ):
            return
        custody_log.append(session, "export", details, exhibit=row.exhibit.sha256, analysis=row.id)
