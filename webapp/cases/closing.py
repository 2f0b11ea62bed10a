"""Close and reopen a case, or purge it with everything in it.

In a closed case nothing changes except its members. Of a purged case only the custody log remains: all
entries about its exhibits and analyses, one for each deletion, and one for the purge.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from language.formatting import grouped
from language.translation import gettext, ngettext
from webapp.casework import access, case_rules
from webapp.casework import reviews as review_queries
from webapp.custody import custody_log
from webapp.errors import NotReady, UserError
from webapp.exhibits import deletion
from webapp.jobs import states
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, CaseMember, CaseReview, CaseRow, now


@dataclass(frozen=True)
class Purged:
    """What a purge deletes, or has deleted."""

    analyses: int
    exhibits: int  # those that no analysis outside the case uses


def close(session: Session, case: CaseRow, *, with_open_reviews: bool = False) -> None:
    """Close a case. Raises :class:`UserError` while an analysis or a comparison in it is unfinished.

    Nobody can judge in a closed case, so open second reviews require ``with_open_reviews``.
    """
    _refuse_unfinished(session, case)
    reviews = 0 if with_open_reviews else review_queries.count_open_reviews(session, case)
    if reviews:
        raise UserError(
            409,
            ngettext(
                "%(num)s second review in this case is not finished.",
                "%(num)s second reviews in this case are not finished.",
                reviews,
            ),
            gettext("Wait for the reviewers, or confirm on the page of the case that they are to stay open."),
        )
    if case.closed is None:
        case.closed = now()
        custody_log.append_access_event(session, "case closed", case=case.id, name=case.name)


def reopen(session: Session, case: CaseRow) -> None:
    """Allow changes in the case again."""
    if case.closed is not None:
        case.closed = None
        custody_log.append_access_event(session, "case reopened", case=case.id, name=case.name)


def consequences(session: Session, case: CaseRow) -> Purged:
    """Return what purging the case would delete."""
    analyses = session.scalar(select(func.count()).where(AnalysisRow.case_id == case.id)) or 0
    exhibits = select(func.count()).select_from(_own_exhibits(case).subquery())
    return Purged(analyses, session.scalar(exhibits) or 0)


def purge(database: Database, folders: Folders, case_id: int, reason: str = "") -> Purged:
    """Permanently delete a closed case, its analyses, and the exhibits that nothing else uses.

    ``reason`` is recorded in the custody log, for the case and for each analysis.

    Raises :class:`UserError` if a comparison to be deleted belongs to another closed case. An interrupted
    purge leaves a closed case with the remaining analyses, and can be repeated. Reopening the case stops it.
    """
    with database.alone() as session:
        case = _require_closed(session, case_id)
        case_rules.refuse_deleting_with(session, _own_exhibits(case), purging=case_id)
        purged = consequences(session, case)
        ids = session.scalars(select(AnalysisRow.id).where(AnalysisRow.case_id == case_id)).all()
        details: dict[str, str | int | None] = {
            "what": "case",
            "case": case.id,
            "name": case.name,
            "analyses": purged.analyses,
            "exhibits": purged.exhibits,
            "exported": case.exported.isoformat() if case.exported else "never",
        }
        if reason:
            details["reason"] = reason
        custody_log.append(session, "purge", details)  # before the deletions, since it is their reason
        name = case.name
    deleted = 0
    try:
        for analysis_id in ids:
            deletion.delete_analysis(database, folders, analysis_id, purging=case_id, reason=reason)
            deleted += 1
        with database.alone() as session:
            _delete_empty_case(session, case_id)
    except deletion.PurgeStopped as stopped:
        with database.alone() as session:
            custody_log.append_access_event(
                session, "purge stopped", case=case_id, name=name, analyses=deleted
            )
        message = ngettext(
            "The purge stopped; it had deleted %(number)s analysis.",
            "The purge stopped; it had deleted %(number)s analyses.",
            deleted,
            number=grouped(deleted),
        )
        raise UserError(stopped.status, f"{stopped.error} {message}", stopped.remedy) from stopped
    return purged


def _delete_empty_case(session: Session, case_id: int) -> None:
    remaining = select(AnalysisRow.id).where(AnalysisRow.case_id == case_id).limit(1)
    if not access.is_closed(session, case_id) or session.scalar(remaining) is not None:
        raise deletion.PurgeStopped
    session.execute(delete(CaseReview).where(CaseReview.case_id == case_id))
    session.execute(delete(CaseMember).where(CaseMember.case_id == case_id))
    session.delete(session.get_one(CaseRow, case_id))


def _own_exhibits(case: CaseRow) -> Select[int]:
    """Select the exhibits in the case that no analysis outside of it uses."""
    inside = AnalysisRow.case_id == case.id
    elsewhere = select(AnalysisRow.exhibit_id).where(AnalysisRow.case_id.is_(None) | ~inside)
    return select(AnalysisRow.exhibit_id).where(inside, AnalysisRow.exhibit_id.not_in(elsewhere)).distinct()


def _require_closed(session: Session, case_id: int) -> CaseRow:
    case = session.get(CaseRow, case_id)
    if case is None:
        raise UserError(404, gettext("There is no such case."), gettext("It may have been purged meanwhile."))
    if case.closed is None:
        raise UserError(
            409, gettext("This case is not closed."), gettext("Close it, export it, then purge it.")
        )
    _refuse_unfinished(session, case)
    return case


def _refuse_unfinished(session: Session, case: CaseRow) -> None:
    unfinished = AnalysisRow.case_id == case.id, AnalysisRow.state.in_(states.UNFINISHED)
    if session.scalar(select(AnalysisRow.id).where(*unfinished).limit(1)) is not None:
        raise NotReady(
            gettext("An analysis in this case is not finished."), gettext("Wait for it, or cancel it.")
        )
    if case_rules.has_unfinished_comparison(session, case):
        raise NotReady(
            gettext("A comparison in this case is not finished."),
            gettext("Wait for it, or cancel the comparison."),
        )
