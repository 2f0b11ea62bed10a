"""Pages for signing in and out, and for entering one's password again."""

from __future__ import annotations

import math
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.language.translation import N_, gettext
from webapp import context
from webapp.accounts import sessions
from webapp.accounts import sessions as accounts_sessions
from webapp.accounts import sign_in as accounts_sign_in
from webapp.accounts import users as account_store
from webapp.accounts.permissions import login_is_on, public, signed_in
from webapp.custody import custody_log
from webapp.storage.tables import SessionRow, User

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
        return redirect(own_address(request.args.get("next")))
    return page(200)


@blueprint.post("/login")
@public
def sign_in() -> Response:
    """Begin a session, or ask for the code of the second factor."""
    if not login_is_on():
        return redirect(url_for("upload.form"), 303)
    name = account_store.shortened(request.form.get("name", ""))
    user, wait = accounts_sign_in.check_password(name, request.form.get("password", ""))
    if wait:
        return _too_early(wait, name)
    if user is None:
        with context.database().begin() as session:
            custody_log.append_access_event(session, "sign-in refused", account=name)
        return page(401, name=name, problem=_WRONG)
    if user.factor_since is not None:
        response = redirect(url_for("second_factor.ask", next=request.form.get("next")), 303)
        accounts_sign_in.set_pending_cookie(response, user)
        return response
    return signed_in_response(user)


@blueprint.post("/logout")
@signed_in(first=True)
def sign_out() -> Response:
    """End this session."""
    onwards = url_for("login.form")
    if g.session is not None:
        if g.session.way == "provider":
            onwards = url_for("login.form", left="provider")
        with context.database().begin() as session:
            sessions.end_sessions(session, SessionRow.id == g.session.id)
            custody_log.append_access_event(session, "sign-out", account=g.principal.name)
    response = redirect(onwards, 303)
    accounts_sessions.clear_session_cookie(response)
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
        return redirect(own_address(request.form.get("next")), 303)
    user, wait = accounts_sign_in.check_password(row.user.name, request.form.get("password", ""))
    if wait:
        return _too_early(wait, row.user.name, again=True)
    if user is None:
        with context.database().begin() as session:
            custody_log.append_access_event(session, "sign-in refused", account=row.user.name)
        return page(401, again=True, problem=gettext("This is not your password."))
    response = redirect(own_address(request.form.get("next")), 303)
    accounts_sessions.set_session_cookie(response, user, accounts_sign_in.renew_session(row))
    return response


def signed_in_response(
    user: User, *, factor: str = "none", way: str = "password", onwards: str | None = None
) -> Response:
    """Begin a session of somebody who has shown who they are, and go on to where they were bound."""
    token = accounts_sign_in.begin_session(user, factor, way)
    response = redirect(own_address(onwards or request.values.get("next")), 303)
    accounts_sessions.set_session_cookie(response, user, token)
    return response


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


def own_address(text: str | None) -> str:
    """An address of this app to go on to, or the start page: never one of another site."""
    address = text or ""
    plain = address.startswith("/") and not address.startswith(("//", "/\\"))
    if not plain or any(ord(char) < 32 for char in address):  # urlsplit normalises a host, however long
        return url_for("upload.form")
    parts = urlsplit(address)
    return url_for("upload.form") if parts.scheme or parts.netloc else address


def _offers_provider() -> bool:
    return context.settings().oidc_issuer is not None
