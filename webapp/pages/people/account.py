"""One's own account: the password, and where one is signed in."""

from __future__ import annotations

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.text.translation.language import LANGUAGES, gettext
from webapp import this_app
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.pages.form_again import form_again
from webapp.pages.people.browser_names import browser_name
from webapp.pages.people.login import waiting
from webapp.security import accounts as account_store
from webapp.security import api_tokens, authentication
from webapp.security.access.permissions import MEANINGS, PERMISSIONS, current, signed_in
from webapp.security.accounts import AccountError
from webapp.security.sign_in import cookies, sessions
from webapp.security.sign_in.passwords import SHORTEST_PASSWORD, Passwords
from webapp.storage.tables import SessionRow, User, now

blueprint = Blueprint("account", __name__, url_prefix="/account")


@blueprint.get("")
@signed_in(first=True)
def show(problem: UserError | None = None) -> str:
    """Name, role, the form to change the password, and the sessions."""
    row = own_session()
    with this_app.database().begin() as session:
        tokens = api_tokens.working(session, row.user_id)
        rows = sessions.of_user(session, this_app.settings(), row.user_id, now())
    return render_template(
        "pages/people/account.html",
        user=row.user,
        this_one=row.id,
        sessions=rows,
        browser_name=browser_name,
        permissions=[each for each in MEANINGS if each in PERMISSIONS[current().role]],
        meanings=MEANINGS,
        problem=problem,
        least=SHORTEST_PASSWORD,
        tokens=tokens,
    )


@blueprint.post("/password")
@signed_in(first=True)
@form_again(show)
def password() -> Response:
    """Change the password. All other sessions end, and this one gets another token."""
    row = own_session()
    kept: Passwords = current_app.extensions["passwords"]
    old, new = request.form.get("old", ""), request.form.get("new", "")
    user, wait = authentication.check_password(row.user.name, old)
    if wait:
        words, seconds = waiting(wait)
        later = make_response(show(UserError(429, words, "")), 429)
        later.headers["Retry-After"] = seconds
        return later
    if user is None:
        with this_app.database().begin() as session:
            custody_log.append_access_event(session, "password change refused", account=row.user.name)
        raise _not_theirs()
    if new != request.form.get("again", ""):
        raise AccountError(gettext("The two new passwords differ."), "", field="again")
    if new == old:
        raise AccountError(gettext("The new password is the old one."), "", field="new")
    keep = request.form.get("tokens") != "revoke"
    with this_app.database().alone() as session:
        own = session.get_one(User, row.user_id)
        if authentication.was_changed(user, own):
            raise _not_theirs()
        ended = account_store.set_password(
            session, kept, own, new, one_time=False, but=row.id, keep_tokens=keep
        )
        custody_log.append_access_event(session, "password changed", account=row.user.name, tokens=ended)
    response = redirect(url_for("account.show", changed=1), 303)
    cookies.set_session_cookie(response, row.user, authentication.renew_session(row))
    return response


def _not_theirs() -> AccountError:
    return AccountError(gettext("This is not your password."), "", field="old")


@blueprint.post("/sessions/end")
@signed_in(first=True, confirmed=True)
def end_all() -> Response:
    """Sign out everywhere: ``but`` keeps this session."""
    row = own_session()
    keep = "but" in request.form
    with this_app.database().begin() as session:
        ended = sessions.end_of_user(session, row.user_id, row.id if keep else "")
        custody_log.append_access_event(session, "sign-out", account=row.user.name, sessions=ended)
    if keep:
        return redirect(url_for("account.show"), 303)
    response = redirect(url_for("login.form"), 303)
    cookies.clear_session_cookie(response)
    return response


@blueprint.post("/sessions/<session_id>/end")
@signed_in(first=True, confirmed=True)
def end_one(session_id: str) -> Response:
    """End one session of one's own."""
    row = own_session()
    with this_app.database().begin() as session:
        mine = (SessionRow.user_id == row.user_id, SessionRow.id == session_id)
        if not sessions.end(session, *mine):
            raise UserError(
                404, gettext("There is no such session."), gettext("It may have ended meanwhile.")
            )
        custody_log.append_access_event(session, "sign-out", account=row.user.name, sessions=1)
    return redirect(url_for("account.show"), 303)


@blueprint.post("/language")
@signed_in(first=True)
def language() -> Response:
    """The language of the pages; an empty one is the browser's."""
    row = own_session()
    code = request.form.get("language", "")
    if code and code not in LANGUAGES:
        raise UserError(
            400, gettext("There is no translation into this language."), gettext("Choose one of the list.")
        )
    with this_app.database().begin() as session:
        session.get_one(User, row.user_id).language = code
    return redirect(url_for("account.show"), 303)


def own_session() -> SessionRow:
    """The session of who asks; 404 where nobody signs in."""
    row: SessionRow | None = g.session
    if row is None:
        raise UserError(
            404,
            gettext("There is no account here: nobody signs in to this Reelproof."),
            gettext("Go back to the library."),
        )
    return row
