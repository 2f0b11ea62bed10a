"""Which worker has which job: it takes a row of the queue, keeps it by heartbeats, and ends it.

Whoever works on a job first claims its row; every later change says whose it is (the attempt's number and
start), so that a worker that was given up for lost, or told to stop, cannot touch what its successor does.
:mod:`webapp.jobs.comparisons` has what is different for comparisons with a reference,
:mod:`webapp.jobs.next_job` which job comes next; :mod:`webapp.jobs.recovery` takes jobs from workers that are
gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from detector.schema.analysis import Parameters
from detector.schema.translatable import N_
from detector.timestamps import compact
from webapp.custody import actors
from webapp.custody import log as custody_log
from webapp.custody.records import result_records
from webapp.jobs import parameters, states
from webapp.jobs.failures import JobFailure, failure_of
from webapp.jobs.parameters import AskedOthers
from webapp.storage.database import Database, clock
from webapp.storage.tables import AnalysisRow, JobRow, State, now


class LostClaim(Exception):
    """The row is no longer this attempt's: it was cancelled or paused, or given to another one."""


@dataclass(frozen=True)
class JobClaim:
    """One attempt's claim to one job, a row of ``table``."""

    table: ClassVar[type[JobRow]]

    job_id: str
    attempt: int
    started: datetime  # tells this attempt from one of the same number before a retry

    @property
    def name(self) -> str:
        """What no other attempt at this job is called."""
        return attempt_name(self.attempt, self.started)


@dataclass(frozen=True)
class AnalysisClaim(JobClaim):
    """One attempt's claim to one analysis."""

    table = AnalysisRow

    file: str
    exhibit: str  # path relative to the data folder
    model: str | None  # its name; none for an analysis queued before there was a choice
    parameters: Parameters
    others: AskedOthers = AskedOthers()


@dataclass(frozen=True)
class RecordedResult:
    """What the row, and the custody log, keep of a finished analysis."""

    verdict: str
    probability: float | None
    duration: float | None = None  # of the exhibit, in seconds
    frame_rate: str | None = None  # of the exhibit, a fraction; none: a photo
    summary: str | None = None  # JSON of a `detector.schema.summary.Summary`
    made_of: custody_log.EntryDetails = field(default_factory=dict)  # what else the log is to say


def claim(database: Database, analysis_id: str) -> AnalysisClaim | None:
    """Take a queued analysis to work on it; None if it is not there to be taken."""
    with database.begin() as session:
        if (moment := take(session, AnalysisRow, analysis_id)) is None:
            return None
        row = session.get_one(AnalysisRow, analysis_id)
        asked = parameters.read(row.changed_parameters)
        states.record(session, row, "started", {"attempt": row.attempt, "model": row.model})
        return AnalysisClaim(
            row.id,
            row.attempt,
            moment,
            row.file,
            row.exhibit.path,
            row.model,
            asked,
            parameters.others(row.changed_parameters),
        )


def take(session: Session, table: type[JobRow], job_id: str) -> datetime | None:
    """Mark a queued job as running in this process; when, or None if it is not there to be taken."""
    moment = now()
    taken = session.execute(
        update(table)
        .where(table.id == job_id, table.state == State.QUEUED)
        .values(
            state=State.RUNNING,
            stage=N_("starting"),
            progress=0.0,
            attempt=table.attempt + 1,
            worker=actors.process_name(),
            started=moment,
            heartbeat=clock(session),
            error=None,
            remedy=None,
        )
    )
    return moment if states.changed(taken) else None


def beat(database: Database, held: JobClaim, stage: str | None = None, progress: float = 0.0) -> None:
    """Say that this attempt is alive and, with a stage, how far it is; raises :class:`LostClaim`."""
    values: dict[str, Any] = {}
    if stage is not None:
        values |= {"stage": stage[:80], "progress": min(max(progress, 0.0), 1.0)}
    with database.begin() as session:
        values["heartbeat"] = clock(session)
        if not states.changed(session.execute(update(held.table).where(*is_held(held)).values(values))):
            raise LostClaim(held.job_id)


def finish(database: Database, held: AnalysisClaim, result: RecordedResult) -> None:
    """Mark the analysis done; its files must be in place already. Raises :class:`LostClaim`."""
    with database.begin() as session:
        done = session.execute(
            update(AnalysisRow)
            .where(*is_held(held))
            .values(
                state=State.DONE,
                stage="",
                progress=1.0,
                finished=now(),
                verdict=result.verdict,
                probability=result.probability,
                summary=result.summary,
                duration=result.duration,
                frame_rate=result.frame_rate,
            )
        )
        if not states.changed(done):
            raise LostClaim(held.job_id)
        row = session.get_one(AnalysisRow, held.job_id)
        details = {
            "attempt": held.attempt,
            "verdict": str(result.verdict),
            "probability": result_records.probability(result.probability),
            **({result_records.SUMMARY: result_records.sha256_of(result.summary)} if result.summary else {}),
            **result.made_of,
        }
        states.record(session, row, "finished", details)


def fail(database: Database, held: JobClaim, failure: JobFailure) -> None:
    """Mark the job failed, with words. Does nothing if it is no longer this attempt's."""
    with database.begin() as session:
        values = as_failed(failure_of(held.table.noun, failure))
        change_running(session, held.table, is_held(held), values)


def change_running(
    session: Session, table: type[JobRow], which: tuple[ColumnElement[bool], ...], values: dict[str, Any]
) -> None:
    """Fail running jobs or queue them again, and record which became of each."""
    query = update(table).where(*which).values(values).returning(table.id)
    ids = session.scalars(query, execution_options={"synchronize_session": False}).all()
    for job_id in ids:
        row = session.get_one(table, job_id, populate_existing=True)
        if row.state == State.FAILED:
            states.record(
                session, row, "failed", {"attempt": row.attempt, "worker": row.worker, "error": row.error}
            )
        else:
            states.record(session, row, "queued", {"reason": "its worker ended", "worker": row.worker})


def as_failed(failure: JobFailure) -> dict[str, Any]:
    """Values of a row that has failed."""
    return {
        "state": State.FAILED,
        "error": failure.error,
        "remedy": failure.remedy,
        "finished": now(),
    }


def attempt_name(attempt: int, started: datetime) -> str:
    """An attempt's number with its start: after a retry, numbers come again."""
    return f"{attempt}.{compact(started)}"


def is_held(held: JobClaim) -> tuple[ColumnElement[bool], ...]:
    """The condition for the row that is held."""
    return (
        held.table.id == held.job_id,
        held.table.state == State.RUNNING,
        held.table.attempt == held.attempt,
        held.table.started == held.started,
    )
