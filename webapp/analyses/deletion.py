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
from reports.language.translation import N_, gettext
from webapp.analyses import queries as analysis_queries
from webapp.cases import access
from webapp.comparisons import case_rules, reference_comparisons
from webapp.custody import custody_log
from webapp.errors import StoreError, UserError
from webapp.review import reviewers as reviewer_service
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
    """What deleting an analysis takes along: for the page that asks."""

    annotations: int
    others: int  # analyses of the same exhibit, which stay and keep it
    comparisons: int  # of the exhibit, which go with it


class PurgeStopped(UserError):
    """A case that was being purged is not closed any more, or somebody else purges it too."""

    def __init__(self) -> None:
        super().__init__(
            409,
            gettext("This case was opened again meanwhile, or somebody else purges it too."),
            gettext("What is left in it was kept."),
        )


def consequences(session: Session, row: AnalysisRow) -> Consequences:
    """What would go, and what would stay."""
    others = _others(session, row)
    compared = 0 if others else len(_comparisons(session, row.exhibit))
    return Consequences(_annotations(session, row), others, compared)


# By the noun of the job: in the queue, running.
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
    """Raise :class:`UserError` for a job that waits or runs."""
    if row.state in (State.QUEUED, State.RUNNING):
        raise UserError(
            409,
            gettext(_UNFINISHED[row.noun][row.state == State.RUNNING]),
            gettext("Cancel it first."),
        )


def refuse_undeletable(session: Session, row: AnalysisRow, *, purging: int | None = None) -> None:
    """Raise :class:`UserError` for an analysis that cannot be deleted: unfinished, or kept by case or review.

    ``purging`` is the case that is being purged, if one is.
    """
    refuse_unfinished(row)
    if purging is None and row.case_id is not None:
        access.refuse_changes(session, row.case_id)
        reviewer_service.refuse_deleting(session, row)
    if not _others(session, row):
        own = select(Exhibit.id).where(Exhibit.id == row.exhibit_id)
        case_rules.refuse_deleting_with(session, own, purging=purging)


def delete_analysis(
    database: Database, folders: Folders, analysis_id: str, *, purging: int | None = None
) -> None:
    """Delete an analysis that has ended or is paused, for good. Raises :class:`UserError` if there is none.

    One of a closed case, or compared with one, only while that case, ``purging``, is purged: then nothing
    else, and nothing any more once the case is open (:class:`PurgeStopped`).
    """
    note = folders.deletions / analysis_id
    with database.alone() as session:
        row = session.get(AnalysisRow, analysis_id)
        if purging is not None:
            inside = row is not None and row.case_id == purging
            if not (inside and access.is_closed(session, purging)):
                raise PurgeStopped
        if row is None:
            raise analysis_queries.not_found_error(session, analysis_id)
        refuse_undeletable(session, row, purging=purging)
        exhibit, annotations = row.exhibit, _annotations(session, row)
        alone = not _others(session, row)
        compared = _comparisons(session, exhibit) if alone else []
        _write(note, exhibit.sha256, [each.id for each in compared])
        _delete_rows(session, row, compared)
        if alone:
            forget_fingerprint(session, exhibit.id)
            session.delete(exhibit)
        details: custody_log.EntryDetails = {
            "name": row.file,
            "bytes": exhibit.bytes,
            "state": row.state,
            "verdict": row.verdict,
            "model": row.model,
            "judgements": annotations,
            "exhibit": "deleted with it" if alone else "kept, other analyses use it",
        }
        _record_comparisons(session, compared, exhibit)
        custody_log.append(session, "deletion", details, exhibit=exhibit.sha256, analysis=analysis_id)
    try:
        _finish(database, folders, note)
    except StoreError as problem:
        raise _still_in_store("analysis", problem) from problem


def delete_comparison(database: Database, folders: Folders, comparison_id: str) -> None:
    """Delete a comparison that has ended, for good; both exhibits stay. Raises :class:`UserError`."""
    note = folders.deletions / comparison_id
    with database.alone() as session:
        row = session.get(ComparisonRow, comparison_id)
        if row is None:
            raise reference_comparisons.comparison_gone(session, comparison_id)
        refuse_unfinished(row)
        case_rules.refuse_deleting(session, row)
        _write(note, row.exhibit.sha256, [comparison_id])
        exhibit, name, reference = row.exhibit.sha256, row.file, row.reference.sha256
        session.delete(row)
        session.flush()
        details: custody_log.EntryDetails = {"what": "comparison", "name": name, "reference": reference}
        custody_log.append(session, "deletion", details, exhibit=exhibit, analysis=comparison_id)
    try:
        _finish(database, folders, note)
    except StoreError as problem:
        raise _still_in_store("comparison", problem) from problem


def finish_deletions(database: Database, folders: Folders) -> None:
    """Finish what a crash interrupted. Only while no other app uses the folder."""
    for note in sorted(folders.deletions.iterdir()):
        with database.begin() as session:
            begun = all(session.get(table, note.name) is None for table in JOBS)
        if begun:
            _finish(database, folders, note)
        else:
            note.unlink()


def remove_orphaned_result(database: Database, folders: Folders, analysis_id: str, sha256: str) -> None:
    """Remove what an attempt put in place after its analysis had been cancelled, paused or even deleted.

    ``sha256`` is that of the exhibit.
    """
    with database.alone() as session:  # nobody retries or resumes it meanwhile
        row = session.get(AnalysisRow, analysis_id)
        if row is None or row.state in (State.CANCELLED, State.PAUSED):
            _remove_result(folders, analysis_id)
        if row is None:
            _remove_unless_known(session, folders, sha256)


