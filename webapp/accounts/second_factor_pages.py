"""Pages for entering, setting up and removing the second factor."""

from __future__ import annotations

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from language.translation import N_, gettext
from webapp import context
from webapp.accounts import second_factor, sessions
from webapp.accounts.account_pages import own_session
from webapp.accounts.login_pages import signed_in_response, wait_message
from webapp.accounts.permissions import public, signed_in
from webapp.accounts.sign_in import clear_pending_cookie, find_pending_user, renew_session
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.storage.tables import SessionRow, User, now

blueprint = Blueprint("second_factor", __name__)


@blueprint.get("/login/code")
@public
def ask() -> Response:
    """Show the form for the code, after the password."""
    with context.database().begin() as session:
        user = find_pending_user(session)
    return _code_page() if user is not None else redirect(url_for("login.form"), 303)


@blueprint.post("/login/code")
@public
def give() -> Response:
    """Begin the session if the code is right."""
    with context.database().begin() as session:
        user = find_pending_user(session)
    if user is None:
        return redirect(url_for("login.form", next=request.form.get("next")), 303)
    way, refusal, retry_after = _check_code(user)
    if way is None:
        response = _code_page(refusal, 429 if retry_after else 401)
        if retry_after:
            response.headers["Retry-After"] = retry_after
        return response
    response = signed_in_response(user, factor=way)
    clear_pending_cookie(response)
    return response


@blueprint.get("/account/second-factor")
@signed_in(first=True)
def show() -> Response:
    """Show the state of the second factor, and the forms to change it."""
    return _page()


@blueprint.post("/account/second-factor")
@signed_in(first=True, confirmed=True)
def begin() -> Response:
    """Show a new secret for an authenticator app."""
    row = own_session()
    with context.database().alone() as session:
        second_factor.begin(context.settings(), session.get_one(User, row.user_id))
    return _page(setting_up=True)


@blueprint.post("/account/second-factor/confirm")
@signed_in(first=True, confirmed=True)
def confirm() -> Response:
    """Put the second factor into effect with its first code. All other sessions end."""
    row = own_session()
    if row.user.factor_since is not None:
        return redirect(url_for("second_factor.show"), 303)
    way, refusal, _retry_after = _check_code(row.user, first=True)
    if way is None:
        return _page(refusal, setting_up=True)
    with context.database().alone() as session:
        user = session.get_one(User, row.user_id)
        codes = second_factor.confirm(session, user)
        ended = sessions.end_sessions_of(session, user.id, row.id)
        custody_log.append_access_event(session, "second factor set up", account=user.name, sessions=ended)
    token = renew_session(row)
    with context.database().begin() as session:  # the page's forms belong to the renewed session
        g.session = session.get_one(SessionRow, sessions.hash_token(token))
    response = _page(codes=codes, user=user)
    sessions.set_session_cookie(response, user, token)
    return response


@blueprint.post("/account/second-factor/codes")
@signed_in(first=True, confirmed=True)
def codes() -> Response:
    """Create new recovery codes; requires a code."""
    row = own_session()
    way, refusal, _retry_after = _check_code(row.user)
    if way is None:
        return _page(refusal)
    with context.database().alone() as session:
        new_codes = second_factor.create_recovery_codes(session, session.get_one(User, row.user_id))
        custody_log.append_access_event(session, "recovery codes made", account=row.user.name)
    return _page(codes=new_codes)


@blueprint.post("/account/second-factor/remove")
@signed_in(first=True, confirmed=True)
def remove() -> Response:
    """Remove the second factor if the role does not require one; requires a code."""
    row = own_session()
    if second_factor.required(context.settings(), row.user):
        raise UserError(
            403, gettext("Your role needs a second factor."), gettext("An administrator can reset it.")
        )
    way, refusal, _retry_after = _check_code(row.user)
    if way is None:
        return _page(refusal)
    with context.database().alone() as session:
        user = session.get_one(User, row.user_id)
        second_factor.remove(session, user)
        custody_log.append_access_event(session, "second factor removed", account=user.name)
    return redirect(url_for("second_factor.show"), 303)


def _check_code(user: User, *, first: bool = False) -> tuple[second_factor.Way | None, str, str]:
    """Use up the form's code; return its kind or, without one, the refusal and the header Retry-After."""
    way, wait = second_factor.check_code(
        context.database(), context.settings(), user.id, request.form.get("code", ""), now(), first=first
    )
    if wait:
        return None, *wait_message(wait, N_("codes"))
    if way is not None:
        return way, "", ""
    with context.database().begin() as session:
        custody_log.append_access_event(session, "second factor refused", account=user.name)
    return None, N_("This code is not right, was used before, or is too old."), ""


def _code_page(problem: str = "", status: int = 200) -> Response:
    onwards = request.values.get("next", "")
    return make_response(render_template("accounts/login_code.html", problem=problem, next=onwards), status)


def _page(
    problem: str = "", *, setting_up: bool = False, codes: list[str] | None = None, user: User | None = None
) -> Response:
    settings = context.settings()
    with context.database().begin() as session:
        user = user or session.get_one(User, own_session().user_id)
        left = second_factor.count_recovery_codes(session, user)
    shows_secret = setting_up and user.factor_secret is not None
    page = render_template(
        "accounts/second_factor.html",
        user=user,
        left=left,
        codes=codes,
        problem=problem,
        needed=second_factor.required(settings, user),
        picture=Markup(second_factor.qr_code(settings, user)) if shows_secret else None,  # noqa: S704
        secret=second_factor.secret(settings, user) if shows_secret else "",
    )
    return make_response(page, 400 if problem else 200)
