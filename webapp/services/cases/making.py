"""A case is made with a name and a description, and both are changed."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from reports.text.free_text import normalized
from reports.text.translation.language import gettext
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.security import names
from webapp.security.access.permissions import Principal
from webapp.services.case_rules import write_access
from webapp.storage.tables import CaseMember, CaseRow, now

_LONGEST_NAME, _LONGEST_DESCRIPTION = 120, 2000


def make(session: Session, who: Principal, name: str, description: str) -> CaseRow:
    """A new case; whoever makes it is in it. Raises :class:`UserError` for words that it cannot have."""
    name, description = _cleaned(name, description)
    case = CaseRow(name=name, description=description, created=now(), created_by=who.name)
    session.add(case)
    session.flush()
    if who.user_id is not None:
        session.add(CaseMember(case_id=case.id, user_id=who.user_id))
    custody_log.append_access_event(session, "case made", case=case.id, name=case.name)
    return case


def change(
    session: Session, case: CaseRow, name: str, description: str, shown: Mapping[str, str | None]
) -> None:
    """Name and describe a case anew. Raises :class:`UserError` for words that it cannot have.

    ``shown`` is what the form showed first, by field, where that is known: nobody's words are replaced by
    somebody who has not seen them.
    """
    write_access.refuse_closed(session, case.id)
    name, description = _cleaned(name, description)
    if _meanwhile(case.name, shown["name"], name):
        raise _conflict(gettext("Somebody gave the case another name meanwhile: “%(name)s”.", name=case.name))
    if _meanwhile(case.description, shown["description"], description):
        words = gettext("Somebody described the case anew meanwhile: “%(text)s”.", text=case.description)
        raise _conflict(words, field="description")
    case.name, case.description = name, description
    custody_log.append_access_event(session, "case changed", case=case.id, name=case.name)


def _meanwhile(stored: str, shown: str | None, said: str) -> bool:
    """Whether a text became another one than it was ``shown``, and is not what is ``said`` now either."""
    return shown is not None and stored.splitlines() not in (shown.splitlines(), said.splitlines())


def _conflict(words: str, field: str = "name") -> UserError:
    remedy = gettext("Nothing was saved yet. What you typed stands below; save what is to stand.")
    return UserError(409, words, remedy, field=field)


def _cleaned(name: str, description: str) -> tuple[str, str]:
    """A case's name and description as they are kept; raises :class:`UserError` where it cannot have them."""
    name = normalized(" ".join(name.split()), _LONGEST_NAME)
    if not name:
        raise UserError(
            400,
            gettext("A case needs a name."),
            gettext("Say what it is called, or its number."),
            field="name",
        )
    if wrong := names.fault(name, _LONGEST_NAME):
        raise UserError(400, gettext("The name of the case cannot be used."), wrong, field="name")
    if len(description) > _LONGEST_DESCRIPTION:
        raise UserError(
            400,
            gettext("The description is too long."),
            gettext("At most %(longest_description)s characters.", longest_description=_LONGEST_DESCRIPTION),
            field="description",
        )
    return name, description.strip()
