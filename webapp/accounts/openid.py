"""Sign-in through an OpenID Connect provider, and the account that belongs to an identity there."""

from __future__ import annotations

import logging
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector.schema.formatting import comparison_key
from reports.language.translation import gettext
from webapp.accounts import sessions
from webapp.accounts import users as account_store
from webapp.accounts.passwords import Passwords, generate_password
from webapp.accounts.permissions import Role
from webapp.custody import custody_log, people_records
from webapp.errors import UserError
from webapp.settings import Settings
from webapp.storage.tables import SessionRow, User
from webapp.url_allowlist import is_safe_endpoint

log = logging.getLogger(__name__)

SCOPE = "openid profile email"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")  # of ID tokens: signed by the provider's own key
_TIME_OUT = 10.0  # seconds, for connecting and for each answer
_CACHED = 3600.0  # seconds the provider's own description is taken as it was
_NOT_AGAIN_FOR = 15.0  # seconds after it could not be reached
_AT_ONCE = 4  # sign-ins that are being checked there: each holds one of the server's threads
_LEEWAY = 60  # seconds that clocks may differ by
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_SIGNED_OUT = "http://schemas.openid.net/event/backchannel-logout"
# Types that a logout token may state. Back-Channel Logout 1.0, 2.4, only recommends "logout+jwt", and
# providers in use state "JWT" (Keycloak before 25) or nothing. Whatever names another kind of token is
# refused (RFC 8725, 3.11), such as "at+jwt"; an ID token without a type of its own has a nonce and no event.
_LOGOUT_TYPES = ("logout+jwt", "jwt", "")
_NEW_KEYS_AFTER = 60.0  # seconds; who may send anything cannot make us ask more often


class ProviderError(UserError):
    """Nobody was signed in; the message says why, as far as somebody who is not signed in may know."""

    def __init__(self, error: str, remedy: str = "") -> None:
        super().__init__(502, error, remedy or gettext("Try again, or ask an administrator."))


@dataclass(frozen=True)
class Attempt:
    """One sign-in on its way: what its answer must fit."""

    state: str
    nonce: str
    verifier: str
    again: bool  # of somebody who is signed in and is to show it anew
    onwards: str

    @staticmethod
    def new(*, again: bool, onwards: str) -> Attempt:
        """One with random values."""
        return Attempt(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), again, onwards
        )


