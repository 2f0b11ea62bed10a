"""Claims of workers on jobs: take the next one, keep it by heartbeats, end it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from detector.schema.analysis import Parameters
from detector.schema.comparison import Comparison
from detector.schema.formatting import N_
from detector.timestamps import compact
from webapp.custody import custody_log, job_records
from webapp.custody import custody_log as custody_custody_log
from webapp.jobs import parameters, states
from webapp.jobs import queue as job_queue
from webapp.jobs.failures import JobFailure, failure_for
from webapp.jobs.parameters import OtherModels
from webapp.storage.database import Database, shared_clock
from webapp.storage.tables import JOBS, AnalysisRow, ComparisonRow, Exhibit, JobRow, Priority, State, now


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
    others: OtherModels = OtherModels()


@dataclass(frozen=True)
class RecordedResult:
    """What the row, and the custody log, keep of a finished analysis."""

    verdict: str
    probability: float | None
    duration: float | None = None  # of the exhibit, in seconds
    frame_rate: str | None = None  # of the exhibit, a fraction; none: a photo
    summary: str | None = None  # JSON of a `detector.schema.analysis.Summary`
    made_of: custody_log.EntryDetails = field(default_factory=dict)  # what else the log is to say


def claim_analysis(database: Database, analysis_id: str) -> AnalysisClaim | None:
    """Take a queued analysis to work on it; None if it is not there to be taken."""
    with database.begin() as session:
        if (moment := take_job(session, AnalysisRow, analysis_id)) is None:
            return None
        row = session.get_one(AnalysisRow, analysis_id)
        asked = parameters.read_parameters(row.changed_parameters)
        states.record_transition(session, row, "started", {"attempt": row.attempt, "model": row.model})
        return AnalysisClaim(
            row.id,
            row.attempt,
            moment,
            row.file,
            row.exhibit.path,
            row.model,
            asked,
            parameters.read_other_models(row.changed_parameters),
        )


def take_job(session: Session, table: type[JobRow], job_id: str) -> datetime | None:
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
            worker=custody_custody_log.process_name(),
            started=moment,
            heartbeat=shared_clock(session),
            error=None,
            remedy=None,
        )
    )
    return moment if states.row_changed(taken) else None


def record_heartbeat(
    database: Database, held: JobClaim, stage: str | None = None, progress: float = 0.0
) -> None:
    """Say that this attempt is alive and, with a stage, how far it is; raises :class:`LostClaim`."""
    values: dict[str, Any] = {}
    if stage is not None:
        values |= {"stage": stage[:80], "progress": min(max(progress, 0.0), 1.0)}
    with database.begin() as session:
        values["heartbeat"] = shared_clock(session)
        if not states.row_changed(session.execute(update(held.table).where(*held_row(held)).values(values))):
            raise LostClaim(held.job_id)


def finish_analysis(database: Database, held: AnalysisClaim, result: RecordedResult) -> None:
    """Mark the analysis done; its files must be in place already. Raises :class:`LostClaim`."""
    with database.begin() as session:
        done = session.execute(
            update(AnalysisRow)
            .where(*held_row(held))
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
        if not states.row_changed(done):
            raise LostClaim(held.job_id)
        row = session.get_one(AnalysisRow, held.job_id)
        details = {
            "attempt": held.attempt,
            "verdict": str(result.verdict),
            "probability": job_records.format_probability(result.probability),
            **(
                {job_records.SUMMARY_SHA256: job_records.sha256_of_text(result.summary)}
                if result.summary
                else {}
            ),
            **result.made_of,
        }
        states.record_transition(session, row, "finished", details)


def fail_job(database: Database, held: JobClaim, failure: JobFailure) -> None:
    """Mark the job failed, with words. Does nothing if it is no longer this attempt's."""
    with database.begin() as session:
        values = failed_values(failure_for(held.table.noun, failure))
        change_running(session, held.table, held_row(held), values)


def change_running(
    session: Session, table: type[JobRow], which: tuple[ColumnElement[bool], ...], values: dict[str, Any]
) -> None:
    """Fail running jobs or queue them again, and record which became of each."""
    query = update(table).where(*which).values(values).returning(table.id)
    ids = session.scalars(query, execution_options={"synchronize_session": False}).all()
    for job_id in ids:
        row = session.get_one(table, job_id, populate_existing=True)
        if row.state == State.FAILED:
            states.record_transition(
                session, row, "failed", {"attempt": row.attempt, "worker": row.worker, "error": row.error}
            )
        else:
            states.record_transition(
                session, row, "queued", {"reason": "its worker ended", "worker": row.worker}
            )


