"""An analysis from queued to done, failed or cancelled, with pauses. Each change is one statement on its row.

The broker only wakes workers up. Whoever works on a job first claims its row; every later
change says whose it is (the attempt's number and start), so that a worker that was given
up for lost, or told to stop, cannot touch what its successor does.
:mod:`webapp.jobs.comparisons` has what is different for comparisons with a reference;
:mod:`webapp.jobs.recovery` takes jobs from workers that are gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, cast

from sqlalchemy import ColumnElement, case, update
from sqlalchemy.orm import Session

from detector.schema.analysis import Parameters
from detector.timestamps import compact
from reports.custody.format import Action
from webapp.custody import actors, records
from webapp.custody import log as custody_log
from webapp.jobs import parameters
from webapp.jobs.failures import Failure, failure_of
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, JobRow, Priority, State, now

UNFINISHED = (State.QUEUED, State.RUNNING, State.PAUSED)


class LostClaim(Exception):
    """The row is no longer this attempt's: it was cancelled or paused, or given to another one."""


@dataclass(frozen=True)
class Hold:
    """One attempt's hold on one job, a row of ``table``."""

    table: ClassVar[type[JobRow]]

    job_id: str
    attempt: int
    started: datetime  # tells this attempt from one of the same number before a retry

    @property
    def name(self) -> str:
        """What no other attempt at this job is called."""
        return attempt_name(self.attempt, self.started)


@dataclass(frozen=True)
class Claim(Hold):
    """One attempt's hold on one analysis."""

    table = AnalysisRow

    file: str
    exhibit: str  # path relative to the data folder
    model: str | None  # its name; none for an analysis queued before there was a choice
    parameters: Parameters

    @property
    def analysis_id(self) -> str:
        """Id of the analysis."""
        return self.job_id


def create(
    session: Session,
    exhibit: Exhibit,
    file: str,
    model: str | None = None,
    changes: Mapping[str, Any] | None = None,
    identity: str | None = None,
    priority: Priority = Priority.NORMAL,
) -> AnalysisRow:
    """Queue a new analysis of an exhibit with the model of this name (none: the default when it starts).

    ``changes`` are parameters that are not to have their defaults; raises
    ``pydantic.ValidationError`` when the engine could not use them. ``identity`` is the id it is to
    have, 32 hexadecimal digits nobody can guess; none: a new one.
    """
    row = AnalysisRow(
        **fresh(identity, priority),
        exhibit=exhibit,
        file=file,
        model=model,
        settings=parameters.keep(changes or {}),
    )
    session.add(row)
    details = {"model": model, "settings": row.settings, "priority": priority.words}
    record(session, row, "queued", details)
    return row


def fresh(identity: str | None, priority: Priority) -> dict[str, Any]:
    """What the row of any new job begins with; ``identity`` is the id it is to have, none: a new one."""
    moment = now()
    return {
        "id": identity or secrets.token_hex(16),
        "state": State.QUEUED,
        "priority": priority,
        "stage": "",
        "progress": 0.0,
        "attempt": 0,
        "created": moment,
        "sent": moment,
    }


def claim(database: Database, analysis_id: str) -> Claim | None:
    """Take a queued analysis to work on it; None if it is not there to be taken."""
    with database.begin() as session:
        if (moment := take(session, AnalysisRow, analysis_id)) is None:
            return None
        row = session.get_one(AnalysisRow, analysis_id)
        settings = parameters.read(row.settings)
        record(session, row, "started", {"attempt": row.attempt, "model": row.model})
        return Claim(row.id, row.attempt, moment, row.file, row.exhibit.path, row.model, settings)


def take(session: Session, table: type[JobRow], job_id: str) -> datetime | None:
    """Mark a queued job as running in this process; when, or None if it is not there to be taken."""
    moment = now()
    taken = session.execute(
        update(table)
        .where(table.id == job_id, table.state == State.QUEUED)
        .values(
            state=State.RUNNING,
            stage="starting",
            progress=0.0,
            attempt=table.attempt + 1,
            worker=actors.process_name(),
            started=moment,
            heartbeat=moment,
            error=None,
            remedy=None,
        )
    )
    return moment if changed(taken) else None


def beat(database: Database, held: Hold, stage: str | None = None, progress: float = 0.0) -> None:
    """Say that this attempt is alive and, with a stage, how far it is; raises :class:`LostClaim`."""
    values: dict[str, Any] = {"heartbeat": now()}
    if stage is not None:
        values |= {"stage": stage[:80], "progress": min(max(progress, 0.0), 1.0)}
    with database.begin() as session:
        if not changed(session.execute(update(held.table).where(*of_hold(held)).values(values))):
            raise LostClaim(held.job_id)


