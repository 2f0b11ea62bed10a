"""The custody log checked by the app itself, and when that last happened, by whomever.

Only the chain and its MACs: ``verify-log`` also compares what is kept with what the entries say.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from reports.custody.chain import check_log
from webapp.custody import log_queries
from webapp.storage.database import CUSTODY_KEY, Database
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import Milestone, now

log = logging.getLogger(__name__)

EVERY = timedelta(days=1)
_FITS, _DAMAGED = "custody log fits", "custody log damaged"


@dataclass(frozen=True)
class LastCheck:
    """When the log was last found whole, and since when it is not; none: never."""

    fits: datetime | None
    damaged: datetime | None


def note(session: Session, *, fits: bool) -> None:
    """Remember what a check just showed."""
    found = session.get(Milestone, _FITS if fits else _DAMAGED)
    if fits:
        if (damaged := session.get(Milestone, _DAMAGED)) is not None:
            session.delete(damaged)
        if found is not None:
            found.reached = now()
    if found is None:
        session.add(Milestone(name=_FITS if fits else _DAMAGED, reached=now()))


def last(session: Session) -> LastCheck:
    """What checks showed last."""
    fits, damaged = session.get(Milestone, _FITS), session.get(Milestone, _DAMAGED)
    return LastCheck(fits.reached if fits else None, damaged.reached if damaged else None)


def run_if_due(database: Database) -> None:
    """Check the log unless that was done within a day; what is wrong goes to the terminal's log."""
    with database.begin() as session:
        before = last(session)
        # Once it does not fit, somebody has to look: verify-log says what is wrong, and when it fits again.
        if before.damaged is not None:
            return
        # A check that lies ahead was made by a clock that ran ahead, and says nothing.
        if before.fits is not None and timedelta() <= now() - before.fits < EVERY:
            return
        key: CustodyKey = session.info[CUSTODY_KEY]
        problem = next(iter(check_log(log_queries.rows(session), key.read(), [])), None)
    if problem is not None:
        log.error("the custody log is not as it was written: %s Run python -m webapp verify-log.", problem)
    with database.begin() as session:
        note(session, fits=problem is None)
