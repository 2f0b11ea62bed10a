"""What becomes of running analyses whose worker ended or went silent: queued again or, at last, failed.

Processes that look after workers call it; the worker's own changes are in :mod:`webapp.jobs.states`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from webapp.jobs.failures import WORKER_LOST, Failure
from webapp.jobs.states import as_failed, as_queued, attempt_name, change_running
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State, now

MOST_ATTEMPTS = 3
STALE_AFTER = timedelta(seconds=25)


def fail_of_worker(database: Database, analysis_id: str, worker: str, failure: Failure) -> None:
    """Mark the analysis of a worker process that ended failed, with words."""
    with database.begin() as session:
        change_running(session, _held_by(analysis_id, worker), as_failed(failure))


def attempt_of_worker(database: Database, worker: str) -> tuple[str, str] | None:
    """Id of the analysis a worker process is at, and the attempt's name; None if it is at none."""
    mine = (AnalysisRow.worker == worker, AnalysisRow.state == State.RUNNING)
    query = select(AnalysisRow.id, AnalysisRow.attempt, AnalysisRow.started).where(*mine)
    with database.begin() as session:
        found = session.execute(query).first()
        if found is None or found.started is None:
            return None
        return found.id, attempt_name(found.attempt, found.started)


def requeue_of_worker(database: Database, analysis_id: str, worker: str) -> bool:
    """Queue the analysis of a worker process that ended; False if it was not queued again."""
    with database.begin() as session:
        change_running(session, _held_by(analysis_id, worker), _again())
        row = session.get(AnalysisRow, analysis_id)
        return row is not None and row.state == State.QUEUED


def recover(database: Database, *, count_attempt: bool, workers: str | None = None) -> None:
    """Queue every running analysis again, or those of ``workers``. Only while none of them runs.

    ``workers`` is how the names of one instance's worker processes begin, see
    :func:`webapp.custody.actors.instance`.
    An orderly stop does not count as an attempt, or three of them would fail a long analysis.
    """
    values = _again() if count_attempt else as_queued() | {"attempt": AnalysisRow.attempt - 1}
    lost = [AnalysisRow.state == State.RUNNING]
    if workers is not None:
        lost.append(AnalysisRow.worker.startswith(workers, autoescape=True))
    with database.begin() as session:
        change_running(session, tuple(lost), values)


def running(database: Database, workers: str) -> int:
    """How many analyses the processes work on whose names begin with ``workers``."""
    mine = AnalysisRow.worker.startswith(workers, autoescape=True)
    query = select(func.count()).where(AnalysisRow.state == State.RUNNING, mine)
    with database.begin() as session:
        return session.scalar(query) or 0


def requeue_stale(database: Database) -> None:
    """Queue analyses whose worker has gone silent; after the third attempt they have failed."""
    silent = AnalysisRow.heartbeat < now() - STALE_AFTER
    with database.begin() as session:
        change_running(session, (AnalysisRow.state == State.RUNNING, silent), _again())


def _held_by(analysis_id: str, worker: str) -> tuple[ColumnElement[bool], ...]:
    return (
        AnalysisRow.id == analysis_id,
        AnalysisRow.state == State.RUNNING,
        AnalysisRow.worker == worker,
    )


def _again() -> dict[str, Any]:
    """Back to the queue or, when that was the last attempt, failed."""
    out = AnalysisRow.attempt >= MOST_ATTEMPTS
    return {
        "state": case((out, State.FAILED.value), else_=State.QUEUED.value),
        "error": case((out, WORKER_LOST.error), else_=None),
        "remedy": case((out, WORKER_LOST.remedy), else_=None),
        "finished": case((out, now()), else_=None),
        "started": case((out, AnalysisRow.started), else_=None),
        "stage": "",
        "progress": 0.0,
        "sent": None,
    }
