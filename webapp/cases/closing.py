"""Close and reopen a case, or purge it with everything in it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from reports.language.formatting import grouped
from reports.language.translation import gettext, ngettext
from webapp.analyses import deletion
from webapp.cases import access
from webapp.comparisons import case_rules
from webapp.custody import custody_log
from webapp.errors import NotReady, UserError
from webapp.jobs import states
from webapp.review import queries
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, CaseMember, CaseReview, CaseRow, now


@dataclass(frozen=True)
class Purged:
    """What a purge takes along, or took."""

    analyses: int
    exhibits: int  # those that no analysis outside the case uses


def close(session: Session, case: CaseRow, *, with_open_reviews: bool = False) -> None:
    """Close a case; raises :class:`UserError` while an analysis or a comparison in it is not finished.

    Nobody can judge in a closed case: while second reviews are open it takes ``with_open_reviews``.
    """
    _refuse_unfinished(session, case)
    reviews = 0 if with_open_reviews else queries.count_open_reviews(session, case)
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
    """Let things be added and changed again."""
    if case.closed is not None:
        case.closed = None
        custody_log.append_access_event(session, "case reopened", case=case.id, name=case.name)


def consequences(session: Session, case: CaseRow) -> Purged:
    """What purging it would take along."""
    analyses = session.scalar(select(func.count()).where(AnalysisRow.case_id == case.id)) or 0
    exhibits = select(func.count()).select_from(_own_exhibits(case).subquery())
    return Purged(analyses, session.scalar(exhibits) or 0)


def purge(database: Database, folders: Folders, case_id: int) -> Purged:
    """Delete all analyses of a closed case, the exhibits that nothing else uses, and the case, for good.

    Raises :class:`UserError` where a comparison that would go belongs to another closed case. One that was
    interrupted leaves a closed case with what is left in it, and can be done again. Opening the case again
    stops it at once.
    """
    with database.alone() as session:
        case = _closed(session, case_id)
        case_rules.refuse_deleting_with(session, _own_exhibits(case), purging=case_id)
        means = consequences(session, case)
        ids = session.scalars(select(AnalysisRow.id).where(AnalysisRow.case_id == case_id)).all()
        details: custody_log.EntryDetails = {
            "what": "case",
            "case": case.id,
            "name": case.name,
            "analyses": means.analyses,
            "exhibits": means.exhibits,
            "exported": case.exported.isoformat() if case.exported else "never",
        }
        custody_log.append(session, "purge", details)  # before the deletions, to which it is the reason
        name = case.name
    gone = 0
    try:
        for analysis_id in ids:
            deletion.delete_analysis(database, folders, analysis_id, purging=case_id)
            gone += 1
        with database.alone() as session:
            _delete_emptied(session, case_id)
    except deletion.PurgeStopped as stopped:
        with database.alone() as session:
            custody_log.append_access_event(session, "purge stopped", case=case_id, name=name, analyses=gone)
        deleted = ngettext(
            "The purge stopped; it had deleted %(number)s analysis.",
            "The purge stopped; it had deleted %(number)s analyses.",
            gone,
            number=grouped(gone),
        )
        raise UserError(stopped.status, f"{stopped.error} {deleted}", stopped.remedy) from stopped
    return means


def _delete_emptied(session: Session, case_id: int) -> None:
    left = select(AnalysisRow.id).where(AnalysisRow.case_id == case_id).limit(1)
    if not access.is_closed(session, case_id) or session.scalar(left) is not None:
        raise deletion.PurgeStopped
    session.execute(delete(CaseReview).where(CaseReview.case_id == case_id))
    session.execute(delete(CaseMember).where(CaseMember.case_id == case_id))
    session.delete(session.get_one(CaseRow, case_id))


def _own_exhibits(case: CaseRow) -> Select[int]:
    """The exhibits in it that no analysis outside of it uses."""
    inside = AnalysisRow.case_id == case.id
    elsewhere = select(AnalysisRow.exhibit_id).where(AnalysisRow.case_id.is_(None) | ~inside)
    return select(AnalysisRow.exhibit_id).where(inside, AnalysisRow.exhibit_id.not_in(elsewhere)).distinct()


def _closed(session: Session, case_id: int) -> CaseRow:
    case = session.get(CaseRow, case_id)
    if case is None:
        raise UserError(404, gettext("There is no such case."), gettext("It may have been purged meanwhile."))
    if case.closed is None:
        raise UserError(
            409, gettext("This case is not closed."), gettext("Close it, export it whole, then purge it.")
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
