"""Who may change what is in a case: nobody who is not in it, and nobody at all once it is closed."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.text.translation.language import gettext
from webapp.errors import UserError
from webapp.security.access.permissions import current
from webapp.security.access.visibility import visible
from webapp.storage.tables import CaseRow


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
