"""Claims of workers on jobs: take the next one, keep it by heartbeats, end it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, and_, case, true, update
from sqlalchemy.orm import Session

from detector.schema.analysis import Parameters
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import FailureCode, brief_json, remedy_of
from detector.schema.comparison import Comparison
from detector.schema.formatting import N_
from detector.timestamps import compact
from reports.custody.format import LONGEST_DETAIL
from webapp.custody import custody_log, job_records
from webapp.jobs import parameters, states
from webapp.jobs import queue as job_queue
from webapp.jobs.failures import failure_for
from webapp.jobs.parameters import OtherModels
from webapp.storage.database import Database, shared_clock
from webapp.storage.finding_columns import finding_columns
from webapp.storage.tables import JOBS, AnalysisRow, ComparisonRow, Exhibit, JobRow, Priority, State, now

# Attempts at an analysis whose finding stands, such as while the disk is full, before it has failed.
_MOST_WITH_FINDING = 8


class LostClaim(Exception):
    """The attempt no longer owns the row: the job was cancelled, paused or given to another attempt."""


@dataclass(frozen=True)
class JobClaim:
    """Ownership of one job, a row of ``table``, by one attempt."""

    table: ClassVar[type[JobRow]]

    job_id: str
    attempt: int
    started: datetime  # attempt numbers repeat after a retry

    @property
    def name(self) -> str:
        """The unique name of this attempt."""
        return attempt_name(self.attempt, self.started)


@dataclass(frozen=True)
class AnalysisClaim(JobClaim):
    """Ownership of one analysis by one attempt."""

    table = AnalysisRow

    file: str
    exhibit: str  # path relative to the data folder
    model: str | None  # None for rows older than the choice of models
    parameters: Parameters
    others: OtherModels = OtherModels()
    has_finding: bool = False  # published by an earlier attempt, which made no pictures
    unexplained: Cause | None = None  # why its finding is kept without pictures, if that is decided


@dataclass(frozen=True)
class RecordedResult:
    """The part of a finished analysis that is stored in its row and in the custody log."""

    verdict: str
    probability: float | None
    duration: float | None = None  # seconds
    frame_rate: str | None = None  # a fraction; None for a photo
    summary: str | None = None  # JSON of a `detector.schema.summary.Summary`
    made_of: custody_log.EntryDetails = field(default_factory=dict)  # further details for the log entry


def claim_analysis(database: Database, analysis_id: str) -> AnalysisClaim | None:
    """Claim a queued analysis; None if it is no longer queued."""
    with database.begin() as session:
        if (started := take_job(session, AnalysisRow, analysis_id)) is None:
            return None
        row = session.get_one(AnalysisRow, analysis_id)
        states.record_transition(session, row, "started", {"attempt": row.attempt, "model": row.model})
        return AnalysisClaim(
            row.id,
            row.attempt,
            started,
            row.file,
            row.exhibit.path,
            row.model,
            parameters.read_parameters(row.changed_parameters),
            parameters.read_other_models(row.changed_parameters),
            row.verdict is not None,
            FailureCode.PICTURES_FAILED.cause() if row.verdict is not None and row.failure else None,
        )


def take_job(session: Session, table: type[JobRow], job_id: str) -> datetime | None:
    """Mark a queued job as running in this process and return its start; None if it is not queued."""
    started = now()
    result = session.execute(
        update(table)
        .where(table.id == job_id, table.state == State.QUEUED)
        .values(
            state=State.RUNNING,
            stage=N_("starting"),
            progress=0.0,
            attempt=table.attempt + 1,
            worker=custody_log.process_name(),
            started=started,
            heartbeat=shared_clock(session),
            error=None,
            remedy=None,
        )
    )
    return started if states.row_changed(result) else None


def record_heartbeat(
    database: Database, claim: JobClaim, stage: str | None = None, progress: float = 0.0
) -> None:
    """Record that the attempt is alive and, with a stage, its progress. Raises :class:`LostClaim`."""
    values: dict[str, Any] = {}
    if stage is not None:
        values |= {"stage": stage[:80], "progress": min(max(progress, 0.0), 1.0)}
    with database.begin() as session:
        values["heartbeat"] = shared_clock(session)
        if not states.row_changed(
            session.execute(update(claim.table).where(*held_row(claim)).values(values))
        ):
            raise LostClaim(claim.job_id)


def publish_finding(database: Database, claim: AnalysisClaim, result: RecordedResult) -> None:
    """Show the finding of a running analysis, whose pictures follow. Raises :class:`LostClaim`.

    Its files must be in place already.
    """
    values = _finding_values(result) | {"failure": None}
    with database.begin() as session:
        if not states.row_changed(
            session.execute(update(AnalysisRow).where(*held_row(claim)).values(values))
        ):
            raise LostClaim(claim.job_id)
        row = session.get_one(AnalysisRow, claim.job_id)
        details = _finding_details(row, result)
        custody_log.append(session, "finding published", details, exhibit=row.exhibit.sha256, analysis=row.id)


def finish_analysis(
    database: Database, claim: AnalysisClaim, result: RecordedResult, unexplained: Cause | None = None
) -> None:
    """Mark the analysis done. Its files must be in place already. Raises :class:`LostClaim`.

    ``unexplained`` says why its finding has no pictures.
    """
    with database.begin() as session:
        row = _mark_done(session, claim, **_finding_values(result), failure=_failure_json(unexplained))
        assert isinstance(row, AnalysisRow)
        _record_finish(session, row, result, unexplained)


def keep_finding(
    database: Database, analysis_id: str, result: RecordedResult, unexplained: Cause | None
) -> bool:
    """Mark an analysis done that is being explained, with what it has; False if it is not explained now.

    The attempt that explains it loses its claim.
    """
    with database.alone() as session:
        row = session.get(AnalysisRow, analysis_id)
        if row is None or row.shown_state is not State.EXPLAINING:
            return False
        values = _finding_values(result) | {"failure": _failure_json(unexplained)}
        for name, value in (_done_values() | values).items():
            setattr(row, name, value)
        session.flush()
        _record_finish(session, row, result, unexplained)
        return True


def _finding_values(result: RecordedResult) -> dict[str, Any]:
    """Return the columns that state the finding of an analysis."""
    return {
        "verdict": result.verdict,
        "probability": result.probability,
        "summary": result.summary,
        "duration": result.duration,
        "frame_rate": result.frame_rate,
        **finding_columns(result.verdict, result.summary),
    }


def _finding_details(row: AnalysisRow, result: RecordedResult) -> dict[str, Any]:
    """Return the finding as an entry of the custody log holds it."""
    details: dict[str, Any] = {
        "attempt": row.attempt,
        "verdict": str(result.verdict),
        "probability": job_records.format_probability(result.probability),
    }
    if result.summary:
        details[job_records.SUMMARY_SHA256] = job_records.sha256_of_text(result.summary)
    return {**details, **result.made_of}


def _record_finish(
    session: Session, row: AnalysisRow, result: RecordedResult, unexplained: Cause | None
) -> None:
    details = _finding_details(row, result)
    if unexplained is not None:
        details["without pictures"] = unexplained.text
    states.record_transition(session, row, "finished", details)


def _failure_json(failure: Cause | None) -> str | None:
    return None if failure is None else brief_json(failure)


def _done_values() -> dict[str, Any]:
    return {"state": State.DONE, "stage": "", "progress": 1.0, "finished": now()}


def _mark_done(session: Session, claim: JobClaim, **values: Any) -> JobRow:
    """Mark a claimed job done with its result and return the row. Raises :class:`LostClaim`."""
    if not states.row_changed(
        session.execute(update(claim.table).where(*held_row(claim)).values(_done_values() | values))
    ):
        raise LostClaim(claim.job_id)
    return session.get_one(claim.table, claim.job_id)


def fail_job(database: Database, claim: JobClaim, failure: Cause) -> None:
    """Mark the job failed. Does nothing if the attempt no longer owns it."""
    with database.begin() as session:
        values = failed_values(claim.table, failure)
        change_running(session, claim.table, held_row(claim), values)


def change_running(
    session: Session, table: type[JobRow], conditions: tuple[ColumnElement[bool], ...], values: dict[str, Any]
) -> None:
    """Fail running jobs or queue them again, and record the outcome of each."""
    query = update(table).where(*conditions).values(values).returning(table.id)
    ids = session.scalars(query, execution_options={"synchronize_session": False}).all()
    for job_id in ids:
        row = session.get_one(table, job_id, populate_existing=True)
        if row.state == State.FAILED:
            details = {"attempt": row.attempt, "worker": row.worker, "error": row.error}
            if row.failure and len(row.failure) <= LONGEST_DETAIL:
                details["cause"] = row.failure
            states.record_transition(session, row, "failed", details)
        else:
            details = {"reason": "its worker ended", "worker": row.worker}
            if isinstance(row, AnalysisRow) and row.verdict is not None and row.failure:
                details["cause"] = row.failure  # why its pictures are left out
            states.record_transition(session, row, "queued", details)


def failed_values(
    table: type[JobRow], failure: Cause, when: ColumnElement[bool] | None = None
) -> dict[str, Any]:
    """Return the column values of a running job that ends with a failure, or ``when`` that holds.

    Otherwise it is queued again. So is an analysis whose finding is published: the next attempt keeps that
    without pictures, for which the failure is the reason.
    """
    failure = failure_for(table.noun, failure)
    when = true() if when is None else when
    fails = when
    if table is AnalysisRow:
        fails = and_(when, AnalysisRow.verdict.is_(None) | (AnalysisRow.attempt >= _MOST_WITH_FINDING))
    failed = {"error": failure.text, "remedy": remedy_of(failure), "finished": now()}
    return {
        "state": case((fails, State.FAILED.value), else_=State.QUEUED.value),
        **{name: case((fails, value), else_=None) for name, value in failed.items()},
        "failure": case((when, brief_json(failure)), else_=None),
        "started": case((fails, table.started), else_=None),
        "stage": case((fails, table.stage), else_=""),
        "progress": case((fails, table.progress), else_=0.0),
        "sent": case((fails, table.sent), else_=None),
    }


def attempt_name(attempt: int, started: datetime) -> str:
    """Name an attempt by number and start, because numbers repeat after a retry."""
    return f"{attempt}.{compact(started)}"


def held_row(claim: JobClaim) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select the row while the claim holds it."""
    return (
        claim.table.id == claim.job_id,
        claim.table.state == State.RUNNING,
        claim.table.attempt == claim.attempt,
        claim.table.started == claim.started,
    )


