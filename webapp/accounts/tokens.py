"""API tokens: create, authenticate and revoke. A token is shown once; only its SHA-256 is stored.

A token is 256 random bits. Argon2 slows down guessing of words that people choose; 256 random bits cannot be
guessed at any speed, so one SHA-256 protects a stolen database as well and costs a request a microsecond.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from language.names import normalized
from language.translation import gettext
from webapp.accounts.permissions import LOCAL, Permission, Principal, Role
from webapp.accounts.sessions import record_last_use
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http.request_values import name_fault
from webapp.storage.database import Database
from webapp.storage.tables import ApiToken, User, now

PREFIX = "rp_"  # lets scanners for leaked secrets recognise a token
MAX_TOKENS = 100  # active ones of an account
_MAX_NAME = 80
_TOKEN = re.compile(r"rp_[A-Za-z0-9_-]{43}")
_LAST_USE_RESOLUTION = timedelta(minutes=1)  # or each request would write
# The form does not offer “administer”: accounts are changed only by somebody who entered their password
# a moment ago.
SCOPES = tuple(permission for permission in Permission if permission != Permission.ADMINISTER)
# Ends a sentence for a program without a valid token.
HOW_TO_CREATE = "made on the account page or by “python -m webapp add-token”"


class NewToken(NamedTuple):
    """A new token and its row, which does not hold the token itself."""

    token: str
    row: ApiToken


class TokenError(UserError):
    """A token cannot be created in this way."""

    def __init__(self, error: str, remedy: str, *, field: str = "") -> None:
        super().__init__(400, error, remedy, field=field)


def create(
    session: Session, principal: Principal, name: str, scopes: Iterable[str], expires: datetime | None = None
) -> NewToken:
    """Create a token for a person, with no more permissions than they have.

    Raises :class:`TokenError` for an invalid name, scope or date, and beyond :data:`MAX_TOKENS`.
    """
    name = normalized(" ".join(name.split()), _MAX_NAME)
    if not name:
        raise TokenError(
            gettext("A token needs a name."), gettext("Let it say what the token is for."), field="name"
        )
    if fault := name_fault(name, _MAX_NAME):
        raise TokenError(gettext("The name of the token cannot be used."), fault, field="name")
    granted = _grantable_scopes(principal, scopes)
    if expires is not None and expires <= now():
        raise TokenError(
            gettext("The token would have expired already."), gettext("Choose a later day."), field="expires"
        )
    if count_active(session, principal.user_id) >= MAX_TOKENS:
        raise TokenError(
            gettext("There are %(most)s tokens already.", most=MAX_TOKENS),
            gettext("Revoke those that nothing uses."),
        )
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        id=secrets.token_hex(8),
        sha256=_digest(token),
        name=name,
        scopes=" ".join(granted),
        user_id=principal.user_id,
        made=now(),
        expires=expires,
    )
    session.add(row)
    custody_log.append_access_event(session, "token made", token=row.id, name=row.name, scopes=row.scopes)
    return NewToken(token, row)


def _grantable_scopes(principal: Principal, scopes: Iterable[str]) -> list[str]:
    """Return the scopes sorted and without repetition; refuse those that the person does not have."""
    names = sorted(set(scopes))
    if not names or not set(names) <= set(Permission):
        raise TokenError(
            gettext("A token needs scopes out of %(names)s.", names=", ".join(Permission)),
            gettext("Choose at least one."),
            field="scope",
        )
    if excess := [name for name in names if not principal.may(Permission(name))]:
        raise TokenError(
            gettext(
                "%(display)s may not %(names)s, so a token of this account may not either.",
                display=principal.display,
                names=", ".join(excess),
            ),
            gettext("Choose other scopes."),
            field="scope",
        )
    return names


def list_tokens(session: Session, principal: Principal) -> Sequence[ApiToken]:
    """List the tokens of a person, newest first, including revoked ones."""
    own = select(ApiToken).where(ApiToken.user_id == principal.user_id)
    return session.scalars(own.order_by(ApiToken.made.desc())).all()


def owner_names(session: Session) -> Sequence[str]:
    """Return the names of the accounts that have tokens, including revoked ones."""
    return session.scalars(
        select(User.name).where(User.id.in_(select(ApiToken.user_id))).order_by(User.name)
    ).all()


def revoke(session: Session, principal: Principal, token_id: str) -> ApiToken | None:
    """Revoke a token of this person; return None if it is not theirs."""
    row = session.get(ApiToken, token_id)
    if row is None or row.user_id != principal.user_id:
        return None
    if row.revoked is None:
        row.revoked = now()
        custody_log.append_access_event(session, "token revoked", token=row.id, name=row.name)
    return row


def count_active(session: Session, user_id: int | None) -> int:
    """Count the active tokens of an account or, for None, of the local user."""
    own = select(ApiToken.expires).where(ApiToken.user_id == user_id, ApiToken.revoked.is_(None))
    return sum(expires is None or expires > now() for expires in session.scalars(own))


def revoke_all(session: Session, user_id: int) -> int:
    """Revoke all tokens of an account; return how many were active."""
    count = count_active(session, user_id)
    own = update(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked.is_(None))
    session.execute(own.values(revoked=now()))
    return count


def authenticate(database: Database, token: str, *, login: bool, record_use: bool) -> Principal | None:
    """Return the owner of an active token, limited to its scopes, or None.

    A token does not work while its owner has a one-time password. With ``login``, a token that was created
    on a machine without login belongs to nobody.
    """
    if not _TOKEN.fullmatch(token):
        return None
    moment = now()
    with database.begin() as session:
        # A lookup by hash has a duration that reveals nothing about the token.
        row = session.scalar(select(ApiToken).where(ApiToken.sha256 == _digest(token)))
        if row is None or row.revoked is not None or (row.expires is not None and row.expires <= moment):
            return None
        owner = _owner(session, row, login)
    if record_use and owner is not None and (row.used is None or moment - row.used >= _LAST_USE_RESOLUTION):
        record_last_use(database, update(ApiToken).where(ApiToken.id == row.id).values(used=moment))
    return owner


def _owner(session: Session, row: ApiToken, login: bool) -> Principal | None:
    scopes = frozenset(row.scopes.split())
    if row.user_id is None:
        return None if login else Principal(LOCAL.name, LOCAL.display, LOCAL.role, None, scopes)
    user = session.get(User, row.user_id)
    if user is None or user.disabled is not None or user.one_time:
        return None
    return Principal(user.name, user.display, Role(user.role), user.id, scopes)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
