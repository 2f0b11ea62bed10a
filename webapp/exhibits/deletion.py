"""Delete analyses and comparisons: rows, results and exhibits that nothing else needs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete as delete_from
from sqlalchemy import func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from detector.files import flush_file, flush_folder
from language.translation import N_, gettext
from webapp.casework import access, case_rules
from webapp.casework import reviewers as reviewer_service
from webapp.custody import custody_log
from webapp.errors import StoreError, UserError
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits import reference_comparisons
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import (
    JOBS,
    AnalysisRow,
    AnnotationRow,
    CaseDetailsRow,
    ComparisonRow,
    Exhibit,
    FingerprintBlock,
    FingerprintRow,
    JobRow,
    MatchRow,
    ReviewStatement,
    State,
)


@dataclass(frozen=True)
class Consequences:
    """Objects deleted with an analysis, for the page that asks for confirmation."""

    annotations: int
    others: int  # other analyses of the exhibit; if there are any, the exhibit stays
    comparisons: int  # of the exhibit, deleted with it


class PurgeStopped(UserError):
    """The case was reopened during its purge, or is purged by somebody else."""

    def __init__(self) -> None:
        super().__init__(
            409,
            gettext("This case was reopened in the meantime, or another person is purging it."),
            gettext("What is left in it was kept."),
        )


def consequences(session: Session, row: AnalysisRow) -> Consequences:
    """Count what is deleted with an analysis."""
    others = _count_others(session, row)
    compared = 0 if others else len(_comparisons(session, row.exhibit))
    return Consequences(_count_annotations(session, row), others, compared)


# By the noun of the job: queued, running.
_UNFINISHED = {
    "analysis": (
        N_("This analysis is in the queue, so it cannot be deleted."),
        N_("This analysis is running, so it cannot be deleted."),
    ),
    "comparison": (
        N_("This comparison is in the queue, so it cannot be deleted."),
        N_("This comparison is running, so it cannot be deleted."),
    ),
}
_STILL_THERE = {
    "analysis": N_("The analysis is deleted, but its files are still in the store."),
    "comparison": N_("The comparison is deleted, but its files are still in the store."),
}


def refuse_unfinished(row: JobRow) -> None:
    """Raise :class:`UserError` for a queued or running job."""
    if row.state in (State.QUEUED, State.RUNNING):
        raise UserError(
            409,
            gettext(_UNFINISHED[row.noun][row.state == State.RUNNING]),
            gettext("Cancel it first."),
        )


def refuse_undeletable(session: Session, row: AnalysisRow, *, purging: int | None = None) -> None:
    """Raise :class:`UserError` if an analysis is unfinished or protected by its case or review.

    ``purging`` is the case being purged, if any.
    """
    refuse_unfinished(row)
    if purging is None and row.case_id is not None:
        access.refuse_changes(session, row.case_id)
        reviewer_service.refuse_deleting(session, row)
    if not _count_others(session, row):
        own = select(Exhibit.id).where(Exhibit.id == row.exhibit_id)
        case_rules.refuse_deleting_with(session, own, purging=purging)


def delete_analysis(
    database: Database, folders: Folders, analysis_id: str, *, purging: int | None = None, reason: str = ""
) -> None:
    """Delete an ended or paused analysis. Raises :class:`UserError` if it is missing or protected.

    ``reason`` is recorded in the custody log.

    Analyses of a closed case, or compared with one, are deleted only while that case, ``purging``, is
    purged. Then other analyses are refused, and all are once the case is open (:class:`PurgeStopped`).
    """
    journal = folders.deletions / analysis_id
    with database.alone() as session:
        row = session.get(AnalysisRow, analysis_id)
        if purging is not None:
            inside = row is not None and row.case_id == purging
            if not (inside and access.is_closed(session, purging)):
                raise PurgeStopped
        if row is None:
            raise analysis_queries.not_found_error(session, analysis_id)
        refuse_undeletable(session, row, purging=purging)
        exhibit, annotations = row.exhibit, _count_annotations(session, row)
        is_last = not _count_others(session, row)
        comparisons = _comparisons(session, exhibit) if is_last else []
        _write_journal(journal, exhibit.sha256, [comparison.id for comparison in comparisons])
        for table in (AnnotationRow, ReviewStatement, CaseDetailsRow):
            session.execute(delete_from(table).where(table.analysis_id == row.id))
        for deleted in (row, *comparisons):
            session.delete(deleted)
        session.flush()
        if is_last:
            forget_fingerprint(session, exhibit.id)
            session.delete(exhibit)
        details: dict[str, str | int | None] = {
            "name": row.file,
            "bytes": exhibit.bytes,
            "state": row.state,
            "verdict": row.verdict,
            "model": row.model,
            "judgements": annotations,
            "exhibit": "deleted with it" if is_last else "kept, other analyses use it",
        }
        if reason:
            details["reason"] = reason
        for comparison in comparisons:
            side = "exhibit" if comparison.exhibit_id == exhibit.id else "reference"
            _log_comparison(session, comparison, {"reason": f"the {side} was deleted"})
        custody_log.append(session, "deletion", details, exhibit=exhibit.sha256, analysis=analysis_id)
    _remove_files(database, folders, journal, "analysis")


def delete_comparison(database: Database, folders: Folders, comparison_id: str) -> None:
    """Delete an ended comparison; both exhibits stay. Raises :class:`UserError`."""
    journal = folders.deletions / comparison_id
    with database.alone() as session:
        row = session.get(ComparisonRow, comparison_id)
        if row is None:
            raise reference_comparisons.comparison_gone(session, comparison_id)
        refuse_unfinished(row)
        case_rules.refuse_deleting(session, row)
        _write_journal(journal, row.exhibit.sha256, [comparison_id])
        session.delete(row)
        session.flush()
        _log_comparison(session, row, {})
    _remove_files(database, folders, journal, "comparison")


def finish_deletions(database: Database, folders: Folders) -> None:
    """Finish deletions that a crash interrupted. Only while no other app uses the folder."""
    for journal in sorted(folders.deletions.iterdir()):
        with database.begin() as session:
            committed = all(session.get(table, journal.name) is None for table in JOBS)
        if committed:
            _finish(database, folders, journal)
        else:
            journal.unlink()


def remove_orphaned_result(database: Database, folders: Folders, analysis_id: str, sha256: str) -> None:
    """Remove the result of an attempt whose analysis was cancelled, paused or deleted meanwhile.

    ``sha256`` is that of the exhibit.
    """
    with database.alone() as session:  # excludes a concurrent retry or resume
        row = session.get(AnalysisRow, analysis_id)
        if row is None or row.state in (State.CANCELLED, State.PAUSED):
            _remove_result(folders, analysis_id)
        if row is None:
            _remove_unless_known(session, folders, sha256)


def remove_orphaned_comparison(database: Database, folders: Folders, comparison_id: str) -> None:
    """Remove the result of an attempt whose comparison was cancelled or deleted meanwhile."""
    with database.alone() as session:
        row = session.get(ComparisonRow, comparison_id)
        if row is None or row.state == State.CANCELLED:
            _remove_comparison(folders, comparison_id)


def remove_exhibit_without_row(database: Database, folders: Folders, sha256: str) -> None:
    """Remove the file of an exhibit that got no row. Never raises, because the caller handles an error."""
    with contextlib.suppress(OSError, StoreError, SQLAlchemyError), database.alone() as session:
        _remove_unless_known(session, folders, sha256)


def forget_fingerprint(session: Session, exhibit_id: int) -> None:
    """Delete the fingerprint of an exhibit, its matches, and the index block it is in."""
    session.execute(
        delete_from(MatchRow).where(or_(MatchRow.exhibit_id == exhibit_id, MatchRow.other_id == exhibit_id))
    )
    own = FingerprintRow.exhibit_id == exhibit_id
    number = session.scalar(select(FingerprintRow.id).where(own))
    if number is not None:
        block = FingerprintBlock.number == number // FingerprintBlock.SIZE
        session.execute(delete_from(FingerprintBlock).where(block))
        session.execute(delete_from(FingerprintRow).where(own))


def _count_annotations(session: Session, row: AnalysisRow) -> int:
    return session.scalar(select(func.count()).where(AnnotationRow.analysis_id == row.id)) or 0


def _count_others(session: Session, row: AnalysisRow) -> int:
    """Count the other analyses of the same exhibit."""
    same = (AnalysisRow.exhibit_id == row.exhibit_id) & (AnalysisRow.id != row.id)
    return session.scalar(select(func.count()).where(same)) or 0


def _comparisons(session: Session, exhibit: Exhibit) -> Sequence[ComparisonRow]:
    """Return the comparisons with this exhibit on either side; they show both, so they go with either."""
    own = or_(ComparisonRow.exhibit_id == exhibit.id, ComparisonRow.reference_id == exhibit.id)
    return session.scalars(select(ComparisonRow).where(own).order_by(ComparisonRow.created)).all()


def _log_comparison(session: Session, row: ComparisonRow, reason: custody_log.EntryDetails) -> None:
    details = {"what": "comparison", "name": row.file, "reference": row.reference.sha256, **reason}
    custody_log.append(session, "deletion", details, exhibit=row.exhibit.sha256, analysis=row.id)


def _write_journal(journal: Path, sha256: str, comparisons: Sequence[str]) -> None:
    """Note durably which files the deletion removes, so that a crash cannot leave them behind."""
    journal.write_text("\n".join((sha256, *comparisons)))
    flush_file(journal)
    flush_folder(journal.parent)


def _remove_files(database: Database, folders: Folders, journal: Path, noun: str) -> None:
    try:
        _finish(database, folders, journal)
    except StoreError as problem:
        error = f"{gettext(_STILL_THERE[noun])} {problem.error}"
        raise UserError(503, error, gettext("The next start of Reelproof removes them.")) from problem


def _finish(database: Database, folders: Folders, journal: Path) -> None:
    """Remove the files a journal lists, then the journal."""
    sha256, *comparisons = journal.read_text().split("\n")
    _remove_result(folders, journal.name)
    for comparison_id in comparisons:
        _remove_comparison(folders, comparison_id)
    # Uploads hold the same lock: the same bytes may arrive again at this moment.
    with database.alone() as session:
        _remove_unless_known(session, folders, sha256)
    journal.unlink(missing_ok=True)


def _remove_result(folders: Folders, analysis_id: str) -> None:
    for path in (folders.result(analysis_id), folders.finding(analysis_id), folders.thumbnail(analysis_id)):
        folders.store.remove(path)
    for folder in (folders.result(analysis_id), folders.finding(analysis_id)):
        _remove_folder(folder, folders.unfinished(analysis_id, "deleted"))
    for folder in (folders.reports_of(analysis_id), folders.heatmaps_of(analysis_id)):
        shutil.rmtree(folder, ignore_errors=True)
    folders.thumbnail(analysis_id).unlink(missing_ok=True)


def _remove_comparison(folders: Folders, comparison_id: str) -> None:
    if len(comparison_id) != 32:  # a power failure truncated the journal
        return
    folders.store.remove(folders.comparison(comparison_id))
    _remove_folder(folders.comparison(comparison_id), folders.unfinished(comparison_id, "deleted"))


def _remove_folder(folder: Path, trash: Path) -> None:
    if folder.exists():
        folder.rename(trash)  # disappears in one step
    shutil.rmtree(trash, ignore_errors=True)


def _remove_unless_known(session: Session, folders: Folders, sha256: str) -> None:
    """Remove the files of an exhibit that has no row."""
    if session.scalar(select(Exhibit.id).where(Exhibit.sha256 == sha256)) is not None:
        return
    if len(sha256) != 64:  # a power failure truncated the journal, so no row was deleted
        return
    for path in (folders.exhibit(sha256), folders.playback(sha256).with_suffix("")):
        folders.store.remove(path)
    for file in (
        *(folders.exhibits / sha256[:2]).glob(f"{sha256}*"),  # including copies set aside as damaged
        folders.preview(sha256),
        folders.playback(sha256),
    ):
        file.unlink(missing_ok=True)
