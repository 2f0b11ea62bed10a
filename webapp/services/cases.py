"""Cases: what belongs together, and who may see it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from reports.text.free_text import normalized
from reports.text.language import gettext
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.http.row_numbers import row_number
from webapp.security.permissions import PERMISSIONS, Permission, Principal, current
from webapp.security.visibility import visible
from webapp.services import case_ownership
from webapp.storage.tables import AnalysisRow, CaseMember, CaseRow, State, User, now

_LONGEST_NAME, _LONGEST_DESCRIPTION = 120, 2000


def make(session: Session, who: Principal, name: str, description: str) -> CaseRow:
    """A new case; whoever makes it is in it."""
    case = CaseRow(name="", description="", created=now(), created_by=who.name)
    _describe(case, name, description)
    session.add(case)
    session.flush()
    if who.user_id is not None:
        session.add(CaseMember(case_id=case.id, user_id=who.user_id))
    custody_log.append_account_event(session, "case made", case=case.id, name=case.name)
    return case


def change(session: Session, case: CaseRow, name: str, description: str) -> None:
    """Name and describe a case anew."""
    refuse_closed(session, case.id)
    _describe(case, name, description)
    custody_log.append_account_event(session, "case changed", case=case.id, name=case.name)


def find(session: Session, who: Principal, case_id: int) -> CaseRow:
    """A case they may see, or a 404 page that says there is none."""
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


def others(session: Session, case: CaseRow) -> list[User]:
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


def admit(session: Session, case: CaseRow, user_id: int) -> None:
    """Let somebody see the case.

    Raises :class:`~webapp.errors.UserError` where there is no such account, or it is disabled.
    """
    user = session.get(User, user_id)
    if user is None or user.disabled is not None:
        raise UserError(
            400, gettext("There is no such account, or it is disabled."), gettext("Choose one from the list.")
        )
    session.merge(CaseMember(case_id=case.id, user_id=user_id))
    custody_log.append_account_event(session, "case member added", case=case.id, account=user.name)


def dismiss(session: Session, case: CaseRow, user_id: int) -> None:
    """Let somebody see it no longer, but for what they handed in themselves.

    Raises :class:`~webapp.errors.UserError` where there is no such account.
    """
    user = session.get(User, user_id)
    if user is None:
        raise UserError(404, gettext("There is no such account."), gettext("Go back to the case."))
    session.execute(delete(CaseMember).where(CaseMember.case_id == case.id, CaseMember.user_id == user_id))
    case_ownership.leave(session, case.id, user)
    custody_log.append_account_event(session, "case member removed", case=case.id, account=user.name)


def chosen(session: Session, who: Principal, text: str | None) -> int | None:
    """The case a form asks for by its id; nothing, or empty, is no case.

    Raises :class:`~webapp.errors.UserError` for one they may not see.
    """
    if not text:
        return None
    number = row_number(text)
    if number is None:
        raise UserError(400, gettext("There is no such case."), gettext("Choose one from the list."))
    return find(session, who, number).id


def refuse_changes(session: Session, case_id: int | None) -> None:
    """Raise :class:`UserError` where a case is not to be changed by who asks: not theirs, or closed."""
    refuse_outsiders(session, case_id)
    refuse_closed(session, case_id)


def refuse_outsiders(session: Session, case_id: int | None) -> None:
    """Raise :class:`UserError` where who asks may not see a case: of what is in it, they change nothing."""
    if case_id is None:
        return
    if session.scalar(visible(select(CaseRow.id).where(CaseRow.id == case_id), current())) is None:
        raise UserError(
            403,
            gettext("You are not in the case of this analysis, so you cannot change it."),
            gettext("Ask somebody who is in that case, or an administrator."),
        )


def refuse_closed(session: Session, case_id: int | None) -> None:
    """Raise :class:`UserError` where a case is closed: nothing in it is added, changed or taken out."""
    if case_id is not None and is_closed(session, case_id):
        raise closed_case_error()


def is_closed(session: Session, case_id: int) -> bool:
    """Whether there is such a case, and nothing in it is changed any more."""
    return session.scalar(select(CaseRow.closed).where(CaseRow.id == case_id)) is not None


def closed_case_error() -> UserError:
    """What to say of something that would change in a closed case."""
    return UserError(
        409,
        gettext("The case is closed, so nothing in it can be changed."),
        gettext("An administrator can open it again."),
    )


def _describe(case: CaseRow, name: str, description: str) -> None:
    name = normalized(" ".join(name.split()), _LONGEST_NAME)
    if not name or len(name) > _LONGEST_NAME or any(unicodedata.category(c)[0] == "C" for c in name):
        raise UserError(
            400,
            gettext("A case needs a name."),
            gettext(
                "At most %(longest_name)s characters, none of them invisible.", longest_name=_LONGEST_NAME
            ),
        )
    if len(description) > _LONGEST_DESCRIPTION:
        raise UserError(
            400,
            gettext("The description is too long."),
            gettext("At most %(longest_description)s characters.", longest_description=_LONGEST_DESCRIPTION),
        )
    case.name, case.description = name, description.strip()
