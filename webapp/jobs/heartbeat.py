"""Which workers are there: written by the process that looks after each, read by /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from webapp.storage.database import Database, clock
from webapp.storage.tables import WorkerRow

GONE_AFTER = timedelta(seconds=30)
_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class AliveWorker:
    """A worker heard of lately; how long ago by the clock that it was noted by."""

    name: str
    started: datetime
    age: timedelta


def record_worker(database: Database, name: str) -> None:
    """Say that the worker of this name (host:process) runs."""
    with database.begin() as session:
        moment = clock(session)
        row = session.get(WorkerRow, name)
        if row is None:
            session.execute(delete(WorkerRow).where(WorkerRow.seen < moment - _FORGOTTEN_AFTER))
            session.add(WorkerRow(name=name, started=moment, seen=moment))
        else:
            row.seen = moment


def alive(database: Database) -> Sequence[AliveWorker]:
    """The workers heard of lately."""
    with database.begin() as session:
        moment = clock(session)
        rows = session.scalars(select(WorkerRow).where(WorkerRow.seen >= moment - GONE_AFTER)).all()
    return [AliveWorker(row.name, row.started, moment - row.seen) for row in rows]