def remove_orphaned_comparison(database: Database, folders: Folders, comparison_id: str) -> None:
    """Remove what an attempt put in place after its comparison had been cancelled, or even deleted."""
    with database.alone() as session:
        row = session.get(ComparisonRow, comparison_id)
        if row is None or row.state == State.CANCELLED:
            _remove_comparison(folders, comparison_id)


def remove_exhibit_without_row(database: Database, folders: Folders, sha256: str) -> None:
    """Remove the file of an exhibit whose row came to nothing. Never raises: another error is on its way."""
    with contextlib.suppress(OSError, StoreError, SQLAlchemyError), database.alone() as session:
        _remove_unless_known(session, folders, sha256)


def forget_fingerprint(session: Session, exhibit_id: int) -> None:
    """Remove the fingerprint of an exhibit, what was found by it, and the block of the index it is in."""
    session.execute(
        delete_from(MatchRow).where(or_(MatchRow.exhibit_id == exhibit_id, MatchRow.other_id == exhibit_id))
    )
    own = FingerprintRow.exhibit_id == exhibit_id
    number = session.scalar(select(FingerprintRow.id).where(own))
    if number is not None:
        block = FingerprintBlock.number == number // FingerprintBlock.SIZE
        session.execute(delete_from(FingerprintBlock).where(block))
        session.execute(delete_from(FingerprintRow).where(own))


def _still_in_store(noun: str, problem: StoreError) -> UserError:
    return UserError(
        503,
        f"{gettext(_STILL_THERE[noun])} {problem.error}",
        gettext("The next start of Reelproof removes them."),
    )


def _delete_rows(session: Session, row: AnalysisRow, compared: Sequence[ComparisonRow]) -> None:
    """Delete the row of an analysis with those that are about it alone, and comparisons of its exhibit."""
    for table in (AnnotationRow, ReviewStatement, CaseDetailsRow):
        session.execute(delete_from(table).where(table.analysis_id == row.id))
    session.delete(row)
    for each in compared:
        session.delete(each)
    session.flush()


def _annotations(session: Session, row: AnalysisRow) -> int:
    return session.scalar(select(func.count()).where(AnnotationRow.analysis_id == row.id)) or 0


def _others(session: Session, row: AnalysisRow) -> int:
    """How many other analyses of the same exhibit there are."""
    same = (AnalysisRow.exhibit_id == row.exhibit_id) & (AnalysisRow.id != row.id)
    return session.scalar(select(func.count()).where(same)) or 0


def _comparisons(session: Session, exhibit: Exhibit) -> Sequence[ComparisonRow]:
    """Those that have this exhibit on either side: they show both, and go with either."""
    own = or_(ComparisonRow.exhibit_id == exhibit.id, ComparisonRow.reference_id == exhibit.id)
    return session.scalars(select(ComparisonRow).where(own).order_by(ComparisonRow.created)).all()


def _record_comparisons(session: Session, gone: Sequence[ComparisonRow], exhibit: Exhibit) -> None:
    for each in gone:
        details: custody_log.EntryDetails = {
            "what": "comparison",
            "name": each.file,
            "reference": each.reference.sha256,
            "reason": f"the {'exhibit' if each.exhibit_id == exhibit.id else 'reference'} was deleted",
        }
        custody_log.append(session, "deletion", details, exhibit=each.exhibit.sha256, analysis=each.id)


def _write(note: Path, sha256: str, comparisons: Sequence[str]) -> None:
    note.write_text("\n".join((sha256, *comparisons)))
    flush_file(note)
    flush_folder(note.parent)


def _finish(database: Database, folders: Folders, note: Path) -> None:
    """Remove the files a note speaks of, then the note."""
    sha256, *comparisons = note.read_text().split("\n")
    _remove_result(folders, note.name)
    for each in comparisons:
        _remove_comparison(folders, each)
    # Under the lock that taking in a file holds too: the same bytes may just be coming in again.
    with database.alone() as session:
        _remove_unless_known(session, folders, sha256)
    note.unlink(missing_ok=True)


def _remove_result(folders: Folders, analysis_id: str) -> None:
    for stem in (folders.result(analysis_id), folders.thumbnail(analysis_id)):
        folders.store.remove(stem)
    place, out = folders.result(analysis_id), folders.unfinished(analysis_id, "deleted")
    if place.exists():
        place.rename(out)  # out of sight in one step
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(folders.reports_of(analysis_id), ignore_errors=True)
    folders.thumbnail(analysis_id).unlink(missing_ok=True)


def _remove_comparison(folders: Folders, comparison_id: str) -> None:
    if len(comparison_id) != 32:  # the power went before the note was whole
        return
    place, out = folders.comparison(comparison_id), folders.unfinished(comparison_id, "deleted")
    folders.store.remove(place)
    if place.exists():
        place.rename(out)  # out of sight in one step
    shutil.rmtree(out, ignore_errors=True)


def _remove_unless_known(session: Session, folders: Folders, sha256: str) -> None:
    if session.scalar(select(Exhibit.id).where(Exhibit.sha256 == sha256)) is None:
        _remove_exhibit(folders, sha256)


def _remove_exhibit(folders: Folders, sha256: str) -> None:
    if len(sha256) != 64:  # the power went before the note was whole, and so before any row did
        return
    for stem in (folders.exhibit(sha256), folders.playback(sha256).with_suffix("")):
        folders.store.remove(stem)
    for file in (
        *(folders.exhibits / sha256[:2]).glob(f"{sha256}*"),  # and what was found damaged of it
        folders.preview(sha256),
        folders.playback(sha256),
    ):
        file.unlink(missing_ok=True)
