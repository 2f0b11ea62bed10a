"""What is said where something kept is not what the custody log says of it.

Whoever can write to the data folder or the database can change what the app shows, and recompute every hash
beside it, but cannot write the log's entry anew without its key. So what is kept is compared with the entry,
when it is loaded and before it is handed out. What differs is refused and never repaired.

Each module of ``records`` beside this one compares one thing when it is loaded (``choice_records`` says
which validations there are and which one reports quote); :mod:`webapp.custody.audit` compares everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from reports.custody.format import Action, Entry
from reports.text.translation.language import gettext, translated
from webapp.custody import log_queries
from webapp.errors import UserError
from webapp.storage.tables import CustodyRow

_Read = TypeVar("_Read")
_SAID: tuple[Action, ...] = ("annotation", "second review", "case details", "deletion")


class AlteredRecord(UserError):
    """Something kept is not what the custody log says of it; it is neither shown nor handed out."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            500,
            gettext("%(problem)s Nothing of it is shown or handed out.", problem=translated(str(problem))),
            gettext(
                "Put it back from a backup of the data folder and the database. `python -m webapp "
                "verify-log` names everything that differs."
            ),
        )


def compared(session: Session, analysis_id: str, read: Callable[[], _Read]) -> _Read:
    """What ``read`` returns, which reads rows, compares them with the log, and raises where they differ.

    Somebody may record something of the analysis, or who reviews a case, between its questions. So where they
    have it reads again, and must not use rows that the session still holds. Other entries do not count: the
    log of a busy laboratory never stands still.
    """
    before = -1
    while True:
        try:
            return read()
        except AlteredRecord:
            before, last = _newest_said(session, analysis_id), before
            if before == last:
                raise


def _newest_said(session: Session, analysis_id: str) -> int:
    """Number of the last entry about what people said of an analysis, or about who reviews a case."""
    said = (CustodyRow.analysis == analysis_id) & CustodyRow.action.in_(_SAID)
    naming = CustodyRow.action == "reviewers named"
    return session.scalar(select(func.max(CustodyRow.number)).where(or_(said, naming))) or 0


def refuse_forged(session: Session, entry: Entry) -> None:
    """Raise :class:`AlteredRecord` for an entry that was not written with the log's key."""
    if not log_queries.is_own(session, entry):
        raise AlteredRecord(
            gettext("Entry %(number)s of the custody log was not written with its key.", number=entry.number)
        )
