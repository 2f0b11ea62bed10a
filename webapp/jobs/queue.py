"""The queue of waiting jobs, its order, and the messages that wake up workers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session

from detector import timestamps
from webapp.jobs.states import QUEUED_BY
from webapp.settings import QUEUES
from webapp.storage.database import Database
from webapp.storage.tables import CLOCK_TOLERANCE, JOBS, CustodyRow, JobRow, State, now

log = logging.getLogger(__name__)

# A queued job that nobody started although there was room for it: its message was lost.
RESEND_AFTER = timedelta(seconds=15)


def next_job_id(database: Database, queues: Collection[str]) -> str | None:
    """Id of the job to be worked on next by a worker that takes from ``queues``; None: nothing waits."""
    first: list[JobRow] = []
    with database.begin() as session:
        for table in JOBS:
            query = _waiting(table).limit(1)
            if not set(QUEUES) <= set(queues):  # else also what was not sent yet, and so is in no queue
                query = query.where(table.queue.in_(queues))
            first += session.scalars(query)
    return min(first, key=_place).id if first else None


def count_ahead(session: Session, row: JobRow) -> int:
    """How many jobs come before a queued one, the running ones included."""
    return sum(
        session.scalar(select(func.count()).where(_ahead_of(row, table) | (table.state == State.RUNNING)))
        or 0
        for table in JOBS
    )


def _ahead_of(row: JobRow, table: type[JobRow]) -> ColumnElement[bool]:
    earlier = tuple_(table.created, table.id) < tuple_(row.created, row.id)
    same = and_(table.priority == row.priority, earlier)
    return and_(table.state == State.QUEUED, or_(table.priority > row.priority, same))


def waiting_since(session: Session) -> datetime | None:
    """When that job was last queued which has been waiting longest; None: none waits.

    A job is made once, and may be queued again weeks later; the custody log has each time.
    """
    found: list[datetime] = []
    for table in JOBS:
        acts = [f"{table.noun} {what}" for what in QUEUED_BY]
        entries = select(CustodyRow.made).where(CustodyRow.analysis == table.id, CustodyRow.action.in_(acts))
        last = entries.order_by(CustodyRow.number.desc()).limit(1).correlate(table).scalar_subquery()
        waits = select(table.created, last.label("queued")).where(table.state == State.QUEUED).subquery().c
        unrecorded = case((waits.queued.is_(None), waits.created))  # older than the log
        queued, created = session.execute(select(func.min(waits.queued), func.min(unrecorded))).one()
        found += [each for each in (queued and timestamps.parse(queued), created) if each]
    return min(found, default=None)


def all_messages(database: Database) -> list[str]:
    """Ids of all queued jobs, in order, for a broker that is empty; they are marked as sent."""
    with database.begin() as session:
        return _marked_as_sent(_first(session), now())


def lost_messages(database: Database, room: int) -> list[str]:
    """Ids of queued jobs whose message must be sent again, in order; they are marked as sent.

    ``room`` is how many run at a time: only those at the head of the queue for which there is room should be
    running already; the others wait as they should.
    """
    with database.begin() as session:
        running = sum(
            session.scalar(select(func.count()).where(table.state == State.RUNNING)) or 0 for table in JOBS
        )
        moment = now()
        return _marked_as_sent(_unheard(_first(session, max(0, room - running)), moment), moment)


def lost_shared_messages(database: Database, messages: Mapping[str, int]) -> list[str]:
    """The same where workers of other machines share the queue, so that nobody knows the room.

    ``messages`` says how many the broker holds for each queue: where a queue has more jobs than that, the
    others were lost.
    """
    with database.begin() as session:
        rows = [row for queue, count in messages.items() for row in _beyond(session, queue, count)]
        moment = now()
        return _marked_as_sent(_unheard(rows, moment), moment)


def _unheard(rows: Iterable[JobRow], moment: datetime) -> list[JobRow]:
    """Those whose message should have been heard by now; one sent later than now is of a clock set back."""
    early = moment - RESEND_AFTER
    return [row for row in rows if row.sent is None or not early <= row.sent <= moment + CLOCK_TOLERANCE]


def _marked_as_sent(rows: Iterable[JobRow], moment: datetime) -> list[str]:
    ids = []
    for row in rows:
        row.sent = moment
        ids.append(row.id)
    return ids


def _waiting(table: type[JobRow]) -> Select[JobRow]:
    waits = table.state == State.QUEUED
    return select(table).where(waits).order_by(table.priority.desc(), table.created, table.id)


def _place(row: JobRow) -> tuple[int, datetime, str]:
    return -row.priority, row.created, row.id


def _first(session: Session, most: int | None = None, queue: str | None = None) -> list[JobRow]:
    """The first jobs that wait, of one queue or of all."""
    found: list[JobRow] = []
    for table in JOBS:
        query = _waiting(table).limit(most)
        if queue is not None:
            query = query.where(func.coalesce(table.queue, QUEUES[0]) == queue)
        found += session.scalars(query)
    return sorted(found, key=_place)[:most]


def _beyond(session: Session, queue: str, messages: int) -> Iterable[JobRow]:
    """The first jobs of a queue: as many as exceed the number of ``messages``."""
    waiting = 0
    for table in JOBS:
        of_queue = func.coalesce(table.queue, QUEUES[0]) == queue
        waiting += session.scalar(select(func.count()).where(table.state == State.QUEUED, of_queue)) or 0
    return _first(session, max(0, waiting - messages), queue)


def tell_workers(job_id: str) -> None:
    """Send the id. Never raises: the row is queued, and the sweep sends it again."""
    try:
        current_app.extensions["send"](job_id)
    except Exception as problem:
        log.warning("job %s is queued, but the broker was not told: %s", job_id, problem)
