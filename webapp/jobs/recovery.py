"""Recover jobs whose worker ended or went silent, and record which workers are alive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select

from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import FailureCode
from webapp.jobs.claims import attempt_name, change_running, failed_values
from webapp.jobs.states import queued_values
from webapp.storage.database import Database, shared_clock
from webapp.storage.tables import JOBS, JobRow, State, WorkerRow

WORKER_TIMEOUT = timedelta(seconds=30)
_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class AliveWorker:
    """A worker with a recent heartbeat; ages are by the clock that wrote it."""

    name: str
    started: datetime
    age: timedelta


def record_worker(database: Database, name: str) -> None:
    """Record that the worker of this name (host:process) runs."""
    with database.begin() as session:
        moment = shared_clock(session)
        row = session.get(WorkerRow, name)
        if row is None:
            session.execute(delete(WorkerRow).where(WorkerRow.seen < moment - _FORGOTTEN_AFTER))
            session.add(WorkerRow(name=name, started=moment, seen=moment))
        else:
            row.seen = moment


def alive_workers(database: Database) -> Sequence[AliveWorker]:
    """Return the workers with a recent heartbeat."""
    with database.begin() as session:
        moment = shared_clock(session)
        rows = session.scalars(select(WorkerRow).where(WorkerRow.seen >= moment - WORKER_TIMEOUT)).all()
    return [AliveWorker(row.name, row.started, moment - row.seen) for row in rows]


MAX_ATTEMPTS = 3
STALE_AFTER = timedelta(seconds=25)


def fail_job_of_worker(database: Database, job_id: str, worker: str, failure: Cause) -> None:
    """Mark the job of an ended worker process failed."""
    with database.begin() as session:
        for table in JOBS:
            values = failed_values(table, failure)
            change_running(session, table, _held_by(table, job_id, worker), values)


def find_attempt_of_worker(database: Database, worker: str) -> tuple[str, str] | None:
    """Return the id of the job a worker process runs and the attempt's name; None if it runs none."""
    with database.begin() as session:
        for table in JOBS:
            own = (table.worker == worker, table.state == State.RUNNING)
            row = session.execute(select(table.id, table.attempt, table.started).where(*own)).first()
            if row is not None and row.started is not None:
                return row.id, attempt_name(row.attempt, row.started)
    return None


def requeue_job_of_worker(database: Database, job_id: str, worker: str) -> bool:
    """Queue the job of an ended worker process again; False if it is not queued now."""
    with database.begin() as session:
        for table in JOBS:
            change_running(session, table, _held_by(table, job_id, worker), _requeued_values(table))
        rows = [session.get(table, job_id) for table in JOBS]
        return any(row is not None and row.state == State.QUEUED for row in rows)


def requeue_running(database: Database, *, count_attempt: bool, name_prefix: str | None = None) -> None:
    """Queue all running jobs again after their workers ended.

    ``name_prefix`` limits this to workers whose names begin with it (see
    :func:`webapp.custody.custody_log.process_name_prefix`). An orderly stop does not count as an attempt,
    or three of them would fail a long job; a crash does.
    """
    with database.begin() as session:
        for table in JOBS:
            values = (
                _requeued_values(table) if count_attempt else queued_values() | {"attempt": table.attempt - 1}
            )
            lost = [table.state == State.RUNNING]
            if name_prefix is not None:
                lost.append(table.worker.startswith(name_prefix, autoescape=True))
            change_running(session, table, tuple(lost), values)


def count_running(database: Database, name_prefix: str) -> int:
    """Count the running jobs of processes whose names begin with ``name_prefix``."""
    count = 0
    with database.begin() as session:
        for table in JOBS:
            own = table.worker.startswith(name_prefix, autoescape=True)
            count += session.scalar(select(func.count()).where(table.state == State.RUNNING, own)) or 0
    return count


def requeue_stale(database: Database) -> None:
    """Queue jobs whose worker went silent; after the last attempt mark them failed."""
    with database.begin() as session:
        moment = shared_clock(session)
        for table in JOBS:
            silent = table.heartbeat < moment - STALE_AFTER
            change_running(session, table, (table.state == State.RUNNING, silent), _requeued_values(table))


def _held_by(table: type[JobRow], job_id: str, worker: str) -> tuple[ColumnElement[bool], ...]:
    return (table.id == job_id, table.state == State.RUNNING, table.worker == worker)


def _requeued_values(table: type[JobRow]) -> dict[str, Any]:
    """Return values that queue a job again or, after its last attempt, mark it failed."""
    return failed_values(table, FailureCode.WORKER_LOST.cause(), table.attempt >= MAX_ATTEMPTS)