def failed_values(failure: JobFailure) -> dict[str, Any]:
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


def held_row(held: JobClaim) -> tuple[ColumnElement[bool], ...]:
    """The condition for the row that is held."""
    return (
        held.table.id == held.job_id,
        held.table.state == State.RUNNING,
        held.table.attempt == held.attempt,
        held.table.started == held.started,
    )


@dataclass(frozen=True)
class ComparisonClaim(JobClaim):
    """One attempt's claim to one comparison; paths are relative to the data folder."""

    table = ComparisonRow

    files: tuple[str, str]  # names of exhibit and reference
    paths: tuple[str, str]


def create_comparison(
    session: Session,
    exhibit: Exhibit,
    reference: Exhibit,
    files: tuple[str, str],
    asked_by: str,
    wanted_id: str | None = None,
    priority: Priority = Priority.NORMAL,
) -> ComparisonRow:
    """Queue a comparison. ``files`` are what the two are called; ``wanted_id`` is the id it is to have."""
    row = ComparisonRow(
        **states.new_job_values(wanted_id, priority),
        exhibit=exhibit,
        reference=reference,
        file=files[0],
        reference_file=files[1],
        asked_by=asked_by,
    )
    session.add(row)
    states.record_transition(
        session, row, "queued", {"reference": reference.sha256, "priority": priority.words}
    )
    return row


def claim_comparison(database: Database, comparison_id: str) -> ComparisonClaim | None:
    """Take a queued comparison to work on it; None if it is not there to be taken."""
    with database.begin() as session:
        if (moment := take_job(session, ComparisonRow, comparison_id)) is None:
            return None
        row = session.get_one(ComparisonRow, comparison_id)
        states.record_transition(
            session, row, "started", {"attempt": row.attempt, "reference": row.reference.sha256}
        )
        files, paths = (row.file, row.reference_file), (row.exhibit.path, row.reference.path)
        return ComparisonClaim(row.id, row.attempt, moment, files, paths)


def finish_comparison(
    database: Database, held: ComparisonClaim, comparison: Comparison, made_of: custody_log.EntryDetails
) -> None:
    """Mark the comparison done; its result must be in place already. Raises ``LostClaim``.

    ``made_of`` is what the custody log says of the result's files.
    """
    found = {
        "related": comparison.related,
        "segments": len(comparison.segments),
        "outcome": comparison.outcome.value,
    }
    with database.begin() as session:
        done = session.execute(
            update(ComparisonRow)
            .where(*held_row(held))
            .values(state=State.DONE, stage="", progress=1.0, finished=now(), **found)
        )
        if not states.row_changed(done):
            raise LostClaim(held.job_id)
        row = session.get_one(ComparisonRow, held.job_id)
        details = {
            "attempt": held.attempt,
            "reference": row.reference.sha256,
            "related": "yes" if comparison.related else "no",
            "segments": len(comparison.segments),
            "outcome": comparison.outcome.value,
            "reelproof": comparison.reelproof,
            **made_of,
        }
        states.record_transition(session, row, "finished", details)


AnyClaim = AnalysisClaim | ComparisonClaim

_CLAIM_OF: dict[type[AnalysisRow] | type[ComparisonRow], Callable[[Database, str], AnyClaim | None]] = {
    AnalysisRow: claim_analysis,
    ComparisonRow: claim_comparison,
}
# A kind of job that nothing claims would be first for ever: it is a KeyError as soon as this is imported.
_CLAIMS = tuple(_CLAIM_OF[table] for table in JOBS)


def claim_next_job(database: Database, queues: Collection[str]) -> AnyClaim | None:
    """Take the job that comes first in these queues to work on it; None where nothing waits there."""
    while (job_id := job_queue.next_job_id(database, queues)) is not None:
        for claim in _CLAIMS:
            if (held := claim(database, job_id)) is not None:
                return held
        # It was just taken, cancelled or paused, and another one is first.
    return None
