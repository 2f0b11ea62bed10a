"""Pages of one's own account: password, language, sessions, API tokens."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from language.translation import LANGUAGES, gettext
from webapp import context
from webapp.accounts import sessions, tokens, users
from webapp.accounts.login_pages import wait_message
from webapp.accounts.passwords import SHORTEST_PASSWORD, Passwords
from webapp.accounts.permissions import MEANINGS, PERMISSIONS, current, signed_in
from webapp.accounts.sign_in import check_password, renew_session, was_changed
from webapp.accounts.users import AccountError
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.storage.tables import SessionRow, User, now

account_blueprint = Blueprint("account", __name__, url_prefix="/account")
tokens_blueprint = Blueprint("api_tokens", __name__, url_prefix="/account/tokens")

# Parts of the header User-Agent. Most browsers name others as well: the first match counts.
_BROWSERS = {
    "Edg/": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def browser_name(agent: str) -> str:
    """Return browser and system, such as “Firefox, Windows”, or ``agent`` itself if they are unknown."""
    browser, system = (
        next((name for part, name in names.items() if part in agent), "") for names in (_BROWSERS, _SYSTEMS)
    )
    return ", ".join(filter(None, (browser, system))) if browser else agent


@account_blueprint.get("")
@signed_in(first=True)
def show(problem: UserError | None = None) -> str:
    """Show name, role, sessions, and the form to change the password."""
    row = own_session()
    with context.database().begin() as session:
        token_count = tokens.count_active(session, row.user_id)
        rows = sessions.list_sessions_of(session, context.settings(), row.user_id, now())
    return render_template(
        "accounts/account.html",
        user=row.user,
        this_one=row.id,
        sessions=rows,
        browser_name=browser_name,
        permissions=[permission for permission in MEANINGS if permission in PERMISSIONS[current().role]],
        meanings=MEANINGS,
        problem=problem,
        least=SHORTEST_PASSWORD,
        tokens=token_count,
    )


@account_blueprint.post("/password")
@signed_in(first=True)
@show_form_again(show)
def password() -> Response:
    """Change the password. All other sessions end, and this one gets another token."""
    row = own_session()
    passwords: Passwords = current_app.extensions["passwords"]
    old, new = request.form.get("old", ""), request.form.get("new", "")
    user, wait = check_password(row.user.name, old)
    if wait:
        message, seconds = wait_message(wait)
        response = make_response(show(UserError(429, message, "")), 429)
        response.headers["Retry-After"] = seconds
        return response
    if user is None:
        with context.database().begin() as session:
            custody_log.append_access_event(session, "password change refused", account=row.user.name)
        raise _wrong_password()
    if new != request.form.get("again", ""):
        raise AccountError(gettext("The two new passwords differ."), "", field="again")
    if new == old:
        raise AccountError(gettext("The new password is the old one."), "", field="new")
    keep_tokens = request.form.get("tokens") != "revoke"
    with context.database().alone() as session:
        stored = session.get_one(User, row.user_id)
        if was_changed(user, stored):
            raise _wrong_password()
        revoked = users.set_password(
            session, passwords, stored, new, one_time=False, except_session=row.id, keep_tokens=keep_tokens
        )
        custody_log.append_access_event(session, "password changed", account=row.user.name, tokens=revoked)
    changed = redirect(url_for("account.show", changed=1), 303)
    sessions.set_session_cookie(changed, row.user, renew_session(row))
    return changed


def _wrong_password() -> AccountError:
    return AccountError(gettext("This is not your password."), "", field="old")


@account_blueprint.post("/sessions/end")
@signed_in(first=True, confirmed=True)
def end_all() -> Response:
    """Sign out everywhere or, with ``but`` in the form, everywhere else."""
    row = own_session()
    keep = "but" in request.form
    with context.database().begin() as session:
        ended = sessions.end_sessions_of(session, row.user_id, row.id if keep else "")
        custody_log.append_access_event(session, "sign-out", account=row.user.name, sessions=ended)
    if keep:
        return redirect(url_for("account.show"), 303)
    response = redirect(url_for("login.form"), 303)
    sessions.clear_session_cookie(response)
    return response


@account_blueprint.post("/sessions/<session_id>/end")
@signed_in(first=True, confirmed=True)
def end_one(session_id: str) -> Response:
    """End one of one's own sessions."""
    row = own_session()
    with context.database().begin() as session:
        if not sessions.end_sessions(session, SessionRow.user_id == row.user_id, SessionRow.id == session_id):
            raise UserError(
                404, gettext("There is no such session."), gettext("It may have ended in the meantime.")
            )
        custody_log.append_access_event(session, "sign-out", account=row.user.name, sessions=1)
    return redirect(url_for("account.show"), 303)


@account_blueprint.post("/language")
@signed_in(first=True)
def language() -> Response:
    """Set the language of the pages; an empty one is the browser's."""
    row = own_session()
    code = request.form.get("language", "")
    if code and code not in LANGUAGES:
        raise UserError(
            400,
            gettext("There is no translation into this language."),
            gettext("Choose one from the list."),
        )
    with context.database().begin() as session:
        session.get_one(User, row.user_id).language = code
    return redirect(url_for("account.show"), 303)


def own_session() -> SessionRow:
    """Return the caller's session; raise 404 without login."""
    row: SessionRow | None = g.session
    if row is None:
        raise UserError(
            404,
            gettext("There are no accounts: this Reelproof has no sign-in."),
            gettext("Go back to the library."),
        )
    return row


@tokens_blueprint.get("")
@signed_in()
def listing(problem: UserError | None = None) -> str:
    """List the tokens, with the form to create one."""
    _refuse_tokens()
    return _tokens_page(problem=problem)


@tokens_blueprint.post("")
@signed_in(confirmed=True)
@show_form_again(listing)
def create() -> str:
    """Create a token; this response is the only place where it is ever shown."""
    _refuse_tokens()
    expires = _end_of_day(request.form.get("expires", ""))
    with context.database().alone() as session:
        new = tokens.create(
            session, current(), request.form.get("name", ""), request.form.getlist("scope"), expires
        )
    return _tokens_page(token=new.token)


@tokens_blueprint.post("/<token_id>/revoke")
@signed_in()
def revoke(token_id: str) -> Response:
    """Revoke a token."""
    _refuse_tokens()
    with context.database().begin() as session:
        if tokens.revoke(session, current(), token_id) is None:
            raise UserError(
                404, gettext("There is no such token of yours."), gettext("Look at the list of your tokens.")
            )
    return redirect(url_for("api_tokens.listing"), 303)


def _refuse_tokens() -> None:
    # A token must not create or revoke others: a leaked one could outlive its own end.
    if current().scopes is not None:
        raise UserError(
            403, gettext("Tokens are made and revoked by people."), gettext("Sign in with a browser.")
        )


def _end_of_day(day: str) -> datetime | None:
    if not day.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(day.strip()), time(23, 59, 59), UTC)
    except ValueError:
        raise tokens.TokenError(
            gettext("The last day is not a date."), gettext("Write one such as 2027-01-31."), field="expires"
        ) from None


def _tokens_page(*, token: str = "", problem: UserError | None = None) -> str:
    principal = current()
    with context.database().begin() as session:
        rows = tokens.list_tokens(session, principal)
    return render_template(
        "accounts/api_tokens.html",
        tokens=rows,
        now=now(),
        token=token,
        problem=problem,
        scopes=[scope for scope in tokens.SCOPES if principal.may(scope)],
        meanings=MEANINGS,
        suggested=(now() + timedelta(days=90)).date(),
        form=request.form,
    )
