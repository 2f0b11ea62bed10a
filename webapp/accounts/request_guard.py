"""Identify the caller of each request and refuse what they may not do, before any view runs.

In this order: identity (a token, a session's cookie or, without login, the local user), the endpoint's
requirement, a one-time password or missing second factor that has to be changed or set up first, permission
by role and token, the password entered again, the form's CSRF token, and the rate limits. A form that is
refused because its session has ended is answered with the texts that were written into it.

The server keeps a whole request on disk before the app sees it. With login on, :class:`Admission` rejects
large bodies of unknown callers, and of accounts with too many uploads at once, before they are received.

Rate limits are counted in memory, in the one process that answers: a restart forgets them. Flask-Limiter, a
layer over the same ``limits`` library, would have to be applied by hand in the guard as well, since account
and permission are known only after its own checks.
"""

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
from werkzeug.wrappers import Response

from language.translation import gettext
from webapp import context
from webapp.accounts import second_factor, sessions, tokens, users
from webapp.accounts.permissions import (
    LOCAL,
    Audience,
    Permission,
    Principal,
    Requirement,
    login_is_on,
    permission_error,
    requirement_of,
)
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http import language, security
from webapp.http.error_responses import error_response, is_api, unsent_texts, wants_json
from webapp.http.request_values import client_network
from webapp.http.uploads import current_request
from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.key_files import secret_key
from webapp.storage.tables import SessionRow, now

log = logging.getLogger(__name__)

# A page that follows three analyses sends five requests a second; pictures and video come in bursts.
_ALL_REQUESTS = "3000/minute"
_COSTLY: dict[Permission | None, str] = {
    Permission.EXPORT: "120/minute",  # a report may have to be rendered, a bundle packed
    Permission.ANALYSE: "120/minute",  # by POST, which starts work: a large file comes in many parts
    Permission.CONFIGURE: "30/minute",
    Permission.ADMINISTER: "60/minute",
}
_COSTLY_ENDPOINTS = {"account.password": "10/minute"}  # zxcvbn takes up to a second
_REFUSAL_PERIOD = 3600.0  # seconds for which repeated refusals are counted together
_MAX_REFUSAL_KINDS = 10_000  # before expired ones are removed

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER = "bearer"  # schemes are case-insensitive (RFC 9110)
# Schemes that a proxy in front may use for itself and pass on.
_SCHEMES_OF_PROXIES = frozenset({"basic", "digest", "negotiate", "ntlm"})
# A page that stays open requests these by itself, so they do not count as use of the session.
_POLLED = frozenset({"api_analyses.get", "api_comparisons.get", "live.parts", "live.picture"})

SMALL = 512 * 1024  # enough for any form without files; larger bodies are uploads
_FILE_PERMISSIONS = (Permission.ANALYSE, Permission.ANNOTATE, Permission.CONFIGURE)


def _error_with_delay(status: int, error: str, remedy: str, seconds: int) -> UserError:
    refusal = UserError(status, error, remedy)
    refusal.retry_after = seconds
    return refusal


_UNAUTHENTICATED = "You are not signed in, or your token does not work (any more)."
NOT_SIGNED_IN = UserError(
    401, _UNAUTHENTICATED, f"Sign in, or send a token {tokens.HOW_TO_CREATE}. Then upload the file again."
)
# For a part of a resumable upload, of which earlier parts are kept.
NOT_SIGNED_IN_FOR_PART = UserError(
    401,
    _UNAUTHENTICATED,
    f"Send a token {tokens.HOW_TO_CREATE}. The parts that arrived are kept for a day: send HEAD "
    "to learn the offset, then send the part that starts there.",
)
NOT_ALLOWED = UserError(403, "Your role does not upload files.", "Ask an administrator for another one.")
TOO_MANY = _error_with_delay(
    429, "You are sending as many files as you may at once.", "Wait until one has arrived.", seconds=5
)
_NO_DATABASE = "The database cannot be reached, or is busy."
UNKNOWN = _error_with_delay(
    503, _NO_DATABASE, "Try again in a minute. Nothing of the file was kept.", seconds=10
)
UNKNOWN_FOR_PART = _error_with_delay(
    503, _NO_DATABASE, "Send the same part again in a minute: those before it are kept.", seconds=10
)


