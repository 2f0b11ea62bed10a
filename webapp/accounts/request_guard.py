"""Identify the caller of each request and refuse what they may not do, before any view runs."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import Flask, current_app, g, redirect, request, url_for
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as Answer

from reports.language.translation import gettext
from webapp import context
from webapp.accounts import second_factor, sessions, tokens
from webapp.accounts import sessions as accounts_sessions
from webapp.accounts import users as account_store
from webapp.accounts.permissions import (
    LOCAL,
    Asker,
    Need,
    Permission,
    Principal,
    login_is_on,
    permission_error,
    requirement_of,
)
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http import error_responses, language, security
from webapp.http.error_responses import error_response, is_api, wants_json
from webapp.http.request_values import client_network
from webapp.http.uploads import current_request
from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.key_files import secret_key
from webapp.storage.tables import SessionRow, now

# A page that follows three analyses asks five times a second; pictures and video come in bursts.
_ANYTHING = "3000/minute"
_ONE_ENTRY_FOR = 3600.0  # seconds in which refusals are counted together
_MOST_KINDS = 10_000  # before old ones are forgotten
_DEAR: dict[Permission | None, str] = {
    Permission.EXPORT: "120/minute",  # a report may have to be rendered, a bundle packed
    Permission.ANALYSE: "120/minute",  # where work is started, by POST: a large file comes in many parts
    Permission.CONFIGURE: "30/minute",
    Permission.ADMINISTER: "60/minute",
}
# By endpoint
_DEAR_FORMS = {"account.password": "10/minute"}  # how soon a password is guessed takes a second to tell


class RepeatedRefusals:
    """Which of many refusals of one kind get an entry in the log, which nobody can remove again.

    Within an hour the first, the tenth, the hundredth, and so on.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ...], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def count(self, *kind: str) -> int | None:
        """How many there have been with this one, if it is to be recorded; otherwise None."""
        with self._lock:
            moment = time.monotonic()
            since, before = self._counts.get(kind, (moment, 0))
            if moment - since >= _ONE_ENTRY_FOR:
                since, before = moment, 0
            if len(self._counts) >= _MOST_KINDS:
                self._counts = {
                    key: value for key, value in self._counts.items() if moment - value[0] < _ONE_ENTRY_FOR
                }
            self._counts[kind] = since, before + 1
            return before + 1 if str(before + 1).strip("0") == "1" else None


class RateLimitExceeded(UserError):
    """Somebody asks more often than they may."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            429,
            gettext("Too many requests in a short time."),
            gettext("Wait %(seconds)s s, then try again.", seconds=seconds),
        )
        self.retry_after = seconds


class Rates:
    """Counts requests by person and by what they are for."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._all = parse(_ANYTHING)
        self._dear: dict[Permission | None, RateLimitItem] = {p: parse(text) for p, text in _DEAR.items()}
        self._forms = {endpoint: parse(text) for endpoint, text in _DEAR_FORMS.items()}

    def count(
        self, who: str, permission: Permission | None, endpoint: str = "", method: str = "POST"
    ) -> None:
        """Count a request; raises :class:`RateLimitExceeded`."""
        dear = permission != Permission.ANALYSE or method == "POST"
        limits = (
            (self._all, "all"),
            (self._dear.get(permission) if dear else None, str(permission)),
            (self._forms.get(endpoint), endpoint),
        )
        for item, key in limits:
            if item is not None and not self._limiter.hit(item, who, key):
                resets = self._limiter.get_window_stats(item, who, key).reset_time
                raise RateLimitExceeded(max(1, math.ceil(resets - time.time())))


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
    app.jinja_env.globals.update(csrf_token=security.csrf_token, csrf_input=security.csrf_input)
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
        language.choose_language(g.session.user)
    if request.endpoint is None:
        return None  # no such address: the answer is the same for everybody
    need = requirement_of(current_app, request.endpoint)
    if need is None:
        raise UserError(
            403, gettext("This address is open to nobody."), gettext("It does not say whom it is for.")
        )
    if (instead := _refuse_unless_met(need)) is not None:
        return instead
    if request.method not in SAFE and g.session is not None:
        current_request().on_form = _check_form
        if request.headers.get(security.CSRF_HEADER) is not None or not need.takes_files:
            _check_form()
    if login_is_on():
        rates: Rates = current_app.extensions["rates"]
        who = (
            g.principal.name
            if g.principal is not None
            else f"from {client_network(request.remote_addr or '')}"
        )
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
        raise permission_error(need.permission)
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
    settings = context.settings()
    return (
        row.way == "password" and row.user.factor_since is None and second_factor.required(settings, row.user)
    )


def _check_form() -> None:
    """Raise :class:`FormRefused` unless the request brings its session's token."""
    current_request().on_form = None
    if not security.has_csrf_token():
        record_refusal("form refused")
        raise FormRefused


def record_refusal(what: str, **details: str) -> None:
    """Put into the custody log that this request was refused; of many of one kind and person few."""
    repeated: RepeatedRefusals = current_app.extensions["refusals"]
    who = g.principal.name if g.principal is not None else client_network(request.remote_addr or "")
    times = repeated.count(who, what, *details.values())
    if times is None:
        return
    if times > 1:
        details["times"] = f"{times:,} within an hour"
    with context.database().begin() as session:
        custody_log.append_access_event(
            session, what, **details, method=request.method, path=request.path[:200]
        )


