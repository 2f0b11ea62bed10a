"""API tokens: create, recognise and revoke. A token is shown once; only its SHA-256 is stored."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reports.language.names import normalized
from reports.language.translation import gettext
from webapp.accounts import sessions
from webapp.accounts.permissions import LOCAL, Permission, Principal, Role
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http import request_values
from webapp.storage.database import Database
from webapp.storage.tables import ApiToken, User, now

PREFIX = "rp_"
MOST = 100  # of one person that still work
_LONGEST_NAME = 80
_TOKEN = re.compile(r"rp_[A-Za-z0-9_-]{43}")
_USED_EVERY = timedelta(minutes=1)  # last use is kept to the minute, or each request would write


# What the form offers. “administer” is not among them: accounts are changed only by somebody who gave their
# password a moment ago.
SCOPES = tuple(each for each in Permission if each != Permission.ADMINISTER)

MADE = "made on the account page or by “python -m webapp add-token”"
"""Where tokens come from, for a program that has none that works."""


class NewToken(NamedTuple):
    """A new token and its row; the text is nowhere else."""

    token: str
    row: ApiToken


class TokenError(UserError):
    """A token cannot be made: what is the matter, and what to do."""

    def __init__(self, error: str, remedy: str, *, field: str = "") -> None:
        super().__init__(400, error, remedy, field=field)


def make(
    session: Session, principal: Principal, name: str, scopes: Iterable[str], expires: datetime | None = None
) -> NewToken:
    """Make a token for a person, with no more than they may themselves.

    Raises :class:`TokenError` for a name, scopes or day that cannot be, and where there are :data:`MOST`.
    """
    name, wanted = _usable_name(name), _grantable_scopes(principal, scopes)
    if expires is not None and expires <= now():
        raise TokenError(
            gettext("The token would have expired already."), gettext("Choose a later day."), field="expires"
        )
    if working(session, principal.user_id) >= MOST:
        raise TokenError(
            gettext("There are %(most)s tokens already.", most=MOST),
            gettext("Revoke those that nothing uses."),
        )
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        id=secrets.token_hex(8),
        sha256=_digest(token),
        name=name,
        scopes=" ".join(wanted),
        user_id=principal.user_id,
        made=now(),
        expires=expires,
    )
    session.add(row)
    custody_log.append_access_event(session, "token made", token=row.id, name=row.name, scopes=row.scopes)
    return NewToken(token, row)


def _usable_name(name: str) -> str:
    """``name`` as it is kept."""
    name = normalized(" ".join(name.split()), _LONGEST_NAME)
    if not name:
        raise TokenError(
            gettext("A token needs a name."), gettext("Say in it what the token is for."), field="name"
        )
    if wrong := request_values.name_fault(name, _LONGEST_NAME):
        raise TokenError(gettext("The name of the token cannot be used."), wrong, field="name")
    return name


def _grantable_scopes(principal: Principal, scopes: Iterable[str]) -> list[str]:
    """``scopes`` in order, each once; all are permissions that the person has."""
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in set(Permission)]
    if unknown or not wanted:
        raise TokenError(
            gettext("A token needs scopes out of %(names)s.", names=", ".join(Permission)),
            gettext("Choose at least one."),
            field="scope",
        )
    beyond = [scope for scope in wanted if not principal.may(Permission(scope))]
    if beyond:
        raise TokenError(
            gettext(
                "%(display)s may not %(names)s, and so no token of theirs may.",
                display=principal.display,
                names=", ".join(beyond),
            ),
            gettext("Choose other scopes."),
            field="scope",
        )
    return wanted


def listed(session: Session, principal: Principal) -> Sequence[ApiToken]:
    """The tokens of a person, newest first, revoked ones too."""
    own = select(ApiToken).where(ApiToken.user_id == principal.user_id)
    return session.scalars(own.order_by(ApiToken.made.desc())).all()


def owners(session: Session) -> Sequence[str]:
    """Names of the accounts that have tokens, revoked ones too."""
    return session.scalars(
        select(User.name).where(User.id.in_(select(ApiToken.user_id))).order_by(User.name)
    ).all()


def revoke(session: Session, principal: Principal, token_id: str) -> ApiToken | None:
    """End a token of this person for good; none if it is not theirs."""
    row = session.get(ApiToken, token_id)
    if row is None or row.user_id != principal.user_id:
        return None
    if row.revoked is None:
        row.revoked = now()
        custody_log.append_access_event(session, "token revoked", token=row.id, name=row.name)
    return row


def working(session: Session, user_id: int | None) -> int:
    """How many tokens of an account, or of the user of a machine without login, still work."""
    own = select(ApiToken.expires).where(ApiToken.user_id == user_id, ApiToken.revoked.is_(None))
    return sum(expires is None or expires > now() for expires in session.scalars(own))


def revoke_all(session: Session, user_id: int) -> int:
    """End all tokens of an account for good; how many still worked."""
    count = working(session, user_id)
    own = update(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked.is_(None))
    session.execute(own.values(revoked=now()))
    return count


def recognise(database: Database, token: str, *, login: bool, used: bool) -> Principal | None:
    """Whose token it is, with its scopes; none if it was never made, has expired or was revoked.

    None as well while its owner's password is one that somebody else gave out: it is changed first.
    ``login``: whether people sign in. A token made on a machine without login is nobody's once they do.
    ``used``: note that it was.
    """
    if not _TOKEN.fullmatch(token):
        return None
    moment = now()
    with database.begin() as session:
        # Looked up by its hash: how long that takes tells nothing of the token.
        row = session.scalar(select(ApiToken).where(ApiToken.sha256 == _digest(token)))
        if row is None or row.revoked is not None or (row.expires is not None and row.expires <= moment):
            return None
        person = _person(session, row, login)
    if used and person is not None and (row.used is None or moment - row.used >= _USED_EVERY):
        sessions.record_last_use(database, update(ApiToken).where(ApiToken.id == row.id).values(used=moment))
    return person


def _person(session: Session, row: ApiToken, login: bool) -> Principal | None:
    scopes = frozenset(row.scopes.split())
    if row.user_id is None:
        return None if login else Principal(LOCAL.name, LOCAL.display, LOCAL.role, None, scopes)
    user = session.get(User, row.user_id)
    if user is None or user.disabled is not None or user.one_time:
        return None
    return Principal(user.name, user.display, Role(user.role), user.id, scopes)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