class RateLimitExceeded(UserError):
    """Somebody sends more requests than allowed."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            429,
            gettext("Too many requests in a short time."),
            gettext("Wait %(seconds)s s, then try again.", seconds=seconds),
        )
        self.retry_after = seconds


class FormRefused(UserError):
    """A form lacks the token of its session; the session it was made in may have ended."""

    def __init__(self) -> None:
        if wants_json():  # a script of a page that stayed open
            error = gettext("Someone signed in since this page was opened, so nothing was saved.")
            remedy = gettext("Reload the page, then try again.")
        else:
            error = gettext("This form is not from a page of this session, so nothing was saved.")
            remedy = gettext("Reload the page it came from, and send it again.")
        super().__init__(403, error, remedy)


class RepeatedRefusals:
    """Select the refusals that get an entry in the log, from which nothing can be removed again.

    Of each kind, within an hour, these are the first, the tenth, the hundredth, and so on.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ...], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def count(self, *kind: str) -> int | None:
        """Count a refusal; return the count if it is to be recorded, else None."""
        with self._lock:
            moment = time.monotonic()
            since, count = self._counts.get(kind, (moment, 0))
            if moment - since >= _REFUSAL_PERIOD:
                since, count = moment, 0
            if len(self._counts) >= _MAX_REFUSAL_KINDS:
                self._counts = {
                    key: value for key, value in self._counts.items() if moment - value[0] < _REFUSAL_PERIOD
                }
            self._counts[kind] = since, count + 1
            return count + 1 if str(count + 1).strip("0") == "1" else None


