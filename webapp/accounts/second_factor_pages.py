"""Pages for entering, setting up and removing the second factor."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from reports.language.translation import N_, gettext
from webapp import context
from webapp.accounts import second_factor, sessions, sign_in
from webapp.accounts import sessions as accounts_sessions
from webapp.accounts.account_pages import own_session
from webapp.accounts.login_pages import signed_in_response, waiting
from webapp.accounts.permissions import public, signed_in
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.storage.tables import SessionRow, User, now

blueprint = Blueprint("second_factor", __name__)

_WRONG = N_("This code is not right, was used before, or is too old.")


@blueprint.get("/login/code")
@public
def ask() -> Response:
    """The form for the code, after the password."""
    with context.database().begin() as session:
        user = sign_in.find_pending_user(session)
    return _code_page() if user is not None else redirect(url_for("login.form"), 303)


@blueprint.post("/login/code")
@public
def give() -> Response:
    """Begin the session if the code is right."""
    with context.database().begin() as session:
        user = sign_in.find_pending_user(session)
    if user is None:
        return redirect(url_for("login.form", next=request.form.get("next")), 303)
    way, wait = second_factor.check(
        context.database(), context.settings(), user.id, request.form.get("code", ""), now()
    )
    if wait:
        words, seconds = waiting(wait, N_("codes"))
        response = _code_page(words, 429)
        response.headers["Retry-After"] = seconds
        return response
    if way is None:
        with context.database().begin() as session:
            custody_log.append_access_event(session, "second factor refused", account=user.name)
        return _code_page(_WRONG, 401)
    response = signed_in_response(user, factor=way)
    sign_in.clear_pending_cookie(response)
    return response


@blueprint.get("/account/second-factor")
@signed_in(first=True)
def show() -> Response:
    """Whether there is one, and what can be done about it."""
    return _page()


@blueprint.post("/account/second-factor")
@signed_in(first=True, confirmed=True)
def begin() -> Response:
    """Show a new secret to be taken into an app."""
    row = own_session()
    with context.database().alone() as session:
        second_factor.begin(context.settings(), session.get_one(User, row.user_id))
    return _page(setting_up=True)


@blueprint.post("/account/second-factor/confirm")
@signed_in(first=True, confirmed=True)
def confirm() -> Response:
    """The first code: from now on one is asked for. All other sessions end."""
    row = own_session()
    if row.user.factor_since is not None:
        return redirect(url_for("second_factor.show"), 303)
    if problem := _refusal(row.user, first=True):
        return _page(problem, setting_up=True)
    with context.database().alone() as session:
        user = session.get_one(User, row.user_id)
        codes = second_factor.confirm(session, user)
        ended = sessions.end_sessions_of(session, user.id, row.id)
        custody_log.append_access_event(session, "second factor set up", account=user.name, sessions=ended)
    token = sign_in.renew_session(row)
    with context.database().begin() as session:  # forms of the page belong to the new session
        g.session = session.get_one(SessionRow, sessions.hash_token(token))
    response = _page(codes=codes, user=user)
    accounts_sessions.set_session_cookie(response, user, token)
    return response


@blueprint.post("/account/second-factor/codes")
@signed_in(first=True, confirmed=True)
def codes() -> Response:
    """New recovery codes; needs a code."""
    row = own_session()
    if problem := _refusal(row.user):
        return _page(problem)
    with context.database().alone() as session:
        made = second_factor.new_codes(session, session.get_one(User, row.user_id))
        custody_log.append_access_event(session, "recovery codes made", account=row.user.name)
    return _page(codes=made)


@blueprint.post("/account/second-factor/remove")
@signed_in(first=True, confirmed=True)
def remove() -> Response:
    """Remove it, where the role does not need one; needs a code."""
    row = own_session()
    if second_factor.required(context.settings(), row.user):
        raise UserError(
            403, gettext("Your role needs a second factor."), gettext("An administrator can reset it.")
        )
    if problem := _refusal(row.user):
        return _page(problem)
    with context.database().alone() as session:
        user = session.get_one(User, row.user_id)
        second_factor.remove(session, user)
        custody_log.append_access_event(session, "second factor removed", account=user.name)
    return redirect(url_for("second_factor.show"), 303)


def _refusal(user: User, *, first: bool = False) -> str:
    """Why the form's code is not taken; empty if it is, and used up then."""
    way, wait = second_factor.check(
        context.database(), context.settings(), user.id, request.form.get("code", ""), now(), first=first
    )
    if wait > timedelta():
        return waiting(wait, N_("codes"))[0]
    if way is None:
        with context.database().begin() as session:
            custody_log.append_access_event(session, "second factor refused", account=user.name)
        return _WRONG
    return ""


def _code_page(problem: str = "", status: int = 200) -> Response:
    onwards = request.values.get("next", "")
    return make_response(
        render_template("pages/people/login_code.html", problem=problem, next=onwards), status
    )


def _page(
    problem: str = "", *, setting_up: bool = False, codes: list[str] | None = None, user: User | None = None
) -> Response:
    with context.database().begin() as session:
        user = user or session.get_one(User, own_session().user_id)
        left = second_factor.codes_left(session, user)
    shown = setting_up and user.factor_secret is not None
    page = render_template(
        "pages/people/second_factor.html",
        user=user,
        left=left,
        codes=codes,
        problem=problem,
        needed=second_factor.required(context.settings(), user),
        picture=Markup(second_factor.qr_code(context.settings(), user)) if shown else None,  # noqa: S704
        secret=second_factor.secret(context.settings(), user) if shown else "",
    )
    return make_response(page, 400 if problem else 200)
