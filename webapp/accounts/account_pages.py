"""Pages of one's own account: password, language, sessions, API tokens."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.language.translation import LANGUAGES, gettext
from webapp import context
from webapp.accounts import sessions, sign_in, tokens
from webapp.accounts import sessions as accounts_sessions
from webapp.accounts import tokens as accounts_tokens
from webapp.accounts import users as account_store
from webapp.accounts.login_pages import waiting
from webapp.accounts.passwords import SHORTEST_PASSWORD, Passwords
from webapp.accounts.permissions import MEANINGS, PERMISSIONS, current, signed_in
from webapp.accounts.tokens import TokenError
from webapp.accounts.users import AccountError
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.storage.tables import SessionRow, User, now

# By what stands in the header User-Agent. Most browsers name others as well: the first that fits counts.
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
    """Browser and system, such as “Firefox, Windows”; what it calls itself where it is none of these."""
    browser, system = (_first(names, agent) for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(filter(None, (browser, system))) if browser else agent


def _first(names: dict[str, str], agent: str) -> str:
    return next((name for mark, name in names.items() if mark in agent), "")


account_blueprint = Blueprint("account", __name__, url_prefix="/account")


@account_blueprint.get("")
@signed_in(first=True)
def show(problem: UserError | None = None) -> str:
    """Name, role, the form to change the password, and the sessions."""
    row = own_session()
    with context.database().begin() as session:
        tokens = accounts_tokens.working(session, row.user_id)
        rows = sessions.list_sessions_of(session, context.settings(), row.user_id, now())
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


@account_blueprint.post("/password")
@signed_in(first=True)
@show_form_again(show)
def password() -> Response:
    """Change the password. All other sessions end, and this one gets another token."""
    row = own_session()
    kept: Passwords = current_app.extensions["passwords"]
    old, new = request.form.get("old", ""), request.form.get("new", "")
    user, wait = sign_in.check_password(row.user.name, old)
    if wait:
        words, seconds = waiting(wait)
        later = make_response(show(UserError(429, words, "")), 429)
        later.headers["Retry-After"] = seconds
        return later
    if user is None:
        with context.database().begin() as session:
            custody_log.append_access_event(session, "password change refused", account=row.user.name)
        raise _not_theirs()
    if new != request.form.get("again", ""):
        raise AccountError(gettext("The two new passwords differ."), "", field="again")
    if new == old:
        raise AccountError(gettext("The new password is the old one."), "", field="new")
    keep = request.form.get("tokens") != "revoke"
    with context.database().alone() as session:
        own = session.get_one(User, row.user_id)
        if sign_in.was_changed(user, own):
            raise _not_theirs()
        ended = account_store.set_password(
            session, kept, own, new, one_time=False, but=row.id, keep_tokens=keep
        )
        custody_log.append_access_event(session, "password changed", account=row.user.name, tokens=ended)
    response = redirect(url_for("account.show", changed=1), 303)
    accounts_sessions.set_session_cookie(response, row.user, sign_in.renew_session(row))
    return response


def _not_theirs() -> AccountError:
    return AccountError(gettext("This is not your password."), "", field="old")


@account_blueprint.post("/sessions/end")
@signed_in(first=True, confirmed=True)
def end_all() -> Response:
    """Sign out everywhere: ``but`` keeps this session."""
    row = own_session()
    keep = "but" in request.form
    with context.database().begin() as session:
        ended = sessions.end_sessions_of(session, row.user_id, row.id if keep else "")
        custody_log.append_access_event(session, "sign-out", account=row.user.name, sessions=ended)
    if keep:
        return redirect(url_for("account.show"), 303)
    response = redirect(url_for("login.form"), 303)
    accounts_sessions.clear_session_cookie(response)
    return response


@account_blueprint.post("/sessions/<session_id>/end")
@signed_in(first=True, confirmed=True)
def end_one(session_id: str) -> Response:
    """End one session of one's own."""
    row = own_session()
    with context.database().begin() as session:
        mine = (SessionRow.user_id == row.user_id, SessionRow.id == session_id)
        if not sessions.end_sessions(session, *mine):
            raise UserError(
                404, gettext("There is no such session."), gettext("It may have ended meanwhile.")
            )
        custody_log.append_access_event(session, "sign-out", account=row.user.name, sessions=1)
    return redirect(url_for("account.show"), 303)


@account_blueprint.post("/language")
@signed_in(first=True)
def language() -> Response:
    """The language of the pages; an empty one is the browser's."""
    row = own_session()
    code = request.form.get("language", "")
    if code and code not in LANGUAGES:
        raise UserError(
            400, gettext("There is no translation into this language."), gettext("Choose one of the list.")
        )
    with context.database().begin() as session:
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


tokens_blueprint = Blueprint("api_tokens", __name__, url_prefix="/account/tokens")


@tokens_blueprint.get("")
@signed_in()
def listing(problem: UserError | None = None) -> str:
    """The tokens there are, and the form to make one."""
    _refuse_tokens()
    return _page(problem=problem)


@tokens_blueprint.post("")
@signed_in(confirmed=True)
@show_form_again(listing)
def create() -> str:
    """Make a token; the answer is the only place it is ever shown."""
    _refuse_tokens()
    expires = _end_of(request.form.get("expires", ""))
    with context.database().alone() as session:
        made = tokens.make(
            session, current(), request.form.get("name", ""), request.form.getlist("scope"), expires
        )
    return _page(token=made.token)


@tokens_blueprint.post("/<token_id>/revoke")
@signed_in()
def revoke(token_id: str) -> Response:
    """End a token for good."""
    _refuse_tokens()
    with context.database().begin() as session:
        row = tokens.revoke(session, current(), token_id)
        if row is None:
            raise UserError(
                404, gettext("There is no such token of yours."), gettext("Look at the list of your tokens.")
            )
    return redirect(url_for("api_tokens.listing"), 303)


def _refuse_tokens() -> None:
    """A token must not make or end others: one that leaked could outlive its own end."""
    if current().scopes is not None:
        raise UserError(
            403, gettext("Tokens are made and revoked by people."), gettext("Sign in with a browser.")
        )


def _end_of(day: str) -> datetime | None:
    if not day.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(day.strip()), time(23, 59, 59), UTC)
    except ValueError:
        raise TokenError(
            gettext("The last day is no date."), gettext("Write one such as 2027-01-31."), field="expires"
        ) from None


def _page(*, token: str = "", problem: UserError | None = None) -> str:
    who = current()
    with context.database().begin() as session:
        own = tokens.listed(session, who)
    return render_template(
        "pages/people/api_tokens.html",
        tokens=own,
        now=now(),
        token=token,
        problem=problem,
        scopes=[each for each in tokens.SCOPES if who.may(each)],
        meanings=MEANINGS,
        suggested=(now() + timedelta(days=90)).date(),
        form=request.form,
    )