class Rates:
    """Count requests by account and by permission."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._all = parse(_ALL_REQUESTS)
        self._costly: dict[Permission | None, RateLimitItem] = {p: parse(text) for p, text in _COSTLY.items()}
        self._endpoints = {endpoint: parse(text) for endpoint, text in _COSTLY_ENDPOINTS.items()}

    def count(
        self, who: str, permission: Permission | None, endpoint: str = "", method: str = "POST"
    ) -> None:
        """Count a request; raise :class:`RateLimitExceeded`."""
        costly = permission != Permission.ANALYSE or method == "POST"
        limits = (
            (self._all, "all"),
            (self._costly.get(permission) if costly else None, str(permission)),
            (self._endpoints.get(endpoint), endpoint),
        )
        for item, key in limits:
            if item is not None and not self._limiter.hit(item, who, key):
                reset = self._limiter.get_window_stats(item, who, key).reset_time
                raise RateLimitExceeded(max(1, math.ceil(reset - time.time())))


def install(app: Flask) -> None:
    """Check every request before its view, and let templates create form tokens."""
    app.extensions["secret"] = secret_key(app.extensions["settings"].data)
    app.extensions["rates"] = Rates()
    app.extensions["refusals"] = RepeatedRefusals()
    app.jinja_env.globals.update(csrf_token=security.csrf_token, csrf_input=security.csrf_input)
    app.before_request(_check)
    app.context_processor(lambda: {"who": g.get("principal"), "login_on": login_is_on()})


def _check() -> Response | None:
    """Set ``g.principal`` and ``g.session``; return None if the view may run, or the response instead.

    Raises :class:`UserError` for a refusal: see the module's docstring.
    """
    g.principal = g.session = None
    if request.endpoint == "static":
        return None
    g.principal, g.session = _identify_caller()
    if g.session is not None:
        language.choose_language(g.session.user)
    if request.endpoint is None:
        return None  # an unknown address: the response is the same for everybody
    requirement = requirement_of(current_app, request.endpoint)
    if requirement is None:
        raise UserError(
            403, gettext("This address is closed to everyone."), gettext("It declares no permission.")
        )
    if (response := _refuse_unless_met(requirement)) is not None:
        return response
    if request.method not in SAFE and g.session is not None:
        current_request().on_form = _check_form
        if request.headers.get(security.CSRF_HEADER) is not None or not requirement.takes_files:
            _check_form()
    if login_is_on():
        rates: Rates = current_app.extensions["rates"]
        who = g.principal.name if g.principal is not None else f"from {_caller_network()}"
        rates.count(who, requirement.permission, request.endpoint, request.method)
    return None


def _refuse_unless_met(requirement: Requirement) -> Response | None:
    """Return None if the caller meets the requirement, or a redirect to the step that is missing.

    The steps are sign-in, changing the password, setting up a second factor, and entering the password again.
    Raises :class:`UserError` (403) where no step helps.
    """
    principal: Principal | None = g.principal
    if requirement.audience == Audience.ANYONE:
        return None
    if principal is None:
        return _require_sign_in(requirement)
    row: SessionRow | None = g.session
    if row is not None and row.user.one_time and not requirement.first:
        return _redirect_first(
            "account.show",
            403,
            gettext("Another person set your password."),
            gettext("Change it first."),
        )
    if (
        row is not None
        and not requirement.first
        and row.way == "password"  # a provider asks for its own second factor
        and row.user.factor_since is None
        and second_factor.required(context.settings(), row.user)
    ):
        return _redirect_first(
            "second_factor.show",
            403,
            gettext("Your role needs a second factor."),
            gettext("Set it up first."),
        )
    if requirement.permission is not None and not principal.may(requirement.permission):
        record_refusal("access refused", permission=requirement.permission)
        raise permission_error(requirement.permission)
    if requirement.confirmed and principal.scopes is not None:
        raise UserError(
            403,
            gettext("This requires your password, which an API token cannot give."),
            gettext("Sign in with a browser."),
        )
    if requirement.confirmed and row is not None and now() - row.confirmed > sessions.CONFIRMED_FOR:
        return _redirect_first(
            "login.confirm",
            403,
            gettext("This needs your password again."),
            gettext("Confirm it on the account page."),
        )
    return None


def _check_form() -> None:
    current_request().on_form = None
    if not security.has_csrf_token():
        record_refusal("form refused")
        raise FormRefused


def record_refusal(event: str, **details: str) -> None:
    """Record a refused request in the custody log, or few of many of one kind and caller."""
    refusals: RepeatedRefusals = current_app.extensions["refusals"]
    who = g.principal.name if g.principal is not None else _caller_network()
    count = refusals.count(who, event, *details.values())
    if count is None:
        return
    if count > 1:
        details["times"] = f"{count:,} within an hour"
    with context.database().begin() as session:
        custody_log.append_access_event(
            session, event, **details, method=request.method, path=request.path[:200]
        )


def _caller_network() -> str:
    return client_network(request.remote_addr or "")


def _require_sign_in(requirement: Requirement) -> Response:
    """Respond to a caller who is not signed in: the page to sign in or, for a program, 401."""
    if is_api() and security.CSRF_HEADER not in request.headers:
        words = "No token came with this request, or one that does not work (any more)."
        return error_response(
            401, words, f"Send “Authorization: Bearer …” with a token {tokens.HOW_TO_CREATE}."
        )
    if request.method in SAFE or requirement.first:
        response: Response = _redirect_first(
            "login.form", 401, gettext("You are not signed in."), gettext("Sign in, then try again.")
        )
    elif wants_json() or is_api():  # a script of a page that stayed open
        response = error_response(
            401,
            gettext("You are not signed in (any more), so nothing was saved."),
            gettext("Sign in in another tab, then reload this page and try again."),
        )
    else:
        response = _return_unsaved_form()
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Reelproof"'
    return response


def _return_unsaved_form() -> Response:
    """Respond to a form whose session has ended with the texts that were written into it."""
    rates: Rates = current_app.extensions["rates"]
    rates.count(f"from {_caller_network()}", None)  # this reads a form of anybody
    texts = unsent_texts()
    remedy = gettext("Copy what you wrote, sign in, then send it again.")
    return error_response(
        401,
        gettext("You are not signed in (any more), so nothing was saved."),
        remedy if texts else gettext("Sign in, then try again."),
        texts=texts,
        sign_in=url_for("login.form", next=_page_of_form()),
    )


def _redirect_first(endpoint: str, status: int, error: str, remedy: str) -> Response:
    """Redirect to a page that leads back here afterwards; a program gets the error instead."""
    if wants_json() or is_api():
        return error_response(status, error, remedy)
    back = request.full_path.rstrip("?") if request.method in SAFE else _page_of_form()
    return redirect(url_for(endpoint, next=back), 303)


def _page_of_form() -> str | None:
    return urlsplit(request.referrer or "").path or None


def _identify_caller() -> tuple[Principal | None, SessionRow | None]:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    authorization = request.headers.get("Authorization", "")
    scheme = _scheme(authorization)
    if is_api() and scheme not in {"", _BEARER, *_SCHEMES_OF_PROXIES}:
        return None, None  # treating a token sent in another way as no token could allow more
    cookie = request.cookies.get(sessions.cookie_name(sessions.SESSION_COOKIE), "")
    record_use = scheme == _BEARER or request.endpoint not in _POLLED
    return identify(app, authorization, cookie, record_use=record_use)


def identify(
    app: Flask, authorization: str, cookie: str, *, record_use: bool
) -> tuple[Principal | None, SessionRow | None]:
    """Return the caller, by two headers of the request, and their session if a cookie identifies them.

    Without ``record_use`` nothing is written, so that no other writer is waited for.
    """
    settings: Settings = app.extensions["settings"]
    database: Database = app.extensions["database"]
    if _scheme(authorization) == _BEARER:
        token = authorization.strip()[len(_BEARER) :].strip()
        return tokens.authenticate(database, token, login=settings.login, record_use=record_use), None
    if not settings.login:
        return LOCAL, None
    if not cookie:
        return None, None
    moment = now()
    with database.begin() as session:
        row = sessions.find_session(session, settings, cookie, moment)
        if row is None:
            return None, None
        principal = users.principal_of(row.user)
    if record_use:
        sessions.touch_session(database, row, moment)
    return principal, row


def _scheme(authorization: str) -> str:
    return authorization.strip().partition(" ")[0].lower()


class Admission:
    """Count the uploads in progress. Used by the server's one thread that reads."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._settings: Settings = app.extensions["settings"]
        self._in_progress: Counter[str] = Counter()

    def enter(
        self, headers: Mapping[str, str], length: int | None, *, is_part: bool = False
    ) -> UserError | str:
        """Return why a body of ``length`` bytes (None: unknown) is refused, or its sender for :meth:`leave`.

        An empty sender does not have to leave. ``headers`` are named as waitress names them. ``is_part``
        marks a part of a resumable upload.
        """
        if not self._settings.login or (length is not None and length <= SMALL):
            return ""
        authorization, cookie = headers.get("AUTHORIZATION", ""), sessions.session_cookie(headers)
        try:  # without writing: the one thread that reads must not wait for another writer
            principal, row = identify(self._app, authorization, cookie, record_use=False)
        except SQLAlchemyError as error:
            log.error("an upload is refused: %s", getattr(error, "orig", error))
            return UNKNOWN_FOR_PART if is_part else UNKNOWN
        if principal is None or (row is not None and row.user.one_time):
            return NOT_SIGNED_IN_FOR_PART if is_part else NOT_SIGNED_IN
        if not any(principal.may(permission) for permission in _FILE_PERMISSIONS):
            return NOT_ALLOWED
        if self._in_progress[principal.name] >= self._settings.uploads_at_once:
            return TOO_MANY
        self._in_progress[principal.name] += 1
        return principal.name

    def leave(self, sender: str) -> None:
        """Stop counting an upload that has arrived or broken off."""
        if sender:
            self._in_progress[sender] -= 1
            self._in_progress += Counter()  # removes zeros
