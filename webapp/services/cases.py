"""Cases: made, changed, let see; and what is refused for their sake. What is read of them is in `queries`."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reports.text.free_text import normalized
from reports.text.translation.language import gettext
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.security import names
from webapp.security.permissions import Principal, current
from webapp.security.visibility import visible
from webapp.services import case_ownership
from webapp.storage.tables import CaseMember, CaseRow, User, now

_LONGEST_NAME, _LONGEST_DESCRIPTION = 120, 2000


class CaseWordsError(UserError):
    """A case cannot be called or described so: what is the matter, and what to do."""

    def __init__(self, error: str, remedy: str) -> None:
        super().__init__(400, error, remedy)


def make(session: Session, who: Principal, name: str, description: str) -> CaseRow:
    """A new case; whoever makes it is in it. Raises :class:`CaseWordsError`."""
    case = CaseRow(name="", description="", created=now(), created_by=who.name)
    _describe(case, name, description)
    session.add(case)
    session.flush()
    if who.user_id is not None:
        session.add(CaseMember(case_id=case.id, user_id=who.user_id))
    custody_log.append_account_event(session, "case made", case=case.id, name=case.name)
    return case


def change(session: Session, case: CaseRow, name: str, description: str) -> None:
    """Name and describe a case anew. Raises :class:`CaseWordsError`."""
    refuse_closed(session, case.id)
    _describe(case, name, description)
    custody_log.append_account_event(session, "case changed", case=case.id, name=case.name)


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
    if not name:
        raise CaseWordsError(
            gettext("A case needs a name."), gettext("Say what it is called, or its number.")
        )
    if wrong := names.fault(name, _LONGEST_NAME):
        raise CaseWordsError(gettext("The name of the case cannot be used."), wrong)
    if len(description) > _LONGEST_DESCRIPTION:
        raise CaseWordsError(
            gettext("The description is too long."),
            gettext("At most %(longest_description)s characters.", longest_description=_LONGEST_DESCRIPTION),
        )
    case.name, case.description = name, description.strip()
