"""Whether an account's role, second factor and being usable are still as logged."""

from __future__ import annotations

import json

from sqlalchemy import or_
from sqlalchemy.orm import Session

from reports.custody.format import Entry
from reports.text.translation.language import gettext
from webapp.custody import log_queries
from webapp.custody.altered import AlteredRecord
from webapp.storage.tables import CustodyRow, User

_ROLE = ("account made", "role changed")
_ABLE = {"account made": True, "account enabled": True, "account disabled": False}
_FACTOR = {"second factor set up": True, "second factor removed": False, "second factor reset": False}


def refuse_altered_account(session: Session, user: User) -> None:
    """Raise :class:`AlteredRecord` where an account's role, second factor or being usable is not as logged.

    One of which the log says nothing may be used, so that nobody is shut out: ``verify-log`` names it.
    """
    about = CustodyRow.details.contains(f'"account": {json.dumps(user.name)}', autoescape=True)
    acts = or_(
        *(
            CustodyRow.details.contains(f'"what": "{what}"', autoescape=True)
            for what in {*_ROLE, *_ABLE, *_FACTOR}
        )
    )
    accounts = Accounts()
    for entry in log_queries.entries_where(session, CustodyRow.action == "account", about, acts):
        if log_queries.is_own(session, entry):
            accounts.note(entry)
    if user.name in accounts.roles and (problem := accounts.problem(user)):
        raise AlteredRecord(problem)


class Accounts:
    """Roles of accounts, which may be used, and which have a second factor, as the log's entries say."""

    def __init__(self) -> None:
        self.roles: dict[str, str] = {}
        self.able: dict[str, bool] = {}
        self.factors: dict[str, bool] = {}

    def note(self, entry: Entry) -> None:
        """Take in the next entry."""
        if entry.action != "account":
            return
        what, name = str(entry.details.get("what")), str(entry.details.get("account"))
        if what in _ROLE:
            self.roles[name] = str(entry.details.get("role"))
        if what in _ABLE:
            self.able[name] = _ABLE[what]
        if what in _FACTOR:
            self.factors[name] = _FACTOR[what]

    def problem(self, user: User) -> str | None:
        """How the row of an account differs from it."""
        if user.name not in self.roles:
            return gettext(
                "The account %(name)s is not in the custody log: it was added to the database.",
                name=user.name,
            )
        if self.roles[user.name] != user.role:
            return gettext(
                "The role of %(name)s in the database is not the one that the custody log holds.",
                name=user.name,
            )
        if self.able.get(user.name, True) != (user.disabled is None):
            return gettext("Whether %(name)s is disabled was changed in the database.", name=user.name)
        if self.factors.get(user.name, False) != (user.factor_since is not None):
            return gettext(
                "Whether %(name)s has a second factor was changed in the database.", name=user.name
            )
        return None
