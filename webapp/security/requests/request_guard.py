"""Finds out who asks, and refuses what they may not do, before any view runs.

In this order: who it is (a token, a session's cookie or, without login, the person at this
machine), what the endpoint needs, whether they must first change a password they were given or set
up a second factor, whether role or token allow it, whether they must give their password again,
whether the form came from a page of ours, and whether they ask too often. A form that is refused
because its session has ended gets an answer with what was written into it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as Answer

from reports.text.translation.language import gettext
from webapp import this_app
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.http import interface_language, unsent_texts
from webapp.http.client_address import network
from webapp.http.error_pages import answer, wants_json
from webapp.http.problem_details import is_api
from webapp.intake.upload_request import this_request
from webapp.security import accounts as account_store
from webapp.security import api_tokens
from webapp.security.access.permissions import LOCAL, Asker, Need, Principal, login_is_on, need_of, refused
from webapp.security.requests import csrf
from webapp.security.requests.rate_limits import Rates, RepeatedRefusals
from webapp.security.sign_in import cookies, second_factor, sessions
from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.key_files import secret_key
from webapp.storage.tables import SessionRow, now

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER = "bearer"  # schemes are written in small letters or large ones (RFC 9110)
# What a proxy in front may ask for by itself, and pass on: it says nothing to this app.
_OF_PROXIES = frozenset({"basic", "digest", "negotiate", "ntlm"})
# A page left open asks by itself: for where something stands, and for pictures of live sessions.
_ASKED_BY_PAGES = ("state.json", ".jpg")


class FormRefused(UserError):
    """A form does not bring its session's token; the session it was made in may have ended."""

    def __init__(self) -> None:
        if wants_json():  # a script of a page that stayed open
            error = gettext("Somebody signed in since this page was opened, so nothing was saved.")
            remedy = gettext("Reload the page, then try again.")
        else:
            error = gettext("This form is not from a page of this session, so nothing was saved.")
            remedy = gettext("Reload the page it came from, and send it again.")
        super().__init__(403, error, remedy)


def install(app: Flask) -> None:
    """Have every request checked before its view, and let templates make form tokens."""
    app.extensions["secret"] = secret_key(app.extensions["settings"].data)
    app.extensions["rates"] = Rates()
    app.extensions["refusals"] = RepeatedRefusals()
    app.jinja_env.globals.update(csrf_token=csrf.csrf_token, csrf_input=csrf.csrf_input)
    app.before_request(_check)
    app.context_processor(lambda: {"who": g.get("principal"), "login_on": login_is_on()})


def _check() -> Answer | None:
    """Find out who asks, kept as ``g.principal`` and ``g.session``; None where the view may run.

    Otherwise the answer instead, or :class:`UserError` is raised: see the module's docstring.
    """
    g.principal = g.session = None
    if request.endpoint == "static":
        return None
    g.principal, g.session = _who_asks()
    if g.session is not None:
        interface_language.choose_of(g.session.user)
    if request.endpoint is None:
        return None  # no such address: the answer is the same for everybody
    need = need_of(current_app, request.endpoint)
    if need is None:
        raise UserError(
            403, gettext("This address is open to nobody."), gettext("It does not say whom it is for.")
        )
    if (instead := _refuse_unless_met(need)) is not None:
        return instead
    if request.method not in SAFE and g.session is not None:
        this_request().on_form = _check_form
        if request.headers.get(csrf.CSRF_HEADER) is not None or not need.takes_files:
            _check_form()
    if login_is_on():
        rates: Rates = current_app.extensions["rates"]
        who = g.principal.name if g.principal is not None else f"from {network(request.remote_addr or '')}"
        rates.count(who, need.permission, request.endpoint, request.method)
    return None


def _refuse_unless_met(need: Need) -> Answer | None:
    """None where who asks has what an endpoint needs.

    Otherwise the way to what is to be done first (sign in, change the password, set up a second factor, give
    the password again). Raises :class:`UserError` (403) where no such step helps: the role or token does not
    allow it, which goes into the custody log, or a token asks for what takes a password.
    """
    who: Principal | None = g.principal
    if need.asker == Asker.ANYBODY:
        return None
    if who is None:
        return _sign_in_first(need)
    row: SessionRow | None = g.session
    if row is not None and row.user.one_time and not need.first:
        return _go_first_to(
            "account.show",
            403,
            gettext("Your password was given to you by somebody else."),
            gettext("Change it first."),
        )
    if row is not None and not need.first and _lacks_factor(row):
        return _go_first_to(
            "second_factor.show",
            403,
            gettext("Your role needs a second factor."),
            gettext("Set it up first."),
        )
    if need.permission is not None and not who.may(need.permission):
        record_refusal("access refused", permission=need.permission)
        raise refused(need.permission)
    if need.confirmed and who.scopes is not None:
        raise UserError(
            403,
            gettext("An API token cannot give a password, which this needs."),
            gettext("Sign in with a browser."),
        )
    if need.confirmed and row is not None and now() - row.confirmed > sessions.CONFIRMED_FOR:
        return _go_first_to(
            "login.confirm",
            403,
            gettext("This needs your password again."),
            gettext("Confirm it on the account page."),
        )
    return None


