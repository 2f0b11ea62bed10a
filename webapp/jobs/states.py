"""States of a job, from queued to done, failed or cancelled. Each change is one statement on its row."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, case, update
from sqlalchemy.orm import Session

from reports.custody.format import Action
from webapp.custody import custody_log
from webapp.jobs import parameters
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, JobRow, Priority, State, now

UNFINISHED = (State.QUEUED, State.RUNNING, State.PAUSED)
ENDED = (State.DONE, State.FAILED, State.CANCELLED)
QUEUED_BY = ("queued", "resumed", "retried")  # transitions after which a job waits


def create_analysis(
    session: Session,
    exhibit: Exhibit,
    file: str,
    model: str | None = None,
    changes: Mapping[str, Any] | None = None,
    wanted_id: str | None = None,
    priority: Priority = Priority.NORMAL,
) -> AnalysisRow:
    """Queue a new analysis of an exhibit. Without ``model``, the default at its start is used.

    ``changes`` are parameters that differ from the defaults; raises ``pydantic.ValidationError`` if the
    engine could not use them. ``wanted_id`` is the id to use, 32 random hexadecimal digits.
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
    """Return the column values of a new job; without ``wanted_id`` a new id is generated."""
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
    """Cancel a queued, running or paused job; False if it had ended or has a finding."""
    unfinished: ColumnElement[bool] = table.state.in_(UNFINISHED)
    if table is AnalysisRow:
        unfinished = unfinished & AnalysisRow.verdict.is_(None)
    with database.begin() as session:
        result = session.execute(
            update(table)
            .where(table.id == job_id, unfinished)
            .values(state=State.CANCELLED, stage="", finished=now())
        )
        if not row_changed(result):
            return False
        row = session.get_one(table, job_id)
        record_transition(session, row, "cancelled", {"attempt": row.attempt})
        return True


def pause(database: Database, analysis_id: str) -> bool:
    """Pause a queued or running analysis without a finding; False if it is none.

    Nothing is kept of an interrupted attempt, and it does not count.
    """
    pausable = AnalysisRow.state.in_((State.QUEUED, State.RUNNING)) & AnalysisRow.verdict.is_(None)
    ran = AnalysisRow.state == State.RUNNING
    attempt = case((ran, AnalysisRow.attempt - 1), else_=AnalysisRow.attempt)
    values = {"state": State.PAUSED, "stage": "", "progress": 0.0, "started": None, "attempt": attempt}
    with database.begin() as session:
        paused = session.execute(
            update(AnalysisRow).where(AnalysisRow.id == analysis_id, pausable).values(values)
        )
        if not row_changed(paused):
            return False
        record_transition(session, session.get_one(AnalysisRow, analysis_id), "paused")
        return True


def resume(database: Database, analysis_id: str) -> bool:
    """Queue a paused analysis in its old place; False if it is not paused."""
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
    """Change the priority of a queued or paused analysis; False if it is neither."""
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
    """Queue a failed or cancelled analysis as if never tried; False if it is neither."""
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
    session: Session, row: JobRow, transition: str, details: custody_log.EntryDetails | None = None
) -> None:
    """Append a change of a job's state to the custody log, in the chain of its exhibit."""
    action = cast(Action, f"{row.noun} {transition}")
    assert isinstance(row, AnalysisRow | ComparisonRow)
    custody_log.append(session, action, details, exhibit=row.exhibit.sha256, analysis=row.id)


def row_changed(result: Any) -> bool:
    """Tell whether an UPDATE matched its row."""
    return bool(result.rowcount == 1)


def queued_values() -> dict[str, Any]:
    """Return the column values of a job that is queued again."""
    return {"state": State.QUEUED, "stage": "", "progress": 0.0, "sent": None, "started": None}