class Provider:
    """The configured provider. One for all requests; what it says of itself is cached for an hour."""

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer is not None
        self.issuer = settings.oidc_issuer
        self._settings = settings
        self._described: tuple[float, dict[str, Any]] | None = None
        self._outdated = False  # its keys are others by now
        self._asking = False
        self._failed: float | None = None
        self._lock = threading.Lock()  # never held while the provider is asked: it may hang
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def authorization_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where the browser goes to sign in, and from there to ``redirect_uri``.

        Raises :class:`ProviderError` where the provider cannot be reached.
        """
        more = {"prompt": "login", "max_age": "0"} if attempt.again else {}
        with self._session(redirect_uri) as session:
            url, _state = session.create_authorization_url(
                self._description()["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
                **more,
            )
        return str(url)

    def claims(self, attempt: Attempt, answer: Mapping[str, str], redirect_uri: str) -> dict[str, Any]:
        """Claims of the ID token of who signed in, checked; raises :class:`ProviderError`.

        ``answer`` is the query with which the browser came back to ``redirect_uri``.
        """
        if not secrets.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise ProviderError(
                gettext("This answer does not belong to a sign-in that was begun in this browser.")
            )
        if answer.get("iss", self.issuer) != self.issuer:  # RFC 9207
            raise ProviderError(gettext("The answer is of another provider."))
        if "error" in answer or not answer.get("code"):
            raise ProviderError(gettext("The provider did not sign you in."))
        if not self._room.acquire(blocking=False):
            raise _slow()
        try:
            with self._session(redirect_uri) as session:
                token = session.fetch_token(
                    self._description()["token_endpoint"],
                    grant_type="authorization_code",
                    code=answer["code"],
                    code_verifier=attempt.verifier,
                    timeout=_TIME_OUT,
                    allow_redirects=False,
                )
            return self._checked(token, attempt)
        except ProviderError:
            raise
        except Exception as problem:  # of the network, of OAuth, of keys: none signs anybody in
            log.warning("sign-in at %s failed: %s: %s", self.issuer, type(problem).__name__, problem)
            raise ProviderError(gettext("The provider's answer could not be used.")) from problem
        finally:
            self._room.release()

    def end_session_url(self, redirect_uri: str) -> str:
        """Where the browser goes to sign out at the provider (RP-Initiated Logout 1.0).

        Raises :class:`ProviderError` where the provider has no such page.
        """
        from authlib.common.urls import add_params_to_uri

        there = self._description().get("end_session_endpoint")
        if not isinstance(there, str):
            raise ProviderError(
                gettext("The provider has no page to sign out."), gettext("Sign out there yourself.")
            )
        if not is_safe_endpoint(there):
            raise ProviderError(gettext("The provider's page to sign out is not https."))
        asked = [("client_id", self._settings.oidc_client), ("post_logout_redirect_uri", redirect_uri)]
        return str(add_params_to_uri(there, asked))

    def logged_out_subject(self, token: str) -> str:
        """Who signed out, by a logout token (Back-Channel Logout 1.0, 2.6); raises :class:`ProviderError`."""
        try:
            signed = self._decoded(token, new_keys_after=_NEW_KEYS_AFTER)
            claims = signed.claims
            for_us, events = claims.get("aud"), claims.get("events")
            moment = time.time()
            fits = (
                _type(signed.header) in _LOGOUT_TYPES
                and claims.get("iss") == self.issuer
                and self._settings.oidc_client in (for_us if isinstance(for_us, list) else [for_us])
                and isinstance(events, dict)
                and isinstance(events.get(_SIGNED_OUT), dict)
                and "nonce" not in claims
                and abs(moment - float(claims["iat"])) < 5 * _LEEWAY
                # Required since 2023, and left out by providers in use; `iat` bounds its time in any case.
                and moment < float(claims.get("exp", moment)) + _LEEWAY
                and float(claims.get("nbf", moment)) <= moment + _LEEWAY
            )
            who = claims.get("sub")
        except ProviderError:
            raise
        except Exception as problem:  # of keys, of what claims hold
            log.warning("a logout token was refused: %s: %s", type(problem).__name__, problem)
            raise ProviderError(gettext("This logout token could not be used.")) from problem
        if not fits or not isinstance(who, str) or not who:
            log.warning("a logout token of %s was refused: not for here and now, or without sub", self.issuer)
            raise ProviderError(gettext("This logout token is not for here and now, or names nobody (sub)."))
        return who

    def _decoded(self, token: str, *, new_keys_after: float = 0.0) -> Any:
        """A token with its signature checked; keys are asked for anew where it has another's."""
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError
        from joserfc.jwk import KeySet

        algorithms = list(ALGORITHMS)
        try:
            return jwt.decode(token, KeySet.import_key_set(self._keys()), algorithms=algorithms)
        except InvalidKeyIdError:  # it changed its keys
            with self._lock:
                if self._described is None or time.monotonic() - self._described[0] < new_keys_after:
                    raise
                self._outdated = True
            return jwt.decode(token, KeySet.import_key_set(self._keys()), algorithms=algorithms)

    def _checked(self, token: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken

        signed = self._decoded(token["id_token"])
        client = self._settings.oidc_client
        claims = CodeIDToken(
            signed.claims,
            signed.header,
            {"iss": {"values": [self.issuer]}, "aud": {"values": [client]}},
            {"nonce": attempt.nonce, "client_id": client, "access_token": token.get("access_token")},
        )
        claims.validate(leeway=_LEEWAY)
        if attempt.again and time.time() - float(claims.get("auth_time") or 0) > 5 * _LEEWAY:
            raise ProviderError(gettext("The provider did not ask you to sign in anew."))
        return dict(claims)

    def _keys(self) -> Any:
        return self._description()["jwks"]

    def _description(self) -> dict[str, Any]:
        """What the provider says of itself. One request at a time asks for it; no other waits for that."""
        with self._lock:
            moment, known = time.monotonic(), self._described
            if known is not None and (self._asking or not self._outdated and moment - known[0] <= _CACHED):
                return known[1]
            if self._asking:
                raise _slow()
            if self._failed is not None and moment - self._failed < _NOT_AGAIN_FOR:
                raise _unreachable()
            self._asking = True
        found = None
        try:
            found = self._fetched()
        finally:
            with self._lock:
                self._asking = False
                if found is None:
                    self._failed = time.monotonic()
                else:
                    self._described, self._outdated, self._failed = (time.monotonic(), found), False, None
        return found

    def _fetched(self) -> dict[str, Any]:
        """The discovery document and the keys; raises :class:`ProviderError`."""
        try:
            with self._session() as session:
                found = self._json(session, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self.issuer:
                    raise ValueError(f"its issuer is {found.get('issuer')}")
                for name in _ENDPOINTS:
                    if not is_safe_endpoint(str(found.get(name))):
                        raise ValueError(f"its {name} is not https: {found.get(name)}")
                return found | {"jwks": self._json(session, found["jwks_uri"])}
        except Exception as problem:
            log.warning(
                "the provider %s cannot be used: %s: %s", self.issuer, type(problem).__name__, problem
            )
            raise _unreachable() from problem

    def _json(self, session: Any, url: str) -> dict[str, Any]:
        answer = session.request("GET", url, withhold_token=True, timeout=_TIME_OUT, allow_redirects=False)
        if answer.status_code != 200:
            raise ValueError(f"{url} answered {answer.status_code}")
        found: dict[str, Any] = answer.json()
        return found

    def _session(self, redirect_uri: str | None = None) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        file = self._settings.oidc_secret_file
        session = OAuth2Session(
            self._settings.oidc_client,
            file.read_text(encoding="utf-8").strip() if file else None,
            token_endpoint_auth_method="client_secret_basic" if file else "none",  # noqa: S106
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
        session.trust_env = False  # no proxy, no .netrc
        return session


def _type(header: Mapping[str, Any]) -> str:
    """The type that a token states: a media type, whose "application/" may be left out (RFC 7515, 4.1.9)."""
    return str(header.get("typ", "")).lower().removeprefix("application/")


def _unreachable() -> ProviderError:
    return ProviderError(gettext("The provider cannot be reached, or does not describe itself."))


def _slow() -> ProviderError:
    return ProviderError(
        gettext("The provider is taking long to answer others at the moment."),
        gettext("Try again in a minute."),
    )


ANYBODY = "*"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._@-]+")


def linked_subject(issuer: str, sub: str) -> str:
    """What an account is known by: a hash of who it is at which provider."""
    return sha256(f"{issuer}\0{sub}".encode()).hexdigest()


def role_of_claims(settings: Settings, claims: Mapping[str, Any]) -> Role | None:
    """The role of somebody's groups, the highest of several; none: they may not sign in."""
    found = claims.get(settings.oidc_claim, [])
    groups = {found} if isinstance(found, str) else {str(each) for each in found or []}
    given = {role for group, role in settings.oidc_roles.items() if group in groups or group == ANYBODY}
    return max((Role(role) for role in given), key=list(Role).index, default=None)


def account_of_claims(
    session: Session, settings: Settings, passwords: Passwords, claims: Mapping[str, Any]
) -> User:
    """The account of who signed in, made if there is none; raises :class:`UserError` for one refused.

    The session must be alone (:meth:`webapp.storage.database.Database.alone`).
    """
    role = role_of_claims(settings, claims)
    if role is None:
        raise _refused(gettext("Your groups at the provider give no role here."))
    known = linked_subject(str(settings.oidc_issuer), str(claims["sub"]))
    user = session.scalar(select(User).where(User.subject == known))
    if user is None:
        return _new_account(session, passwords, claims, known, role)
    people_records.refuse_altered_account(session, user)
    if user.disabled is not None:
        raise _refused(gettext("This account is disabled."))
    if user.role != role:
        account_store.set_role(session, user, role, by="provider")
    return user


def link_account(session: Session, settings: Settings, user: User, sub: str) -> None:
    """Let somebody of the provider sign in to an account there is.

    Raises :class:`~webapp.errors.UserError` where no provider is set, and where they have another one.
    """
    if settings.oidc_issuer is None:
        raise UserError(
            409, gettext("REELPROOF_OIDC_ISSUER names no provider."), gettext("Set it as the app has it.")
        )
    known = linked_subject(settings.oidc_issuer, sub)
    other = session.scalar(select(User).where(User.subject == known, User.id != user.id))
    if other is not None:
        raise UserError(
            409,
            gettext("This SUBJECT signs in to the account “%(name)s” already.", name=other.name),
            gettext("First link that account to another SUBJECT."),
        )
    user.subject = known
    custody_log.append_access_event(session, "account linked", account=user.name, subject=user.subject)


def end_provider_sessions(session: Session, settings: Settings, sub: str) -> tuple[str, int]:
    """End what somebody of the provider opened through it; their account's name, and how many."""
    known = linked_subject(str(settings.oidc_issuer), sub)
    user = session.scalar(select(User).where(User.subject == known))
    if user is None:
        return "", 0
    return user.name, sessions.end_sessions(
        session, SessionRow.user_id == user.id, SessionRow.way == "provider"
    )


def name_of(claims: Mapping[str, Any]) -> str:
    """What the account is called: what the provider prefers, in the letters that names have here."""
    for claim in ("preferred_username", "email", "sub"):
        name = _NOT_IN_NAMES.sub("-", str(claims.get(claim) or "").lower()).strip("-._@")[:40]
        if len(name) > 1:
            return name
    return f"account-{sha256(str(claims['sub']).encode()).hexdigest()[:12]}"


def _new_account(
    session: Session, passwords: Passwords, claims: Mapping[str, Any], known: str, role: Role
) -> User:
    """An account made for somebody who signs in for the first time.

    Raises :class:`UserError` where an account of their name is somebody's here already.
    """
    name = name_of(claims)
    if account_store.find(session, name) is not None:
        raise _refused(
            gettext(
                "There is an account “%(name)s” here that is not linked to yours at the provider.", name=name
            ),
            gettext(
                "An administrator can link it: python -m webapp link-account %(name)s SUBJECT", name=name
            ),
        )
    display = " ".join(str(claims.get("name") or name).split())[:60]
    taken = {comparison_key(user.display) for user in account_store.listed(session)}
    display = f"{display} ({name})"[:80] if comparison_key(display) in taken else display
    # A password that nobody knows: an administrator can give another one.
    user = account_store.add(
        session, passwords, name, display, role, generate_password(), one_time=False, by="provider"
    )
    user.subject = known
    return user


def _refused(error: str, remedy: str = "") -> UserError:
    return UserError(403, error, remedy or gettext("Ask an administrator."))
