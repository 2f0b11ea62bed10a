"""Cases as somebody may see them: one or all, who is in them, what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reports.text.translation.language import gettext
from webapp.errors import UserError
from webapp.http.row_numbers import row_number
from webapp.security.access.permissions import PERMISSIONS, Permission, Principal
from webapp.security.access.visibility import visible
from webapp.storage.tables import AnalysisRow, CaseMember, CaseRow, State, User


def find_or_404(session: Session, who: Principal, case_id: int) -> CaseRow:
    """A case they may see; raises :class:`UserError` (404) where there is none."""
    case = session.scalar(visible(select(CaseRow).where(CaseRow.id == case_id), who))
    if case is None:
        raise UserError(
            404, gettext("There is no case at this address."), gettext("Look for it in the list of cases.")
        )
    return case


def listed(session: Session, who: Principal) -> list[CaseRow]:
    """The cases they may see, the latest first."""
    return list(
        session.scalars(visible(select(CaseRow), who).order_by(CaseRow.created.desc(), CaseRow.id.desc()))
    )


def counts(session: Session, shown: Sequence[CaseRow]) -> tuple[Counter[int], Counter[int]]:
    """By id of the case: how many analyses and how many members it has."""
    ids = [case.id for case in shown]
    of_analyses = select(AnalysisRow.case_id, func.count()).where(AnalysisRow.case_id.in_(ids))
    of_members = select(CaseMember.case_id, func.count()).where(CaseMember.case_id.in_(ids))
    return (
        Counter({case: n for case, n in session.execute(of_analyses.group_by(AnalysisRow.case_id)) if case}),
        Counter({case: n for case, n in session.execute(of_members.group_by(CaseMember.case_id))}),
    )


def finished_exhibits(session: Session, shown: Sequence[CaseRow]) -> Counter[int]:
    """By id of the case: of how many exhibits it has a finished analysis."""
    query = select(AnalysisRow.case_id, func.count(AnalysisRow.exhibit_id.distinct())).where(
        AnalysisRow.case_id.in_([case.id for case in shown]), AnalysisRow.state == State.DONE
    )
    return Counter({case: n for case, n in session.execute(query.group_by(AnalysisRow.case_id)) if case})


def members(session: Session, case: CaseRow) -> list[User]:
    """Who is in it, by name."""
    query = select(User).join(CaseMember, CaseMember.user_id == User.id).where(CaseMember.case_id == case.id)
    return list(session.scalars(query.order_by(User.name)))


def possible_members(session: Session, case: CaseRow) -> list[User]:
    """Who could be added to it."""
    known = select(CaseMember.user_id).where(CaseMember.case_id == case.id)
    query = select(User).where(User.disabled.is_(None), User.id.not_in(known))
    return list(session.scalars(query.order_by(User.name)))


def able_to_review(session: Session) -> list[User]:
    """The accounts whose role lets them judge, by name."""
    roles = [role for role, allowed in PERMISSIONS.items() if Permission.ANNOTATE in allowed]
    query = select(User).where(User.disabled.is_(None), User.role.in_(roles))
    return list(session.scalars(query.order_by(User.display)))


def analyses(session: Session, case: CaseRow) -> list[AnalysisRow]:
    """What is in it, the latest first."""
    query = select(AnalysisRow).where(AnalysisRow.case_id == case.id)
    return list(session.scalars(query.order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc())))


def chosen(session: Session, who: Principal, text: str | None) -> int | None:
    """The case a form asks for by its id; nothing, or empty, is no case.

    Raises :class:`~webapp.errors.UserError` for one they may not see.
    """
    if not text:
        return None
    number = row_number(text)
    if number is None:
        raise UserError(400, gettext("There is no such case."), gettext("Choose one from the list."))
    return find_or_404(session, who, number).id