def cancel(database: Database, job_id: str, table: type[JobRow] = AnalysisRow) -> bool:
    """Take a job out of the queue, or away from whoever works on it; False if it had ended."""
    unfinished = table.state.in_(UNFINISHED)
    with database.begin() as session:
        stopped = session.execute(
            update(table)
            .where(table.id == job_id, unfinished)
            .values(state=State.CANCELLED, stage="", finished=now())
        )
        if not changed(stopped):
            return False
        row = session.get_one(table, job_id)
        record(session, row, "cancelled", {"attempt": row.attempt})
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
        if not changed(paused):
            return False
        record(session, session.get_one(AnalysisRow, analysis_id), "paused")
        return True


def resume(database: Database, analysis_id: str) -> bool:
    """Queue a paused analysis, in the place it had; False if it is not paused."""
    is_paused = (AnalysisRow.id == analysis_id, AnalysisRow.state == State.PAUSED)
    with database.begin() as session:
        queued = session.execute(update(AnalysisRow).where(*is_paused).values(as_queued() | {"sent": now()}))
        if not changed(queued):
            return False
        record(session, session.get_one(AnalysisRow, analysis_id), "resumed")
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
            record(session, row, "prioritised", details)
        return True


def retry(database: Database, analysis_id: str) -> bool:
    """Queue an analysis that failed or was cancelled, as if never tried; False if it is neither."""
    stopped = AnalysisRow.state.in_((State.FAILED, State.CANCELLED))
    fresh = {"attempt": 0, "sent": now(), "finished": None, "error": None, "remedy": None}
    with database.begin() as session:
        queued = session.execute(
            update(AnalysisRow).where(AnalysisRow.id == analysis_id, stopped).values(as_queued() | fresh)
        )
        if not changed(queued):
            return False
        record(session, session.get_one(AnalysisRow, analysis_id), "retried")
        return True


def finish(
    database: Database,
    held: Claim,
    verdict: str,
    probability: float | None,
    duration: float | None = None,
    made_of: custody_log.Details | None = None,
    finding: str | None = None,
) -> None:
    """Mark the analysis done; its result must be in place already. Raises :class:`LostClaim`.

    ``duration`` is the exhibit's length in seconds; ``made_of`` is what else the custody log is to say;
    ``finding`` is the row's, JSON of :class:`~detector.schema.summary.Summary`.
    """
    with database.begin() as session:
        done = session.execute(
            update(AnalysisRow)
            .where(*of_hold(held))
            .values(
                state=State.DONE,
                stage="",
                progress=1.0,
                finished=now(),
                verdict=verdict,
                probability=probability,
                finding=finding,
                duration=duration,
            )
        )
        if not changed(done):
            raise LostClaim(held.analysis_id)
        row = session.get_one(AnalysisRow, held.analysis_id)
        details = {
            "attempt": held.attempt,
            "verdict": str(verdict),
            "probability": records.probability(probability),
            **({records.FINDING: records.fingerprint(finding)} if finding else {}),
            **(made_of or {}),
        }
        record(session, row, "finished", details)


def fail(database: Database, held: Hold, failure: Failure) -> None:
    """Mark the job failed, with words. Does nothing if it is no longer this attempt's."""
    with database.begin() as session:
        change_running(session, held.table, of_hold(held), as_failed(failure_of(held.table.noun, failure)))


def attempt_name(attempt: int, started: datetime) -> str:
    """An attempt's number with its start: after a retry, numbers come again."""
    return f"{attempt}.{compact(started)}"


def change_running(
    session: Session, table: type[JobRow], which: tuple[ColumnElement[bool], ...], values: dict[str, Any]
) -> None:
    """Fail running jobs or queue them again, and record which became of each."""
    query = update(table).where(*which).values(values).returning(table.id)
    ids = session.scalars(query, execution_options={"synchronize_session": False}).all()
    for job_id in ids:
        row = session.get_one(table, job_id, populate_existing=True)
        if row.state == State.FAILED:
            record(session, row, "failed", {"attempt": row.attempt, "worker": row.worker, "error": row.error})
        else:
            record(session, row, "queued", {"reason": "its worker ended", "worker": row.worker})


def record(session: Session, row: JobRow, what: str, details: custody_log.Details | None = None) -> None:
    """Put into the custody log what became of a job, in the chain of the exhibit it is about."""
    action = cast(Action, f"{row.noun} {what}")
    assert isinstance(row, AnalysisRow | ComparisonRow)
    custody_log.append(session, action, details, exhibit=row.exhibit.sha256, analysis=row.id)


def changed(result: Any) -> bool:
    """Whether an UPDATE found its row."""
    return bool(result.rowcount == 1)


def of_hold(held: Hold) -> tuple[ColumnElement[bool], ...]:
    """The condition for the row that is held."""
    return (
        held.table.id == held.job_id,
        held.table.state == State.RUNNING,
        held.table.attempt == held.attempt,
        held.table.started == held.started,
    )


def as_failed(failure: Failure) -> dict[str, Any]:
    """Values of a row that has failed."""
    return {
        "state": State.FAILED,
        "error": failure.error,
        "remedy": failure.remedy,
        "finished": now(),
    }


def as_queued() -> dict[str, Any]:
    """Values of a row that is queued again."""
    return {"state": State.QUEUED, "stage": "", "progress": 0.0, "sent": None, "started": None}
