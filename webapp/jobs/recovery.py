"""What becomes of running jobs whose worker ended or went silent: queued again or, at last, failed.

Processes that look after workers call it; the worker's own changes are in :mod:`webapp.jobs.claims`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from webapp.jobs.claims import as_failed, attempt_name, change_running
from webapp.jobs.failures import WORKER_LOST, JobFailure, failure_of
from webapp.jobs.states import as_queued
from webapp.storage.database import Database, clock
from webapp.storage.tables import JOBS, JobRow, State, now

MOST_ATTEMPTS = 3
STALE_AFTER = timedelta(seconds=25)


def fail_of_worker(database: Database, job_id: str, worker: str, failure: JobFailure) -> None:
    """Mark the job of a worker process that ended failed, with words."""
    with database.begin() as session:
        for table in JOBS:
            values = as_failed(failure_of(table.noun, failure))
            change_running(session, table, _held_by(table, job_id, worker), values)


def attempt_of_worker(database: Database, worker: str) -> tuple[str, str] | None:
    """Id of the job a worker process is at, and the attempt's name; None if it is at none."""
    with database.begin() as session:
        for table in JOBS:
            mine = (table.worker == worker, table.state == State.RUNNING)
            found = session.execute(select(table.id, table.attempt, table.started).where(*mine)).first()
            if found is not None and found.started is not None:
                return found.id, attempt_name(found.attempt, found.started)
    return None


def requeue_of_worker(database: Database, job_id: str, worker: str) -> bool:
    """Queue the job of a worker process that ended; False if it was not queued again."""
    with database.begin() as session:
        for table in JOBS:
            change_running(session, table, _held_by(table, job_id, worker), _again(table))
        rows = [session.get(table, job_id) for table in JOBS]
        return any(row is not None and row.state == State.QUEUED for row in rows)


def requeue_running(database: Database, *, count_attempt: bool, name_prefix: str | None = None) -> None:
    """Queue every job again whose row says that it runs, while in truth none does: its workers ended.

    ``name_prefix``: only those of workers whose names begin so (:func:`webapp.custody.actors.name_prefix`).
    An orderly stop does not count as an attempt, or three of them would fail a long job. What died did: after
    the third attempt the job has failed.
    """
    with database.begin() as session:
        for table in JOBS:
            values = _again(table) if count_attempt else as_queued() | {"attempt": table.attempt - 1}
            lost = [table.state == State.RUNNING]
            if name_prefix is not None:
                lost.append(table.worker.startswith(name_prefix, autoescape=True))
            change_running(session, table, tuple(lost), values)


def count_running(database: Database, name_prefix: str) -> int:
    """How many jobs the processes work on whose names begin with ``name_prefix``."""
    count = 0
    with database.begin() as session:
        for table in JOBS:
            mine = table.worker.startswith(name_prefix, autoescape=True)
            count += session.scalar(select(func.count()).where(table.state == State.RUNNING, mine)) or 0
    return count


def requeue_stale(database: Database) -> None:
    """Queue jobs whose worker has gone silent; after the third attempt they have failed."""
    with database.begin() as session:
        moment = clock(session)
        for table in JOBS:
            silent = table.heartbeat < moment - STALE_AFTER
            change_running(session, table, (table.state == State.RUNNING, silent), _again(table))


def _held_by(table: type[JobRow], job_id: str, worker: str) -> tuple[ColumnElement[bool], ...]:
    return (table.id == job_id, table.state == State.RUNNING, table.worker == worker)


def _again(table: type[JobRow]) -> dict[str, Any]:
    """Back to the queue or, when that was the last attempt, failed."""
    out, lost = table.attempt >= MOST_ATTEMPTS, failure_of(table.noun, WORKER_LOST)
    return {
        "state": case((out, State.FAILED.value), else_=State.QUEUED.value),
        "error": case((out, lost.error), else_=None),
        "remedy": case((out, lost.remedy), else_=None),
        "finished": case((out, now()), else_=None),
        "started": case((out, table.started), else_=None),
        "stage": "",
        "progress": 0.0,
        "sent": None,
    }
