"""Signing in and out, and giving one's password again."""

from __future__ import annotations

import math
from datetime import timedelta

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.text.translation.language import N_, gettext
from webapp import this_app
from webapp.custody import log as custody_log
from webapp.custody.records import account_records
from webapp.http.client_address import plain_address
from webapp.security import accounts as account_store
from webapp.security.access.permissions import login_is_on, public, signed_in
from webapp.security.requests import request_guard
from webapp.security.sign_in import cookies, login_throttle, pending_sign_in, sessions
from webapp.security.sign_in.passwords import Passwords
from webapp.storage.tables import SessionRow, User, now

blueprint = Blueprint("login", __name__)

# The same for a wrong password, an unknown name and a disabled account.
_WRONG = N_(
    "Name and password do not belong together, or the account is disabled or its first password too old."
)


@blueprint.get("/login")
@public
def form() -> Response:
    """The form to sign in."""
    if g.principal is not None:
        return redirect(request_guard.own_address(request.args.get("next")))
    return page(200)


@blueprint.post("/login")
@public
def sign_in() -> Response:
    """Begin a session, or ask for the code of the second factor."""
    if not login_is_on():
        return redirect(url_for("upload.form"), 303)
    name = account_store.shortened(request.form.get("name", ""))
    user, wait = tried(name, request.form.get("password", ""))
    if wait:
        return _too_early(wait, name)
    if user is None:
        with this_app.database().begin() as session:
            custody_log.append_access_event(session, "sign-in refused", account=name)
        return page(401, name=name, problem=_WRONG)
    if user.factor_since is not None:
        response = redirect(url_for("second_factor.ask", next=request.form.get("next")), 303)
        pending_sign_in.set_cookie(response, user)
        return response
    return begin_session(user)


@blueprint.post("/logout")
@signed_in(first=True)
def sign_out() -> Response:
    """End this session."""
    onwards = url_for("login.form")
    if g.session is not None:
        if g.session.way == "provider":
            onwards = url_for("login.form", left="provider")
        with this_app.database().begin() as session:
            sessions.end(session, SessionRow.id == g.session.id)
            custody_log.append_access_event(session, "sign-out", account=g.principal.name)
    response = redirect(onwards, 303)
    cookies.clear_session_cookie(response)
    return response


@blueprint.get("/confirm")
@signed_in(first=True)
def confirm() -> Response:
    """The form to give one's password again before accounts are changed; or the way to the provider."""
    return page(200, again=True)


@blueprint.post("/confirm")
@signed_in(first=True)
def confirmed() -> Response:
    """Note that the password was given again; the session gets another token."""
    row: SessionRow | None = g.session
    if row is None:
        return redirect(request_guard.own_address(request.form.get("next")), 303)
    user, wait = tried(row.user.name, request.form.get("password", ""))
    if wait:
        return _too_early(wait, row.user.name, again=True)
    if user is None:
        with this_app.database().begin() as session:
            custody_log.append_access_event(session, "sign-in refused", account=row.user.name)
        return page(401, again=True, problem=gettext("This is not your password."))
    response = redirect(request_guard.own_address(request.form.get("next")), 303)
    cookies.set_session_cookie(response, user, renewed(row))
    return response


def begin_session(
    user: User, *, factor: str = "none", way: str = "password", onwards: str | None = None
) -> Response:
    """Sign somebody in who has shown who they are; whatever session the browser had ends."""
    moment = now()
    with this_app.database().begin() as session:
        if g.session is not None:
            sessions.end(session, SessionRow.id == g.session.id)
        sessions.forget_ended(session, this_app.settings(), moment)
        kept = session.get_one(User, user.id)
        token = sessions.start(session, kept, _address(), request.user_agent.string, moment, way)
        details = {"account": kept.name, "address": _address(), "factor": factor, "by": way}
        custody_log.append_access_event(session, "sign-in", actor=kept.name, **details)
    response = redirect(request_guard.own_address(onwards or request.values.get("next")), 303)
    cookies.set_session_cookie(response, user, token)
    return response


def renewed(row: SessionRow) -> str:
    """Another token for a session just confirmed: whoever knew the old one is out."""
    moment = now()
    with this_app.database().begin() as session:
        sessions.end(session, SessionRow.id == row.id)
        user = session.get_one(User, row.user_id)
        token = sessions.start(session, user, _address(), request.user_agent.string, moment, row.way)
        fresh = session.get_one(SessionRow, sessions.hashed(token))
        fresh.started = row.started  # it grows no younger
        fresh.confirmed = moment
    return token


def tried(name: str, password: str) -> tuple[User | None, timedelta]:
    """The account, if name and password belong together; or how long until the next try.

    Whatever checks a password uses this: all tries at an account are counted together, under its own name.
    Names that can be nobody's are counted as one.
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
        account_records.refuse_altered_account(session, session.get_one(User, user.id))
        login_throttle.forget(session, counted)
        if passwords.outdated(user.password):
            session.get_one(User, user.id).password = passwords.hash(password)
    return user, timedelta()


def _too_early(wait: timedelta, name: str, *, again: bool = False) -> Response:
    words, seconds = waiting(wait)
    response = page(429, again=again, name=name, problem=words)
    response.headers["Retry-After"] = seconds
    return response


def waiting(wait: timedelta, entries: str = N_("passwords")) -> tuple[str, str]:
    """What to say to somebody who has to wait before the next try, and the header Retry-After.

    ``entries``, a message, says what was wrong too often.
    """
    seconds = max(1, math.ceil(wait.total_seconds()))
    words = (
        f"{seconds} s" if seconds < 120 else gettext("%(minutes)s minutes", minutes=math.ceil(seconds / 60))
    )
    return gettext(
        "Too many wrong %(entries)s from here. Wait %(how_long)s, then try again.",
        entries=gettext(entries),
        how_long=words,
    ), str(seconds)


def page(status: int, *, again: bool = False, name: str = "", problem: str = "") -> Response:
    """The form to sign in, or to show ``again`` that one is there."""
    onwards = request.values.get("next", "")
    text = render_template(
        "pages/people/login.html",
        again=again,
        name=name,
        problem=problem,
        next=onwards,
        left=request.args.get("left") == "provider",
        provider=_offers_provider(),
        by_provider=g.session is not None and g.session.way == "provider",
    )
    return make_response(text, status)


def _offers_provider() -> bool:
    return this_app.settings().oidc_issuer is not None


def _address() -> str:
    return plain_address(request.remote_addr or "")
