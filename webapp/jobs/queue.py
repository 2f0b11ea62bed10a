"""Analyses that wait: which comes first, whose message was lost, and telling the workers of one.

Rows say who waits; a message only wakes a worker up, which then takes what comes first here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from flask import current_app
from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from webapp.settings import QUEUES
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State, now

# A queued analysis that nobody started although there was room for it: its message was lost.
UNHEARD_AFTER = timedelta(seconds=15)
_WAITS = AnalysisRow.state == State.QUEUED
_ORDER = (AnalysisRow.priority.desc(), AnalysisRow.created, AnalysisRow.id)


def next_id(database: Database, queues: Collection[str]) -> str | None:
    """Id of the analysis to be worked on next by a worker that takes from ``queues``; None: nothing waits."""
    query = select(AnalysisRow.id).where(_WAITS).order_by(*_ORDER).limit(1)
    if not set(QUEUES) <= set(queues):  # else also what was not sent yet, and so is in no queue
        query = query.where(AnalysisRow.queue.in_(queues))
    with database.begin() as session:
        return session.scalar(query)


def ahead_of(row: AnalysisRow) -> ColumnElement[bool]:
    """The condition for analyses that wait and come before this one."""
    earlier = tuple_(AnalysisRow.created, AnalysisRow.id) < tuple_(row.created, row.id)
    same = and_(AnalysisRow.priority == row.priority, earlier)
    return and_(_WAITS, or_(AnalysisRow.priority > row.priority, same))


def lost_messages(
    database: Database, room: int, *, at_start: bool = False, messages: Mapping[str, int] | None = None
) -> list[str]:
    """Queued analyses whose message must be sent (again), in order; they are marked as sent.

    ``room`` is how many analyses run at a time: only those at the head of the queue for which
    there is room should be running already; the others wait as they should. Where nobody knows
    that, ``messages`` says how many wait with the broker in each queue: as many as are fewer than
    the queue's analyses were lost.
    At start the broker is empty and every queued analysis needs its message.
    """
    moment = now()
    with database.begin() as session:
        rows: Iterable[AnalysisRow]
        if at_start:
            rows = session.scalars(_all())
        elif messages is not None:
            rows = [row for queue, count in messages.items() for row in _beyond(session, queue, count)]
        else:
            running = session.scalar(select(func.count()).where(AnalysisRow.state == State.RUNNING)) or 0
            rows = session.scalars(_all().limit(max(0, room - running)))
        lost = moment - UNHEARD_AFTER
        found = [row for row in rows if at_start or row.sent is None or row.sent < lost]
        for row in found:
            row.sent = moment
        return [row.id for row in found]


def _all() -> Select[AnalysisRow]:
    return select(AnalysisRow).where(_WAITS).order_by(*_ORDER)


def _beyond(session: Session, queue: str, messages: int) -> Iterable[AnalysisRow]:
    """The first analyses of a queue, as many as it has more than messages."""
    of_queue = func.coalesce(AnalysisRow.queue, QUEUES[0]) == queue
    waiting = session.scalar(select(func.count()).where(_WAITS, of_queue)) or 0
    return session.scalars(_all().where(of_queue).limit(max(0, waiting - messages)))


log = logging.getLogger(__name__)


def tell_workers(analysis_id: str) -> None:
    """Send the id. Never raises: the row is queued, and the sweep sends it again."""
    try:
        current_app.extensions["send"](analysis_id)
    except Exception as problem:
        log.warning("analysis %s is queued, but the broker was not told: %s", analysis_id, problem)
