"""Who may read the custody log of an exhibit, and the record in it of every download.

The log of an exhibit contains everything done with these bytes, whoever uploaded them, and it is a chain
that cannot be cut. Somebody who may not see all of its analyses cannot export it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from language.translation import gettext
from reports.custody.format import Entry
from webapp import context
from webapp.accounts.permissions import Principal
from webapp.accounts.visibility import visible
from webapp.casework import blinding
from webapp.casework.blinding import Disclosure
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.storage.tables import JOBS, AnalysisRow, CustodyRow, Exhibit


def hidden_analyses(session: Session, who: Principal, sha256: str) -> frozenset[str]:
    """Return ids of analyses and comparisons in the exhibit's log that the user may not see.

    Those that the user started and deleted again are not included.
    """
    if who.sees_all:
        return frozenset()
    in_log = CustodyRow.exhibit == sha256, CustodyRow.analysis.is_not(None)
    logged = set(session.scalars(select(CustodyRow.analysis).where(*in_log).distinct()))
    queued = CustodyRow.action.in_([f"{table.noun} queued" for table in JOBS])
    own = set(
        session.scalars(select(CustodyRow.analysis).where(*in_log, queued, CustodyRow.actor == who.name))
    )
    seen: set[str] = set()
    for table in JOBS:
        seen |= set(session.scalars(visible(select(table.id).where(table.id.in_(logged)), who)))
    return frozenset(analysis for analysis in logged - own - seen if analysis)


def require_full_log(session: Session, who: Principal, sha256: str) -> None:
    """Raise :class:`UserError` if the log mentions analyses that the user may not see."""
    exhibit = session.scalar(select(Exhibit.id).where(Exhibit.sha256 == sha256))
    if exhibit is not None:
        blinding.refuse_blinded(session, who.user_id, exhibit, Disclosure.JUDGEMENTS)
    if hidden_analyses(session, who, sha256):
        raise UserError(
            403,
            gettext(
                "The custody log of this file names analyses or comparisons that you may not see, and "
                "entries cannot be left out."
            ),
            gettext("An administrator can export it."),
        )


def redact(entries: Sequence[Entry], hidden: frozenset[str]) -> tuple[Entry, ...]:
    """Return the entries without the hidden analyses, for display; they no longer form a chain.

    Left out are entries about these analyses, and the upload that precedes each of them. Other uploads do not
    show whether they were the first.
    """
    shown: list[Entry] = []
    hidden_uploaders: set[str] = set()  # whose preceding upload belongs to a hidden analysis
    for entry in reversed(entries):
        is_intake = entry.action in ("intake", "intake again")
        if entry.analysis in hidden:
            if entry.action == "analysis queued":
                hidden_uploaders.add(entry.actor)
        elif is_intake and entry.actor in hidden_uploaders:
            hidden_uploaders.discard(entry.actor)
        elif is_intake:
            details = {name: value for name, value in entry.details.items() if name in ("name", "bytes")}
            shown.append(entry.model_copy(update={"action": "intake", "details": details}))
        else:
            shown.append(entry)
    return tuple(reversed(shown))


def record_download(
    row: AnalysisRow,
    name: str,
    content: Path | bytes,
    log: bytes | None = None,
    answer: Response | None = None,
) -> None:
    """Record the export of a file in the custody log. Pictures and playback on pages do not count.

    ``log`` is the ``custody.json`` that the file contains; its state of the log is recorded. ``answer`` is
    the response, if it may be partial: a later part of a file that the same person has already exported is
    not a new export. Neither are responses without content (HEAD, 304).
    """
    if request.method == "HEAD" or (answer is not None and answer.status_code == 304):
        return
    details = custody_log.export_details(name, content, log)
    # The request's Range header does not matter: many files are sent whole regardless of it.
    is_continuation = answer is not None and answer.status_code == 206 and answer.content_range.start != 0
    with context.database().begin() as session:
        if is_continuation and custody_log.is_export_recorded(
            session, row.exhibit.sha256, row.id, str(details["sha256"])
        ):
            return
        custody_log.append(session, "export", details, exhibit=row.exhibit.sha256, analysis=row.id)
