"""Who is in a case, and so may see it: let in, and out again."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.orm import Session

from reports.text.translation.language import gettext
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.services.cases import ownership
from webapp.storage.tables import CaseMember, CaseRow, User


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
    custody_log.append_access_event(session, "case member added", case=case.id, account=user.name)


def dismiss(session: Session, case: CaseRow, user_id: int) -> None:
    """Let somebody see it no longer, but for what they handed in themselves.

    Raises :class:`~webapp.errors.UserError` where there is no such account.
    """
    user = session.get(User, user_id)
    if user is None:
        raise UserError(404, gettext("There is no such account."), gettext("Go back to the case."))
    session.execute(delete(CaseMember).where(CaseMember.case_id == case.id, CaseMember.user_id == user_id))
    ownership.leave(session, case.id, user)
    custody_log.append_access_event(session, "case member removed", case=case.id, account=user.name)