@dataclass(frozen=True)
class ComparisonClaim(JobClaim):
    """Ownership of one comparison by one attempt; paths are relative to the data folder."""

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
    """Queue a comparison. ``files`` are the names of both; ``wanted_id`` is the id to use."""
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
    """Claim a queued comparison; None if it is no longer queued."""
    with database.begin() as session:
        if (started := take_job(session, ComparisonRow, comparison_id)) is None:
            return None
        row = session.get_one(ComparisonRow, comparison_id)
        states.record_transition(
            session, row, "started", {"attempt": row.attempt, "reference": row.reference.sha256}
        )
        files, paths = (row.file, row.reference_file), (row.exhibit.path, row.reference.path)
        return ComparisonClaim(row.id, row.attempt, started, files, paths)


def finish_comparison(
    database: Database, claim: ComparisonClaim, comparison: Comparison, made_of: custody_log.EntryDetails
) -> None:
    """Mark the comparison done. Its result must be in place already. Raises :class:`LostClaim`.

    ``made_of`` describes the result's files in the custody log.
    """
    segments, outcome = len(comparison.segments), comparison.outcome.value
    with database.begin() as session:
        row = _mark_done(session, claim, related=comparison.related, segments=segments, outcome=outcome)
        assert isinstance(row, ComparisonRow)
        details = {
            "attempt": claim.attempt,
            "reference": row.reference.sha256,
            "related": "yes" if comparison.related else "no",
            "segments": segments,
            "outcome": outcome,
            "reelproof": comparison.reelproof,
            **made_of,
        }
        states.record_transition(session, row, "finished", details)


AnyClaim = AnalysisClaim | ComparisonClaim

_CLAIM_OF: dict[type[AnalysisRow] | type[ComparisonRow], Callable[[Database, str], AnyClaim | None]] = {
    AnalysisRow: claim_analysis,
    ComparisonRow: claim_comparison,
}
# A kind of job that no function claims would stay first for ever: fail with KeyError on import instead.
_CLAIMS = tuple(_CLAIM_OF[table] for table in JOBS)


def claim_next_job(database: Database, queues: Collection[str]) -> AnyClaim | None:
    """Claim the first job of these queues; None if nothing waits there."""
    while (job_id := job_queue.next_job_id(database, queues)) is not None:
        for claim_job in _CLAIMS:
            if (claim := claim_job(database, job_id)) is not None:
                return claim
        # Another process claimed, cancelled or paused it meanwhile.
    return None
