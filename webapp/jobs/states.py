"""States of a job, from queued to done, failed or cancelled. Each change is one statement on its row."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import case, update
from sqlalchemy.orm import Session

from reports.custody.format import Action
from webapp.custody import custody_log
from webapp.jobs import parameters
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, JobRow, Priority, State, now

UNFINISHED = (State.QUEUED, State.RUNNING, State.PAUSED)
ENDED = (State.DONE, State.FAILED, State.CANCELLED)
QUEUED_BY = ("queued", "resumed", "retried")
"""What is recorded of a job (:func:`record`) whenever it begins to wait."""


def create_analysis(
    session: Session,
    exhibit: Exhibit,
    file: str,
    model: str | None = None,
    changes: Mapping[str, Any] | None = None,
    wanted_id: str | None = None,
    priority: Priority = Priority.NORMAL,
) -> AnalysisRow:
    """Queue a new analysis of an exhibit with the model of this name (none: the default when it starts).

    ``changes`` are parameters that are not to have their defaults; raises
    ``pydantic.ValidationError`` when the engine could not use them. ``wanted_id`` is the id it is to
    have, 32 hexadecimal digits nobody can guess; none: a new one.
    """
    row = AnalysisRow(
        **new_job_values(wanted_id, priority),
        exhibit=exhibit,
        file=file,
        model=model,
        changed_parameters=parameters.dump_parameters(changes or {}),
    )
    session.add(row)
    details = {"model": model, "settings": row.changed_parameters, "priority": priority.words}
    record_transition(session, row, "queued", details)
    return row


def new_job_values(wanted_id: str | None, priority: Priority) -> dict[str, Any]:
    """What the row of any new job begins with; ``wanted_id`` is the id it is to have, none: a new one."""
    moment = now()
    return {
        "id": wanted_id or secrets.token_hex(16),
        "state": State.QUEUED,
        "priority": priority,
        "stage": "",
        "progress": 0.0,
        "attempt": 0,
        "created": moment,
        "sent": moment,
    }


def cancel(database: Database, job_id: str, table: type[JobRow] = AnalysisRow) -> bool:
    """Take a job out of the queue, or away from whoever works on it; False if it had ended."""
    unfinished = table.state.in_(UNFINISHED)
    with database.begin() as session:
        stopped = session.execute(
            update(table)
            .where(table.id == job_id, unfinished)
            .values(state=State.CANCELLED, stage="", finished=now())
        )
        if not row_changed(stopped):
            return False
        row = session.get_one(table, job_id)
        record_transition(session, row, "cancelled", {"attempt": row.attempt})
        return True


def pause(database: Database, analysis_id: str) -> bool:
    """Keep one that waits or runs from being worked on until it is resumed; False if it does neither.

    Nothing is kept of an attempt that is taken away, and it does not count.
    """
    waits_or_runs = AnalysisRow.state.in_((State.QUEUED, State.RUNNING))
    ran = AnalysisRow.state == State.RUNNING
    uncounted = case((ran, AnalysisRow.attempt - 1), else_=AnalysisRow.attempt)
    stopped = {"state": State.PAUSED, "stage": "", "progress": 0.0, "started": None, "attempt": uncounted}
    with database.begin() as session:
        paused = session.execute(
            update(AnalysisRow).where(AnalysisRow.id == analysis_id, waits_or_runs).values(stopped)
        )
        if not row_changed(paused):
            return False
        record_transition(session, session.get_one(AnalysisRow, analysis_id), "paused")
        return True


def resume(database: Database, analysis_id: str) -> bool:
    """Queue a paused analysis, in the place it had; False if it is not paused."""
    is_paused = (AnalysisRow.id == analysis_id, AnalysisRow.state == State.PAUSED)
    with database.begin() as session:
        queued = session.execute(
            update(AnalysisRow).where(*is_paused).values(queued_values() | {"sent": now()})
        )
        if not row_changed(queued):
            return False
        record_transition(session, session.get_one(AnalysisRow, analysis_id), "resumed")
        return True


def prioritise(database: Database, analysis_id: str, priority: Priority) -> bool:
    """Give an analysis that waits, or is paused, another priority; False if it does neither."""
    with database.alone() as session:
        row = session.get(AnalysisRow, analysis_id)
        if row is None or row.state not in (State.QUEUED, State.PAUSED):
            return False
        before = Priority(row.priority)
        if before != priority:
            row.priority = priority
            session.flush()
            details = {"priority": priority.words, "before": before.words}
            record_transition(session, row, "prioritised", details)
        return True


def retry(session: Session, analysis_id: str) -> bool:
    """Queue an analysis that failed or was cancelled, as if never tried; False if it is neither."""
    stopped = AnalysisRow.state.in_((State.FAILED, State.CANCELLED))
    reset = {"attempt": 0, "sent": now(), "finished": None, "error": None, "remedy": None}
    queued = session.execute(
        update(AnalysisRow).where(AnalysisRow.id == analysis_id, stopped).values(queued_values() | reset)
    )
    if not row_changed(queued):
        return False
    record_transition(session, session.get_one(AnalysisRow, analysis_id), "retried")
    return True


def record_transition(
    session: Session, row: JobRow, what: str, details: custody_log.EntryDetails | None = None
) -> None:
    """Put into the custody log what became of a job, in the chain of the exhibit it is about."""
    action = cast(Action, f"{row.noun} {what}")
    assert isinstance(row, AnalysisRow | ComparisonRow)
    custody_log.append(session, action, details, exhibit=row.exhibit.sha256, analysis=row.id)


def row_changed(result: Any) -> bool:
    """Whether an UPDATE found its row."""
    return bool(result.rowcount == 1)


def queued_values() -> dict[str, Any]:
    """Values of a row that is queued again."""
    return {"state": State.QUEUED, "stage": "", "progress": 0.0, "sent": None, "started": None}
