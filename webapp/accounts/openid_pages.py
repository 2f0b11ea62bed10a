"""Routes for signing in and out through the OpenID Connect provider."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import asdict
from datetime import timedelta

from flask import Blueprint, current_app, g, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response

from reports.language.translation import DEFAULT, gettext, speaking, translated
from webapp import context
from webapp.accounts import openid, request_guard, sessions
from webapp.accounts import sign_in as accounts_sign_in
from webapp.accounts import users as account_store
from webapp.accounts.login_pages import own_address, page, signed_in_response
from webapp.accounts.openid import Attempt, Provider, ProviderError
from webapp.accounts.permissions import login_is_on, public
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.storage.key_files import mac
from webapp.storage.tables import SessionRow, now

blueprint = Blueprint("provider", __name__)

_COOKIE = "reelproof-provider"
_LASTS = timedelta(minutes=10)


@blueprint.get("/login/provider")
@public
def sign_in() -> Response:
    """Send the browser to the provider; ``again`` asks it to have somebody sign in anew."""
    attempt = Attempt.new(
        again="again" in request.args and g.session is not None, onwards=request.args.get("next", "")
    )
    response = redirect(_provider().authorization_url(attempt, _redirect_uri()), 303)
    sessions.set_cookie(response, _COOKIE, _packed(attempt), _LASTS)
    return response


@blueprint.get("/login/provider/return")
@public
def callback() -> Response:
    """Sign in whom the provider names; the browser forgets the attempt whatever comes of it."""
    attempt = _unpacked(request.cookies.get(sessions.cookie_name(_COOKIE), ""))
    if attempt is None:
        return redirect(url_for("login.form"), 303)
    try:
        with speaking(DEFAULT):  # whoever signs in may read German; the log is kept in English
            response = _signed_in(attempt)
    except UserError as problem:
        request_guard.record_refusal("sign-in refused", account="", by="provider", why=problem.error)
        response = page(problem.status, problem=f"{translated(problem.error)} {translated(problem.remedy)}")
    sessions.clear_cookie(response, _COOKIE)
    return response


@blueprint.get("/logout/provider")
@public
def sign_out() -> Response:
    """Send the browser to the provider to sign out there as well."""
    return redirect(_provider().end_session_url(url_for("login.form", _external=True)), 303)


@blueprint.post("/login/provider/ended")
@public
def back_channel_logout() -> Response:
    """The provider says that somebody signed out there, or may no longer: their sessions here end."""
    try:
        who = _provider().logged_out_subject(request.form.get("logout_token", ""))
    except ProviderError as problem:
        response = jsonify(error="invalid_request", error_description=problem.error)
        response.status_code = 400
        return response
    with context.database().begin() as session:
        name, number = openid.end_provider_sessions(session, context.settings(), who)
        if number:
            custody_log.append_access_event(session, "sign-out", account=name, by="provider", sessions=number)
    return jsonify(ended=number)


def _signed_in(attempt: Attempt) -> Response:
    """A new session of whom the provider names, or the one there is, confirmed; raises ``UserError``."""
    claims = _provider().claims(attempt, request.args, _redirect_uri())
    with context.database().alone() as session:
        user = openid.account_of_claims(
            session, context.settings(), current_app.extensions["passwords"], claims
        )
        if not account_store.usable(user, now()):
            raise UserError(403, gettext("This account cannot be used."), gettext("Ask an administrator."))
    if attempt.again:
        row: SessionRow | None = g.session
        if row is None or row.user_id != user.id:
            raise UserError(
                403, gettext("Somebody else signed in at the provider."), gettext("Sign in anew.")
            )
        response = redirect(own_address(attempt.onwards), 303)
        sessions.set_session_cookie(response, user, accounts_sign_in.renew_session(row))
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
    found: Provider = current_app.extensions.setdefault("provider", Provider(settings))
    return found


def _redirect_uri() -> str:
    return url_for("provider.callback", _external=True)


def _packed(attempt: Attempt) -> str:
    text = json.dumps(asdict(attempt) | {"until": (now() + _LASTS).timestamp()})
    return f"{base64.urlsafe_b64encode(text.encode()).decode()}.{_seal(text)}"


def _unpacked(cookie: str) -> Attempt | None:
    """The attempt of a cookie that was made here and is not too old."""
    packed, _, seal = cookie.partition(".")
    try:
        text = base64.urlsafe_b64decode(packed).decode()
    except ValueError:
        return None
    if not hmac.compare_digest(seal.encode(), _seal(text).encode()):
        return None
    values = json.loads(text)
    return Attempt(**values) if values.pop("until") > now().timestamp() else None


def _seal(text: str) -> str:
    return mac(current_app.extensions["secret"], "provider", text)