def _sign_in_first(need: Need) -> Answer:
    """What somebody gets who is not signed in: the page to do so or, for a program, 401."""
    if is_api():
        words = "No token came with this request, or one that does not work (any more)."
        return error_response(401, words, f"Send “Authorization: Bearer …” with a token {tokens.MADE}.")
    if request.method not in SAFE and wants_json() and not need.first:  # a script of a page that stayed open
        response: Answer = error_response(
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
    rates.count(f"from {client_network(request.remote_addr or '')}", None)  # this reads a form of anybody
    texts = error_responses.unsent_texts()
    remedy = gettext("Copy what you wrote, sign in, then send it again.")
    return error_response(
        401,
        gettext("You are not signed in (any more), so nothing was saved."),
        remedy if texts else gettext("Sign in, then try again."),
        texts=texts,
        sign_in=url_for("login.form", next=_page_of_form()),
    )


def _go_first_to(endpoint: str, status: int, error: str, remedy: str) -> Answer:
    """Redirect to where something is to be done first, and from there back; for a program say it instead."""
    if wants_json() or is_api():
        return error_response(status, error, remedy)
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
    cookie = request.cookies.get(accounts_sessions.cookie_name(accounts_sessions.SESSION_COOKIE), "")
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
        return tokens.recognise(database, token, login=settings.login, used=used), None
    if not settings.login:
        return LOCAL, None
    if not cookie:
        return None, None
    moment = now()
    with database.begin() as session:
        row = sessions.find_session(session, settings, cookie, moment)
        if row is None:
            return None, None
        who = account_store.principal(row.user)
    if used:
        sessions.touch_session(database, row, moment)
    return who, row


def _scheme(authorization: str) -> str:
    return authorization.strip().partition(" ")[0].lower()


log = logging.getLogger(__name__)

# What any form without files needs; larger bodies are uploads.
SMALL = 512 * 1024


def _later(status: int, error: str, remedy: str, seconds: int) -> UserError:
    refusal = UserError(status, error, remedy)
    refusal.retry_after = seconds
    return refusal


_NOT_SIGNED_IN = "You are not signed in, or your token does not work (any more)."
NOT_SIGNED_IN = UserError(
    401,
    _NOT_SIGNED_IN,
    f"Sign in, or send a token {tokens.MADE}. Then hand the file in again.",
)
# Of a part of an upload: those that came before are kept.
NOT_SIGNED_IN_FOR_PART = UserError(
    401,
    _NOT_SIGNED_IN,
    f"Send a token {tokens.MADE}. The parts that arrived are kept for a day: ask with HEAD where to go "
    "on, then send the part that starts there.",
)
NOT_ALLOWED = UserError(403, "Your role does not hand in files.", "Ask an administrator for another one.")
TOO_MANY = _later(
    429, "You are sending as many files as you may at once.", "Wait until one has arrived.", seconds=5
)
_UNKNOWN = "The database cannot be reached, or is busy."
UNKNOWN = _later(503, _UNKNOWN, "Try again in a minute. Nothing of the file was kept.", seconds=10)
UNKNOWN_FOR_PART = _later(
    503, _UNKNOWN, "Send the same part again in a minute: those before it are kept.", seconds=10
)
_BRINGS_FILES = (Permission.ANALYSE, Permission.ANNOTATE, Permission.CONFIGURE)


class Admission:
    """Counts the uploads on their way in. Used by the server's one thread that reads."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._settings: Settings = app.extensions["settings"]
        self._under_way: Counter[str] = Counter()

    def enter(
        self, headers: Mapping[str, str], length: int | None, *, is_part: bool = False
    ) -> UserError | str:
        """Why a body of ``length`` bytes (none: not said) is refused, or who sends it, for :meth:`leave`.

        An empty name needs no leaving. ``headers`` are named as waitress names them. ``is_part`` says that it
        is one of an upload that can be gone on with.
        """
        if not self._settings.login or (length is not None and length <= SMALL):
            return ""
        authorization, cookie = headers.get("AUTHORIZATION", ""), sessions.session_cookie(headers)
        # Nothing is written here: the one thread that reads must not wait for whoever writes.
        try:
            who, row = identify(self._app, authorization, cookie, used=False)
        except SQLAlchemyError as problem:
            log.error("an upload is refused: %s", getattr(problem, "orig", problem))
            return UNKNOWN_FOR_PART if is_part else UNKNOWN
        if who is None or (row is not None and row.user.one_time):
            return NOT_SIGNED_IN_FOR_PART if is_part else NOT_SIGNED_IN
        if not any(who.may(permission) for permission in _BRINGS_FILES):
            return NOT_ALLOWED
        if self._under_way[who.name] >= self._settings.uploads_at_once:
            return TOO_MANY
        self._under_way[who.name] += 1
        return who.name

    def leave(self, name: str) -> None:
        """An upload has arrived, or broke off."""
        if name:
            self._under_way[name] -= 1
            self._under_way += Counter()  # forgets zeros
