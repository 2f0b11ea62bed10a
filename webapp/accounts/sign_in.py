"""Sign in: check the password, wait for the second factor, begin and renew the session."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import current_app, g, request
from sqlalchemy.orm import Session

from reports.language.translation import gettext
from webapp import context
from webapp.accounts import passwords as accounts_passwords
from webapp.accounts import second_factor, sessions
from webapp.accounts import sessions as accounts_sessions
from webapp.accounts import users as account_store
from webapp.accounts.passwords import Passwords
from webapp.custody import custody_log, people_records
from webapp.errors import UserError
from webapp.http.request_values import plain_address
from webapp.storage.key_files import mac
from webapp.storage.tables import SessionRow, User, now

_COOKIE = "reelproof-pending"
_LASTS = timedelta(minutes=5)


def set_pending_cookie(response: Any, user: User) -> None:
    """Remember in the browser that this account's password was right."""
    until = now() + _LASTS
    text = f"{user.id}.{int(until.timestamp())}"
    sessions.set_cookie(response, _COOKIE, f"{text}.{_seal(until, user)}", _LASTS)


def clear_pending_cookie(response: Any) -> None:
    """Forget it."""
    sessions.clear_cookie(response, _COOKIE)


def find_pending_user(session: Session) -> User | None:
    """The account whose password was right a moment ago, in this browser."""
    parts = request.cookies.get(sessions.cookie_name(_COOKIE), "").split(".")
    if len(parts) != 3 or not all(each.isascii() and each.isdigit() and len(each) < 12 for each in parts[:2]):
        return None
    until, user = datetime.fromtimestamp(int(parts[1]), UTC), session.get(User, int(parts[0]))
    if user is None or user.disabled is not None or user.factor_since is None or until < now():
        return None
    return user if hmac.compare_digest(parts[2].encode(), _seal(until, user).encode()) else None


def _seal(until: datetime, user: User) -> str:
    return mac(current_app.extensions["secret"], "second factor", second_factor.seal(until, user))


def check_password(name: str, password: str) -> tuple[User | None, timedelta]:
    """The account, if name and password belong together; else None, and how long until the next try.

    No wait means that the two do not belong together, or that nobody may sign in to the account. Whatever
    checks a password uses this: all tries at an account are counted together, under its own name. Names that
    can be nobody's are counted as one. Raises :class:`~webapp.custody.job_records.AlteredRecord` where the
    account is not what the custody log says of it.
    """
    passwords: Passwords = current_app.extensions["passwords"]
    with context.database().alone() as session:
        user = account_store.find(session, name)
        own = user.name if user is not None else account_store.possible(name)
        counted = accounts_passwords.throttle_buckets(own, _address(), accounts_sessions.known_device(own))
        if wait := accounts_passwords.throttle_attempt(session, counted, now()):
            return None, wait
    right = passwords.verify(user.password if user is not None else None, password)
    if user is None or not right or not account_store.usable(user, now()):
        return None, timedelta()
    with context.database().alone() as session:
        kept = session.get_one(User, user.id)
        people_records.refuse_altered_account(session, kept)
        if was_changed(user, kept):
            return None, timedelta()
        accounts_passwords.forget_attempts(session, counted)
        if passwords.outdated(user.password):
            kept.password = passwords.hash(password)
    return user, timedelta()


def was_changed(checked: User, kept: User) -> bool:
    """Whether an account, now as ``kept``, got another password or second factor after one was ``checked``.

    In that moment its owner or an administrator may have taken it from who knows the password.
    """
    return (checked.password_set, checked.factor_since) != (kept.password_set, kept.factor_since)


def begin_session(user: User, factor: str, way: str) -> str:
    """A session of somebody who has shown who they are; returns its token.

    Whatever session the browser had ends. ``factor`` is the second factor and ``way`` how they signed in, as
    the custody log has both. Raises :class:`UserError` where the account was changed meanwhile.
    """
    moment = now()
    with context.database().alone() as session:
        kept = session.get_one(User, user.id)
        if was_changed(user, kept):
            raise _signed_out()
        if g.session is not None:
            sessions.end_sessions(session, SessionRow.id == g.session.id)
        sessions.forget_ended_sessions(session, context.settings(), moment)
        token = sessions.start_session(session, kept, _address(), request.user_agent.string, moment, way)
        details = {"account": kept.name, "address": _address(), "factor": factor, "by": way}
        custody_log.append_access_event(session, "sign-in", actor=kept.name, **details)
    return token


def renew_session(row: SessionRow) -> str:
    """Another token for a session just confirmed, which is returned: whoever knew the old one is out.

    Raises :class:`UserError` where the session was ended meanwhile.
    """
    moment = now()
    with context.database().alone() as session:
        if not sessions.end_sessions(session, SessionRow.id == row.id):
            raise _signed_out()
        user = session.get_one(User, row.user_id)
        token = sessions.start_session(session, user, _address(), request.user_agent.string, moment, row.way)
        fresh = session.get_one(SessionRow, sessions.hash_token(token))
        fresh.started = row.started  # it grows no younger
        fresh.confirmed = moment
    return token


def _signed_out() -> UserError:
    return UserError(401, gettext("You are not signed in."), gettext("Sign in, then try again."))


def _address() -> str:
    return plain_address(request.remote_addr or "")
