"""Routes for signing in and out through the OpenID Connect provider."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import asdict
from datetime import timedelta

from flask import Blueprint, current_app, g, jsonify, redirect, request, url_for
from sqlalchemy import delete
from werkzeug.wrappers import Response

from language.translation import DEFAULT, gettext, speaking, translated
from webapp import context
from webapp.accounts import sessions, users
from webapp.accounts.login_pages import local_url, login_page, signed_in_response
from webapp.accounts.openid import (
    Attempt,
    LogoutToken,
    Provider,
    ProviderError,
    account_of_claims,
    end_provider_sessions,
)
from webapp.accounts.permissions import login_is_on, public
from webapp.accounts.request_guard import record_refusal
from webapp.accounts.sign_in import renew_session
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.storage.key_files import mac
from webapp.storage.tables import KeyedRequest, SessionRow, now

blueprint = Blueprint("provider", __name__)

_COOKIE = "reelproof-provider"
_LIFETIME = timedelta(minutes=10)
_LOGOUT_TOKENS = "logout tokens"  # no account can have this name
_REMEMBERED = timedelta(hours=1)


@blueprint.get("/login/provider")
@public
def sign_in() -> Response:
    """Redirect to the provider; with ``again`` it asks for the password again."""
    again = "again" in request.args and g.session is not None
    attempt = Attempt.new(again=again, onwards=request.args.get("next", ""))
    response = redirect(_provider().authorization_url(attempt, _redirect_uri()), 303)
    text = json.dumps(asdict(attempt) | {"until": (now() + _LIFETIME).timestamp()})
    cookie = f"{base64.urlsafe_b64encode(text.encode()).decode()}.{_signature(text)}"
    sessions.set_cookie(response, _COOKIE, cookie, _LIFETIME)
    return response


@blueprint.get("/login/provider/return")
@public
def callback() -> Response:
    """Sign in the identity that the provider returns; the browser forgets the attempt in any case."""
    attempt = _read_attempt(request.cookies.get(sessions.cookie_name(_COOKIE), ""))
    if attempt is None:
        return redirect(url_for("login.form"), 303)
    try:
        with speaking(DEFAULT):  # the log is English, whatever the browser's language
            response = _finish_sign_in(attempt)
    except UserError as error:
        record_refusal("sign-in refused", account="", by="provider", why=error.error)
        message = f"{translated(error.error)} {translated(error.remedy)}"
        response = login_page(error.status, problem=message)
    sessions.clear_cookie(response, _COOKIE)
    return response


@blueprint.get("/logout/provider")
@public
def sign_out() -> Response:
    """Redirect to the provider to sign out there as well."""
    return redirect(_provider().end_session_url(url_for("login.form", _external=True)), 303)


@blueprint.post("/login/provider/ended")
@public
def back_channel_logout() -> Response:
    """End the sessions of a person who signed out at the provider; each logout token counts once."""
    try:
        token = _provider().read_logout_token(request.form.get("logout_token", ""))
        _refuse_replay(token)
    except ProviderError as error:
        response = jsonify(error="invalid_request", error_description=error.error)
        response.status_code = 400
        return response
    subject = token.subject
    with context.database().begin() as session:
        name, count = end_provider_sessions(session, context.settings(), subject)
        if count:
            custody_log.append_access_event(session, "sign-out", account=name, by="provider", sessions=count)
    return jsonify(ended=count)


def _refuse_replay(token: LogoutToken) -> None:
    """Raise :class:`ProviderError` for a token that was used (Back-Channel Logout 1.0, 2.6, step 7).

    Its hash is kept among the keys of requests, longer than any token is valid.
    """
    with context.database().alone() as session:
        own = KeyedRequest.who == _LOGOUT_TOKENS
        session.execute(delete(KeyedRequest).where(own, KeyedRequest.started < now() - _REMEMBERED))
        if session.get(KeyedRequest, (_LOGOUT_TOKENS, token.identity)) is not None:
            raise ProviderError(gettext("This logout token was used before."))
        used = {"fingerprint": token.identity, "identity": "", "started": now()}
        session.add(KeyedRequest(who=_LOGOUT_TOKENS, key=token.identity, **used))


def _finish_sign_in(attempt: Attempt) -> Response:
    """Begin a session for the identity, or confirm the existing one; raise :class:`UserError`."""
    claims = _provider().claims(attempt, request.args, _redirect_uri())
    with context.database().alone() as session:
        user = account_of_claims(session, context.settings(), current_app.extensions["passwords"], claims)
        if not users.may_sign_in(user, now()):
            raise UserError(403, gettext("This account cannot be used."), gettext("Ask an administrator."))
    if attempt.again:
        row: SessionRow | None = g.session
        if row is None or row.user_id != user.id:
            raise UserError(
                403, gettext("Another person signed in at the provider."), gettext("Sign in again.")
            )
        response = redirect(local_url(attempt.onwards), 303)
        sessions.set_session_cookie(response, user, renew_session(row))
        return response
    amr = claims.get("amr")
    factor = " ".join(map(str, amr))[:60] if isinstance(amr, list) and amr else "not told"
    return signed_in_response(user, factor=factor, way="provider", onwards=attempt.onwards)


def _provider() -> Provider:
    settings = context.settings()
    if not login_is_on() or settings.oidc_issuer is None:
        raise UserError(
            404, gettext("There is no provider to sign in through."), gettext("Sign in with a password.")
        )
    provider: Provider = current_app.extensions.setdefault("provider", Provider(settings))
    return provider


def _redirect_uri() -> str:
    return url_for("provider.callback", _external=True)


def _read_attempt(cookie: str) -> Attempt | None:
    """Return the attempt of a cookie, or None if its signature is wrong or it has expired."""
    packed, _, signature = cookie.partition(".")
    try:
        text = base64.urlsafe_b64decode(packed).decode()
    except ValueError:
        return None
    if not hmac.compare_digest(signature.encode(), _signature(text).encode()):
        return None
    values = json.loads(text)
    return Attempt(**values) if values.pop("until") > now().timestamp() else None


def _signature(text: str) -> str:
    return mac(current_app.extensions["secret"], "provider", text)
