"""Find the cases a user may see, and refuse changes by outsiders and to closed cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from language.translation import gettext
from webapp.accounts.permissions import PERMISSIONS, Permission, Principal, current
from webapp.accounts.visibility import visible
from webapp.errors import UserError
from webapp.http.request_values import row_number
from webapp.storage.tables import AnalysisRow, CaseMember, CaseRow, State, User


def find_or_404(session: Session, who: Principal, case_id: int) -> CaseRow:
    """Return a case the user may see; raise :class:`UserError` (404) if there is none."""
    case = session.scalar(visible(select(CaseRow).where(CaseRow.id == case_id), who))
    if case is None:
        raise UserError(
            404, gettext("There is no case at this address."), gettext("Look for it in the list of cases.")
        )
    return case


def case_from_form(session: Session, who: Principal, text: str | None) -> int | None:
    """Return the id of the case that a form field names; None if the field is empty.

    Raises :class:`UserError` if the user may not see it.
    """
    if not text:
        return None
    number = row_number(text)
    if number is None:
        raise UserError(400, gettext("There is no such case."), gettext("Choose one from the list."))
    return find_or_404(session, who, number).id


def list_cases(session: Session, who: Principal) -> list[CaseRow]:
    """Return the cases the user may see, newest first."""
    return list(
        session.scalars(visible(select(CaseRow), who).order_by(CaseRow.created.desc(), CaseRow.id.desc()))
    )


def count_analyses_and_members(
    session: Session, cases: Sequence[CaseRow]
) -> tuple[Counter[int], Counter[int]]:
    """Return, by case id, the numbers of analyses and of members."""
    ids = [case.id for case in cases]
    analyses = select(AnalysisRow.case_id, func.count()).where(AnalysisRow.case_id.in_(ids))
    members = select(CaseMember.case_id, func.count()).where(CaseMember.case_id.in_(ids))
    return (
        Counter({case: n for case, n in session.execute(analyses.group_by(AnalysisRow.case_id)) if case}),
        Counter({case: n for case, n in session.execute(members.group_by(CaseMember.case_id))}),
    )


def count_finished_exhibits(session: Session, cases: Sequence[CaseRow]) -> Counter[int]:
    """Return, by case id, the number of exhibits with a finished analysis."""
    query = select(AnalysisRow.case_id, func.count(AnalysisRow.exhibit_id.distinct())).where(
        AnalysisRow.case_id.in_([case.id for case in cases]), AnalysisRow.state == State.DONE
    )
    return Counter({case: n for case, n in session.execute(query.group_by(AnalysisRow.case_id)) if case})


def list_members(session: Session, case: CaseRow) -> list[User]:
    """Return the members of a case by name."""
    query = select(User).join(CaseMember, CaseMember.user_id == User.id).where(CaseMember.case_id == case.id)
    return list(session.scalars(query.order_by(User.name)))


def possible_members(session: Session, case: CaseRow) -> list[User]:
    """Return the users who could be added to a case."""
    members = select(CaseMember.user_id).where(CaseMember.case_id == case.id)
    query = select(User).where(User.disabled.is_(None), User.id.not_in(members))
    return list(session.scalars(query.order_by(User.name)))


def possible_reviewers(session: Session) -> list[User]:
    """Return the users whose role lets them judge, by displayed name."""
    roles = [role for role, allowed in PERMISSIONS.items() if Permission.ANNOTATE in allowed]
    query = select(User).where(User.disabled.is_(None), User.role.in_(roles))
    return list(session.scalars(query.order_by(User.display)))


def list_analyses(session: Session, case: CaseRow) -> list[AnalysisRow]:
    """Return the analyses in a case, newest first."""
    query = select(AnalysisRow).where(AnalysisRow.case_id == case.id)
    return list(session.scalars(query.order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc())))


def refuse_changes(session: Session, case_id: int | None) -> None:
    """Raise :class:`UserError` if the current user is not in the case, or the case is closed."""
    refuse_outsiders(session, case_id)
    refuse_closed(session, case_id)


def refuse_outsiders(session: Session, case_id: int | None) -> None:
    """Raise :class:`UserError` if the current user may not see the case."""
    if case_id is None:
        return
    if session.scalar(visible(select(CaseRow.id).where(CaseRow.id == case_id), current())) is None:
        raise UserError(
            403,
            gettext("You are not a member of this analysis's case, so you cannot change it."),
            gettext("Ask a member of that case, or an administrator."),
        )


def refuse_closed(session: Session, case_id: int | None) -> None:
    """Raise :class:`UserError` if the case is closed, so that nothing in it may change."""
    if case_id is not None and is_closed(session, case_id):
        raise closed_case_error()


def is_closed(session: Session, case_id: int) -> bool:
    """Return whether the case exists and is closed."""
    return session.scalar(select(CaseRow.closed).where(CaseRow.id == case_id)) is not None


def closed_case_error() -> UserError:
    """Return the error for a change in a closed case."""
    return UserError(
        409,
        gettext("The case is closed, so nothing in it can be changed."),
        gettext("An administrator can open it again."),
    )
