"""Pages for signing in and out, and for entering one's password again."""

from __future__ import annotations

import math
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from language.translation import N_, gettext
from webapp import context
from webapp.accounts import sessions, users
from webapp.accounts.permissions import login_is_on, public, signed_in
from webapp.accounts.sign_in import begin_session, check_password, renew_session, set_pending_cookie
from webapp.custody import custody_log
from webapp.storage.tables import SessionRow, User

blueprint = Blueprint("login", __name__)

# The same for a wrong password, an unknown name and a disabled account.
_WRONG = N_("Name and password do not match, or the account is disabled or its first password has expired.")


@blueprint.get("/login")
@public
def form() -> Response:
    """Show the form to sign in."""
    if g.principal is not None:
        return redirect(local_url(request.args.get("next")))
    return login_page(200)


@blueprint.post("/login")
@public
def sign_in() -> Response:
    """Begin a session, or ask for the code of the second factor."""
    if not login_is_on():
        return redirect(url_for("upload.form"), 303)
    name = users.shorten_for_log(request.form.get("name", ""))
    user, wait = check_password(name, request.form.get("password", ""))
    if wait:
        return _wait_page(wait, name)
    if user is None:
        with context.database().begin() as session:
            custody_log.append_access_event(session, "sign-in refused", account=name)
        return login_page(401, name=name, problem=_WRONG)
    if user.factor_since is not None:
        response = redirect(url_for("second_factor.ask", next=request.form.get("next")), 303)
        set_pending_cookie(response, user)
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
    sessions.clear_session_cookie(response)
    return response


@blueprint.get("/confirm")
@signed_in(first=True)
def confirm() -> Response:
    """Show the form to enter one's password again, or the link to the provider."""
    return login_page(200, again=True)


@blueprint.post("/confirm")
@signed_in(first=True)
def confirmed() -> Response:
    """Mark the session as confirmed by the password, and give it another token."""
    row: SessionRow | None = g.session
    if row is None:
        return redirect(local_url(request.form.get("next")), 303)
    user, wait = check_password(row.user.name, request.form.get("password", ""))
    if wait:
        return _wait_page(wait, row.user.name, again=True)
    if user is None:
        with context.database().begin() as session:
            custody_log.append_access_event(session, "sign-in refused", account=row.user.name)
        return login_page(401, again=True, problem=gettext("This is not your password."))
    response = redirect(local_url(request.form.get("next")), 303)
    sessions.set_session_cookie(response, user, renew_session(row))
    return response


def signed_in_response(
    user: User, *, factor: str = "none", way: str = "password", onwards: str | None = None
) -> Response:
    """Begin a session for an authenticated user and redirect to the page they came for."""
    token = begin_session(user, factor, way)
    response = redirect(local_url(onwards or request.values.get("next")), 303)
    sessions.set_session_cookie(response, user, token)
    return response


def _wait_page(wait: timedelta, name: str, *, again: bool = False) -> Response:
    message, seconds = wait_message(wait)
    response = login_page(429, again=again, name=name, problem=message)
    response.headers["Retry-After"] = seconds
    return response


def wait_message(wait: timedelta, entries: str = N_("passwords")) -> tuple[str, str]:
    """Return the message about the wait until the next attempt, and the header Retry-After.

    ``entries``, a message id, names what was wrong too often.
    """
    seconds = max(1, math.ceil(wait.total_seconds()))
    duration = (
        f"{seconds} s" if seconds < 120 else gettext("%(minutes)s minutes", minutes=math.ceil(seconds / 60))
    )
    return gettext(
        "Too many wrong %(entries)s from here. Wait %(how_long)s, then try again.",
        entries=gettext(entries),
        how_long=duration,
    ), str(seconds)


def login_page(status: int, *, again: bool = False, name: str = "", problem: str = "") -> Response:
    """Render the form to sign in or, with ``again``, to confirm one's password."""
    text = render_template(
        "accounts/login.html",
        again=again,
        name=name,
        problem=problem,
        next=request.values.get("next", ""),
        left=request.args.get("left") == "provider",
        provider=context.settings().oidc_issuer is not None,
        by_provider=g.session is not None and g.session.way == "provider",
    )
    return make_response(text, status)


def local_url(text: str | None) -> str:
    """Return an address to continue at, or the start page if it belongs to another site."""
    address = text or ""
    # Checked before urlsplit, which normalises the host, however long.
    plain = address.startswith("/") and not address.startswith(("//", "/\\"))
    if not plain or any(ord(char) < 32 for char in address):
        return url_for("upload.form")
    parts = urlsplit(address)
    return url_for("upload.form") if parts.scheme or parts.netloc else address
