"""Sign in: check the password, wait for the second factor, begin and renew the session.

Between password and second factor there is no session: a signed cookie, valid for five minutes, identifies
the account whose password was right. :mod:`webapp.accounts.request_guard` identifies the caller of later
requests.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import current_app, g, request
from sqlalchemy.orm import Session

from language.translation import gettext
from webapp import context
from webapp.accounts import sessions, users
from webapp.accounts.passwords import Passwords, forget_attempts, throttle_attempt, throttle_buckets
from webapp.custody import custody_log, people_records
from webapp.errors import UserError
from webapp.http.request_values import plain_address
from webapp.storage.key_files import mac
from webapp.storage.tables import SessionRow, User, now

_COOKIE = "reelproof-pending"
_LIFETIME = timedelta(minutes=5)


def set_pending_cookie(response: Any, user: User) -> None:
    """Store in the browser that this account's password was right."""
    until = now() + _LIFETIME
    text = f"{user.id}.{int(until.timestamp())}"
    sessions.set_cookie(response, _COOKIE, f"{text}.{_signature(until, user)}", _LIFETIME)


def clear_pending_cookie(response: Any) -> None:
    """Delete the cookie of a pending sign-in."""
    sessions.clear_cookie(response, _COOKIE)


def find_pending_user(session: Session) -> User | None:
    """Find the account whose password was right a moment ago in this browser."""
    parts = request.cookies.get(sessions.cookie_name(_COOKIE), "").split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 12 for part in parts[:2]):
        return None
    until, user = datetime.fromtimestamp(int(parts[1]), UTC), session.get(User, int(parts[0]))
    if user is None or user.disabled is not None or user.factor_since is None or until < now():
        return None
    return user if hmac.compare_digest(parts[2].encode(), _signature(until, user).encode()) else None


def _signature(until: datetime, user: User) -> str:
    # Changing the password or the second factor invalidates it.
    text = f"{user.id}\0{int(until.timestamp())}\0{user.password_set}\0{user.factor_since}"
    return mac(current_app.extensions["secret"], "second factor", text)


def check_password(name: str, password: str) -> tuple[User | None, timedelta]:
    """Return the account if name and password match; otherwise None and the wait until the next attempt.

    A zero wait means that they do not match or that nobody may sign in to the account. Every check of a
    password uses this function, so that all attempts at an account are counted together. Names that no
    account can have share one count. Raises :class:`~webapp.custody.job_records.AlteredRecord` if the account
    differs from the custody log.
    """
    passwords: Passwords = current_app.extensions["passwords"]
    with context.database().alone() as session:
        user = users.find(session, name)
        account = user.name if user is not None else users.canonical_name_or_empty(name)
        buckets = throttle_buckets(account, _client_address(), sessions.known_device(account))
        if wait := throttle_attempt(session, buckets, now()):
            return None, wait
    matches = passwords.verify(user.password if user is not None else None, password)
    if user is None or not matches or not users.may_sign_in(user, now()):
        return None, timedelta()
    with context.database().alone() as session:
        stored = session.get_one(User, user.id)
        people_records.refuse_altered_account(session, stored)
        if was_changed(user, stored):
            return None, timedelta()
        forget_attempts(session, buckets)
        if passwords.outdated(user.password):
            stored.password = passwords.hash(password)
    return user, timedelta()


def was_changed(checked: User, stored: User) -> bool:
    """Tell whether the password or second factor changed after the account was ``checked``.

    In that moment its owner or an administrator may have locked out somebody who knows the password.
    """
    return (checked.password_set, checked.factor_since) != (stored.password_set, stored.factor_since)


def begin_session(user: User, factor: str, way: str) -> str:
    """Begin a session for an authenticated user, end the browser's previous one, and return the token.

    ``factor`` and ``way`` go into the custody log. Raises :class:`UserError` if the account has
    changed meanwhile.
    """
    moment = now()
    with context.database().alone() as session:
        stored = session.get_one(User, user.id)
        if was_changed(user, stored):
            raise _not_signed_in()
        if g.session is not None:
            sessions.end_sessions(session, SessionRow.id == g.session.id)
        sessions.delete_expired_sessions(session, context.settings(), moment)
        address = _client_address()
        token = sessions.start_session(session, stored, address, request.user_agent.string, moment, way)
        details = {"account": stored.name, "address": address, "factor": factor, "by": way}
        custody_log.append_access_event(session, "sign-in", actor=stored.name, **details)
    return token


def renew_session(row: SessionRow) -> str:
    """Give a session that was just confirmed another token, which is returned; the old one stops working.

    Raises :class:`UserError` if the session has ended meanwhile.
    """
    moment = now()
    with context.database().alone() as session:
        if not sessions.end_sessions(session, SessionRow.id == row.id):
            raise _not_signed_in()
        user = session.get_one(User, row.user_id)
        agent = request.user_agent.string
        token = sessions.start_session(session, user, _client_address(), agent, moment, row.way)
        renewed = session.get_one(SessionRow, sessions.hash_token(token))
        renewed.started = row.started  # renewing does not extend the maximum age
        renewed.confirmed = moment
    return token


def _not_signed_in() -> UserError:
    return UserError(401, gettext("You are not signed in."), gettext("Sign in, then try again."))


def _client_address() -> str:
    return plain_address(request.remote_addr or "")
