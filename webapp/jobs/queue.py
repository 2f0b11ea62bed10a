"""The queue of waiting jobs, its order, and the messages that wake up workers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import Select, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session

from detector import timestamps
from webapp.jobs.states import QUEUED_BY
from webapp.settings import QUEUES
from webapp.storage.database import Database
from webapp.storage.tables import CLOCK_TOLERANCE, JOBS, CustodyRow, JobRow, State, now

log = logging.getLogger(__name__)

# If a job is still queued after this time although there was room for it, its message was lost.
RESEND_AFTER = timedelta(seconds=15)


def next_job_id(database: Database, queues: Collection[str]) -> str | None:
    """Return the id of the next job for a worker of these ``queues``; None if nothing waits."""
    first: list[JobRow] = []
    with database.begin() as session:
        for table in JOBS:
            query = _waiting(table).limit(1)
            # A worker of all queues also takes jobs that were not sent yet and so have no queue.
            if not set(QUEUES) <= set(queues):
                query = query.where(table.queue.in_(queues))
            first += session.scalars(query)
    return min(first, key=_position).id if first else None


def count_ahead(session: Session, row: JobRow) -> int:
    """Count the jobs before a queued one, including the running ones."""
    count = 0
    for table in JOBS:
        earlier = tuple_(table.created, table.id) < tuple_(row.created, row.id)
        same_priority = and_(table.priority == row.priority, earlier)
        ahead = and_(table.state == State.QUEUED, or_(table.priority > row.priority, same_priority))
        query = select(func.count()).where(ahead | (table.state == State.RUNNING))
        count += session.scalar(query) or 0
    return count


def waiting_since(session: Session) -> datetime | None:
    """Return when the job that waits longest was queued; None if none waits.

    A job may be queued again weeks after its creation; the custody log records each time.
    """
    moments: list[datetime] = []
    for table in JOBS:
        acts = [f"{table.noun} {act}" for act in QUEUED_BY]
        entries = select(CustodyRow.made).where(CustodyRow.analysis == table.id, CustodyRow.action.in_(acts))
        last = entries.order_by(CustodyRow.number.desc()).limit(1).correlate(table).scalar_subquery()
        waits = select(table.created, last.label("queued")).where(table.state == State.QUEUED).subquery().c
        unrecorded = case((waits.queued.is_(None), waits.created))  # older than the log
        queued, created = session.execute(select(func.min(waits.queued), func.min(unrecorded))).one()
        moments += [moment for moment in (queued and timestamps.parse(queued), created) if moment]
    return min(moments, default=None)


def all_messages(database: Database) -> list[str]:
    """Return the ids of all queued jobs, in order, for an empty broker, and mark them as sent."""
    with database.begin() as session:
        return _marked_as_sent(_first(session), now())


def lost_messages(database: Database, room: int) -> list[str]:
    """Return the ids of jobs whose message must be sent again, in order, and mark them as sent.

    ``room`` is how many jobs run at a time: only those at the head of the queue that fit into it should be
    running already.
    """
    with database.begin() as session:
        running = sum(
            session.scalar(select(func.count()).where(table.state == State.RUNNING)) or 0 for table in JOBS
        )
        moment = now()
        return _marked_as_sent(_overdue(_first(session, max(0, room - running)), moment), moment)


def lost_shared_messages(database: Database, messages: Mapping[str, int]) -> list[str]:
    """Like :func:`lost_messages`, for workers on several machines, whose room is unknown.

    ``messages`` is how many the broker holds for each queue: if a queue has more jobs, messages were lost.
    """
    with database.begin() as session:
        rows: list[JobRow] = []
        for queue, count in messages.items():
            jobs = 0
            for table in JOBS:
                in_queue = func.coalesce(table.queue, QUEUES[0]) == queue
                jobs += session.scalar(select(func.count()).where(table.state == State.QUEUED, in_queue)) or 0
            rows += _first(session, max(0, jobs - count), queue)
        moment = now()
        return _marked_as_sent(_overdue(rows, moment), moment)


def _overdue(rows: Iterable[JobRow], moment: datetime) -> list[JobRow]:
    """Select jobs that should have started by now. A message from the future means the clock was set back."""
    recent = moment - RESEND_AFTER
    return [row for row in rows if row.sent is None or not recent <= row.sent <= moment + CLOCK_TOLERANCE]


def _marked_as_sent(rows: Iterable[JobRow], moment: datetime) -> list[str]:
    ids = []
    for row in rows:
        row.sent = moment
        ids.append(row.id)
    return ids


def _waiting(table: type[JobRow]) -> Select[JobRow]:
    query = select(table).where(table.state == State.QUEUED)
    return query.order_by(table.priority.desc(), table.created, table.id)


def _position(row: JobRow) -> tuple[int, datetime, str]:
    return -row.priority, row.created, row.id


def _first(session: Session, limit: int | None = None, queue: str | None = None) -> list[JobRow]:
    """Load the first waiting jobs, of one queue or of all."""
    rows: list[JobRow] = []
    for table in JOBS:
        query = _waiting(table).limit(limit)
        if queue is not None:
            query = query.where(func.coalesce(table.queue, QUEUES[0]) == queue)
        rows += session.scalars(query)
    return sorted(rows, key=_position)[:limit]


def tell_workers(job_id: str) -> None:
    """Send the id of a queued job. Never raises: the sweep sends it again if this fails."""
    try:
        current_app.extensions["send"](job_id)
    except Exception as problem:
        log.warning("job %s is queued, but the broker could not be reached: %s", job_id, problem)
