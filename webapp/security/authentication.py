"""Who a browser's request shows somebody to be: password compared, session begun or given another token.

All need a request. The forms are in :mod:`webapp.pages.people`, the parts this puts together in ``sign_in``
beside it. Who a later request is from, by its cookie or token, is found out by
:mod:`webapp.security.requests.request_guard`.
"""

from __future__ import annotations

from datetime import timedelta

from flask import current_app, g, request

from reports.text.translation.language import gettext
from webapp import this_app
from webapp.custody import log as custody_log
from webapp.custody.records import account_records
from webapp.errors import UserError
from webapp.http.client_address import plain_address
from webapp.security import accounts as account_store
from webapp.security.sign_in import cookies, login_throttle, sessions
from webapp.security.sign_in.passwords import Passwords
from webapp.storage.tables import SessionRow, User, now


def check_password(name: str, password: str) -> tuple[User | None, timedelta]:
    """The account, if name and password belong together; else None, and how long until the next try.

    No wait means that the two do not belong together, or that nobody may sign in to the account. Whatever
    checks a password uses this: all tries at an account are counted together, under its own name. Names that
    can be nobody's are counted as one. Raises :class:`~webapp.custody.altered.AlteredRecord` where the
    account is not what the custody log says of it.
    """
    passwords: Passwords = current_app.extensions["passwords"]
    with this_app.database().alone() as session:
        user = account_store.find(session, name)
        own = user.name if user is not None else account_store.possible(name)
        counted = login_throttle.buckets(own, _address(), cookies.known_device(own))
        if wait := login_throttle.try_now(session, counted, now()):
            return None, wait
    right = passwords.verify(user.password if user is not None else None, password)
    if user is None or not right or not account_store.usable(user, now()):
        return None, timedelta()
    with this_app.database().alone() as session:
        kept = session.get_one(User, user.id)
        account_records.refuse_altered_account(session, kept)
        if was_changed(user, kept):
            return None, timedelta()
        login_throttle.forget(session, counted)
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
    with this_app.database().alone() as session:
        kept = session.get_one(User, user.id)
        if was_changed(user, kept):
            raise _signed_out()
        if g.session is not None:
            sessions.end(session, SessionRow.id == g.session.id)
        sessions.forget_ended(session, this_app.settings(), moment)
        token = sessions.start(session, kept, _address(), request.user_agent.string, moment, way)
        details = {"account": kept.name, "address": _address(), "factor": factor, "by": way}
        custody_log.append_access_event(session, "sign-in", actor=kept.name, **details)
    return token


def renew_session(row: SessionRow) -> str:
    """Another token for a session just confirmed, which is returned: whoever knew the old one is out.

    Raises :class:`UserError` where the session was ended meanwhile.
    """
    moment = now()
    with this_app.database().alone() as session:
        if not sessions.end(session, SessionRow.id == row.id):
            raise _signed_out()
        user = session.get_one(User, row.user_id)
        token = sessions.start(session, user, _address(), request.user_agent.string, moment, row.way)
        fresh = session.get_one(SessionRow, sessions.hashed(token))
        fresh.started = row.started  # it grows no younger
        fresh.confirmed = moment
    return token


def _signed_out() -> UserError:
    return UserError(401, gettext("You are not signed in."), gettext("Sign in, then try again."))


def _address() -> str:
    return plain_address(request.remote_addr or "")