def _lacks_factor(row: SessionRow) -> bool:
    """Whether the role needs a second factor and there is none; a provider asks for its own."""
    settings = this_app.settings()
    return (
        row.way == "password" and row.user.factor_since is None and second_factor.required(settings, row.user)
    )


def _check_form() -> None:
    """Raise :class:`FormRefused` unless the request brings its session's token."""
    this_request().on_form = None
    if not csrf.brings_token():
        record_refusal("form refused")
        raise FormRefused


def record_refusal(what: str, **details: str) -> None:
    """Put into the custody log that this request was refused; of many of one kind and person few."""
    repeated: RepeatedRefusals = current_app.extensions["refusals"]
    who = g.principal.name if g.principal is not None else network(request.remote_addr or "")
    times = repeated.count(who, what, *details.values())
    if times is None:
        return
    if times > 1:
        details["times"] = f"{times:,} within an hour"
    with this_app.database().begin() as session:
        custody_log.append_access_event(
            session, what, **details, method=request.method, path=request.path[:200]
        )


def _sign_in_first(need: Need) -> Answer:
    """What somebody gets who is not signed in: the page to do so or, for a program, 401."""
    if is_api():
        words = "No token came with this request, or one that does not work (any more)."
        return answer(401, words, f"Send “Authorization: Bearer …” with a token {api_tokens.MADE}.")
    if request.method not in SAFE and wants_json() and not need.first:  # a script of a page that stayed open
        response: Answer = answer(
            401,
            gettext("You are not signed in (any more), so nothing was saved."),
            gettext("Sign in in another tab, then reload this page and try again."),
        )
    elif request.method in SAFE or need.first:
        response = _go_first_to(
            "login.form", 401, gettext("You are not signed in."), gettext("Sign in, then try again.")
        )
    else:
        response = _nothing_saved()
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Reelproof"'
    return response


def _nothing_saved() -> Answer:
    """What a form gets whose session has ended: what was written into it, to be copied."""
    rates: Rates = current_app.extensions["rates"]
    rates.count(f"from {network(request.remote_addr or '')}", None)  # this reads a form of anybody
    texts = unsent_texts.written()
    remedy = gettext("Copy what you wrote, sign in, then send it again.")
    return answer(
        401,
        gettext("You are not signed in (any more), so nothing was saved."),
        remedy if texts else gettext("Sign in, then try again."),
        texts=texts,
        sign_in=url_for("login.form", next=_page_of_form()),
    )


def _go_first_to(endpoint: str, status: int, error: str, remedy: str) -> Answer:
    """Redirect to where something is to be done first, and from there back; for a program say it instead."""
    if wants_json() or is_api():
        return answer(status, error, remedy)
    back = request.full_path.rstrip("?") if request.method in SAFE else _page_of_form()
    return redirect(url_for(endpoint, next=back), 303)


def _page_of_form() -> str | None:
    return urlsplit(request.referrer or "").path or None


def _who_asks() -> tuple[Principal | None, SessionRow | None]:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    authorization = request.headers.get("Authorization", "")
    used = _scheme(authorization) == _BEARER or not request.path.endswith(_ASKED_BY_PAGES)
    if is_api() and _scheme(authorization) not in {"", _BEARER, *_OF_PROXIES}:
        return None, None  # a token sent in another way must not count as none: that may allow more
    cookie = request.cookies.get(cookies.cookie_name(cookies.SESSION), "")
    return identify(app, authorization, cookie, used=used)


def identify(
    app: Flask, authorization: str, cookie: str, *, used: bool
) -> tuple[Principal | None, SessionRow | None]:
    """Who a request is from, by two of its headers, and their session where it is one that tells.

    ``used``: the request shows that somebody is there, which is noted. Otherwise nothing is written, and so
    nobody else's writing is waited for.
    """
    settings: Settings = app.extensions["settings"]
    database: Database = app.extensions["database"]
    if _scheme(authorization) == _BEARER:
        token = authorization.strip()[len(_BEARER) :].strip()
        return api_tokens.recognise(database, token, login=settings.login, used=used), None
    if not settings.login:
        return LOCAL, None
    if not cookie:
        return None, None
    moment = now()
    with database.begin() as session:
        row = sessions.find(session, settings, cookie, moment)
        if row is None:
            return None, None
        who = account_store.principal(row.user)
    if used:
        sessions.touch(database, row, moment)
    return who, row


def _scheme(authorization: str) -> str:
    return authorization.strip().partition(" ")[0].lower()
