"""Sign-in through an OpenID Connect provider, and the account that belongs to an identity there.

The flow is authorization code with PKCE, state and nonce (Authlib). No request leaves this machine until
somebody chooses to sign in this way or a logout token arrives, and then only to the configured issuer and the
endpoints of its discovery document: by https, without redirects and proxies.

An account belongs to issuer and subject together, never to a name or an email address, which somebody else
may get. Roles follow the provider's groups at each sign-in; without a group that gives a role, sign-in is
refused.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from language.translation import N_, gettext
from webapp.accounts import sessions, users
from webapp.accounts.lookalikes import looks_taken
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
_TIMEOUT = 10.0  # seconds, for connecting and for each response
_DESCRIPTION_LIFETIME = 3600.0  # seconds for which discovery document and keys are cached
_RETRY_AFTER = 15.0  # seconds after the provider could not be reached
_CONCURRENT_SIGN_INS = 4  # each holds one of the server's threads
_LEEWAY = 60  # seconds that clocks may differ by
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
# Types that a logout token may state. Back-Channel Logout 1.0, 2.4, only recommends "logout+jwt", and
# providers in use state "JWT" (Keycloak before 25) or nothing. A token that states another type, such as
# "at+jwt", is refused (RFC 8725, 3.11); an ID token without a type has a nonce and no event.
_LOGOUT_TYPES = ("logout+jwt", "jwt", "")
_REFRESH_KEYS_AFTER = 60.0  # seconds; logout tokens come from anybody, so they cannot cause more requests
ANY_GROUP = "*"


class ProviderError(UserError):
    """Nobody was signed in; the message says why, as far as somebody who is not signed in may know."""

    def __init__(self, error: str, remedy: str = "") -> None:
        super().__init__(502, error, remedy or gettext("Try again, or ask an administrator."))


@dataclass(frozen=True)
class Attempt:
    """One sign-in in progress: the values that its response must match."""

    state: str
    nonce: str
    verifier: str
    again: bool  # somebody who is signed in has to sign in anew
    onwards: str

    @staticmethod
    def new(*, again: bool, onwards: str) -> Attempt:
        """Create an attempt with random values."""
        return Attempt(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), again, onwards
        )


class LogoutToken(NamedTuple):
    """The subject of a valid logout token, and a hash of its ``jti``."""

    subject: str
    identity: str


class Provider:
    """The configured provider. All requests share one instance, which caches its description."""

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer is not None
        self.issuer = settings.oidc_issuer
        self._settings = settings
        self._described: tuple[float, dict[str, Any]] | None = None
        self._keys_outdated = False
        self._fetching = False
        self._failed: float | None = None
        self._lock = threading.Lock()  # never held during a request to the provider, which may hang
        self._slots = threading.BoundedSemaphore(_CONCURRENT_SIGN_INS)

    def authorization_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Return where the browser signs in before it comes back to ``redirect_uri``.

        Raises :class:`ProviderError` if the provider cannot be reached.
        """
        prompt = {"prompt": "login", "max_age": "0"} if attempt.again else {}
        with self._session(redirect_uri) as session:
            url, _state = session.create_authorization_url(
                self._description()["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
                **prompt,
            )
        return str(url)

    def claims(self, attempt: Attempt, response: Mapping[str, str], redirect_uri: str) -> dict[str, Any]:
        """Fetch and check the ID token of a sign-in; raise :class:`ProviderError`.

        ``response`` is the query with which the browser came back to ``redirect_uri``.
        """
        if not secrets.compare_digest(response.get("state", "").encode(), attempt.state.encode()):
            raise ProviderError(
                gettext("This response does not belong to a sign-in started in this browser.")
            )
        if response.get("iss", self.issuer) != self.issuer:  # RFC 9207
            raise ProviderError(gettext("The response is from another provider."))
        if "error" in response or not response.get("code"):
            raise ProviderError(gettext("The provider did not sign you in."))
        if not self._slots.acquire(blocking=False):
            raise _busy()
        try:
            with self._session(redirect_uri) as session:
                token = session.fetch_token(
                    self._description()["token_endpoint"],
                    grant_type="authorization_code",
                    code=response["code"],
                    code_verifier=attempt.verifier,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                )
            return self._checked_claims(token, attempt)
        except ProviderError:
            raise
        except Exception as error:  # of the network, of OAuth, of keys: none signs anybody in
            log.warning("sign-in at %s failed: %s: %s", self.issuer, type(error).__name__, error)
            raise ProviderError(gettext("The provider's answer could not be used.")) from error
        finally:
            self._slots.release()

    def end_session_url(self, redirect_uri: str) -> str:
        """Return where the browser signs out at the provider (RP-Initiated Logout 1.0).

        Raises :class:`ProviderError` if the provider has no such page.
        """
        from authlib.common.urls import add_params_to_uri

        url = self._description().get("end_session_endpoint")
        if not isinstance(url, str):
            raise ProviderError(
                gettext("The provider has no page to sign out."), gettext("Sign out there yourself.")
            )
        if not is_safe_endpoint(url):
            raise ProviderError(gettext("The provider's sign-out page does not use https."))
        query = [("client_id", self._settings.oidc_client), ("post_logout_redirect_uri", redirect_uri)]
        return str(add_params_to_uri(url, query))

    def read_logout_token(self, token: str) -> LogoutToken:
        """Validate a logout token (Back-Channel Logout 1.0, 2.6), or raise an error."""
        try:
            decoded = self._decode(token, refresh_keys_after=_REFRESH_KEYS_AFTER)
            claims = decoded.claims
            audience, events = claims.get("aud"), claims.get("events")
            moment = time.time()
            # A media type, whose "application/" may be left out (RFC 7515, 4.1.9).
            token_type = str(decoded.header.get("typ", "")).lower().removeprefix("application/")
            valid = (
                token_type in _LOGOUT_TYPES
                and claims.get("iss") == self.issuer
                and self._settings.oidc_client in (audience if isinstance(audience, list) else [audience])
                and isinstance(events, dict)
                and isinstance(events.get(_LOGOUT_EVENT), dict)
                and "nonce" not in claims
                and abs(moment - float(claims["iat"])) < 5 * _LEEWAY
                # Required since 2023 but left out by providers in use; `iat` limits the time in any case.
                and moment < float(claims.get("exp", moment)) + _LEEWAY
                and float(claims.get("nbf", moment)) <= moment + _LEEWAY
            )
            sub = claims.get("sub")
        except ProviderError:
            raise
        except Exception as error:  # of keys, of the claims' content
            log.warning("a logout token was refused: %s: %s", type(error).__name__, error)
            raise ProviderError(gettext("This logout token could not be used.")) from error
        if not valid or not isinstance(sub, str) or not sub:
            log.warning("a logout token of %s was refused: not for here and now, or without sub", self.issuer)
            raise ProviderError(
                gettext("This logout token is for another client or time, or names no account (sub).")
            )
        # Required as well, and left out as well; then the claims tell tokens apart.
        identity = json.dumps(
            claims["jti"] if claims.get("jti") else dict(claims), sort_keys=True, default=str
        )
        return LogoutToken(sub, sha256(identity.encode()).hexdigest())

    def _decode(self, token: str, *, refresh_keys_after: float = 0.0) -> Any:
        """Check a token's signature; fetch the provider's keys again if the key is unknown."""
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError
        from joserfc.jwk import KeySet

        algorithms = list(ALGORITHMS)
        try:
            return jwt.decode(
                token, KeySet.import_key_set(self._description()["jwks"]), algorithms=algorithms
            )
        except InvalidKeyIdError:
            with self._lock:
                if self._described is None or time.monotonic() - self._described[0] < refresh_keys_after:
                    raise
                self._keys_outdated = True
            return jwt.decode(
                token, KeySet.import_key_set(self._description()["jwks"]), algorithms=algorithms
            )

    def _checked_claims(self, token: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken

        decoded = self._decode(token["id_token"])
        client = self._settings.oidc_client
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {"iss": {"values": [self.issuer]}, "aud": {"values": [client]}},
            {"nonce": attempt.nonce, "client_id": client, "access_token": token.get("access_token")},
        )
        claims.validate(leeway=_LEEWAY)
        if attempt.again and time.time() - float(claims.get("auth_time") or 0) > 5 * _LEEWAY:
            raise ProviderError(gettext("The provider did not ask you to sign in again."))
        return dict(claims)

    def _description(self) -> dict[str, Any]:
        """Return discovery document and keys. One request fetches them; no other waits for it."""
        with self._lock:
            moment, cached = time.monotonic(), self._described
            if cached is not None and (
                self._fetching or not self._keys_outdated and moment - cached[0] <= _DESCRIPTION_LIFETIME
            ):
                return cached[1]
            if self._fetching:
                raise _busy()
            if self._failed is not None and moment - self._failed < _RETRY_AFTER:
                raise _unreachable()
            self._fetching = True
        description = None
        try:
            description = self._fetch_description()
        finally:
            with self._lock:
                self._fetching = False
                if description is None:
                    self._failed = time.monotonic()
                else:
                    self._described = time.monotonic(), description
                    self._keys_outdated, self._failed = False, None
        return description

    def _fetch_description(self) -> dict[str, Any]:
        try:
            with self._session() as session:
                document = self._fetch_json(
                    session, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                )
                if document.get("issuer") != self.issuer:
                    raise ValueError(f"its issuer is {document.get('issuer')}")
                for name in _ENDPOINTS:
                    if not is_safe_endpoint(str(document.get(name))):
                        raise ValueError(f"its {name} is not https: {document.get(name)}")
                return document | {"jwks": self._fetch_json(session, document["jwks_uri"])}
        except Exception as error:
            log.warning("the provider %s cannot be used: %s: %s", self.issuer, type(error).__name__, error)
            raise _unreachable() from error

    def _fetch_json(self, session: Any, url: str) -> dict[str, Any]:
        response = session.request("GET", url, withhold_token=True, timeout=_TIMEOUT, allow_redirects=False)
        if response.status_code != 200:
            raise ValueError(f"{url} answered {response.status_code}")
        document: dict[str, Any] = response.json()
        return document

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


def _unreachable() -> ProviderError:
    return ProviderError(gettext("The provider cannot be reached, or its description is invalid."))


def _busy() -> ProviderError:
    return ProviderError(
        gettext("The provider is busy with other sign-ins at the moment."),
        gettext("Try again in a minute."),
    )


def linked_subject(issuer: str, sub: str) -> str:
    """Return the hash of issuer and subject that identifies an account."""
    return sha256(f"{issuer}\0{sub}".encode()).hexdigest()


def role_of_claims(settings: Settings, claims: Mapping[str, Any]) -> Role | None:
    """Return the highest role that the claimed groups give; None if they give none."""
    claim = claims.get(settings.oidc_claim, [])
    groups = {claim} if isinstance(claim, str) else {str(group) for group in claim or []}
    roles = {role for group, role in settings.oidc_roles.items() if group in groups or group == ANY_GROUP}
    return max((Role(role) for role in roles), key=list(Role).index, default=None)


def account_of_claims(
    session: Session, settings: Settings, passwords: Passwords, claims: Mapping[str, Any]
) -> User:
    """Return the account that belongs to an identity, created if necessary; raise :class:`UserError`.

    The session must be alone (:meth:`webapp.storage.database.Database.alone`).
    """
    role = role_of_claims(settings, claims)
    if role is None:
        raise _refusal(gettext("Your groups at the provider give no role here."))
    subject = linked_subject(str(settings.oidc_issuer), str(claims["sub"]))
    user = session.scalar(select(User).where(User.subject == subject))
    if user is None:
        return _new_account(session, passwords, claims, subject, role)
    people_records.refuse_altered_account(session, user)
    if user.disabled is not None:
        raise _refusal(gettext("This account is disabled."))
    if user.role != role:
        users.set_role(session, user, role, by="provider")
    return user


def link_account(session: Session, settings: Settings, user: User, sub: str) -> None:
    """Link an existing account to a subject of the provider.

    Raises :class:`~webapp.errors.UserError` if no provider is configured or another account is linked to it.
    """
    if settings.oidc_issuer is None:
        raise UserError(
            409, gettext("REELPROOF_OIDC_ISSUER names no provider."), gettext("Set it as for the app.")
        )
    subject = linked_subject(settings.oidc_issuer, sub)
    other = session.scalar(select(User).where(User.subject == subject, User.id != user.id))
    if other is not None:
        raise UserError(
            409,
            gettext("This SUBJECT signs in to the account “%(name)s” already.", name=other.name),
            gettext("First link that account to another SUBJECT."),
        )
    user.subject = subject
    custody_log.append_access_event(session, "account linked", account=user.name, subject=user.subject)


def end_provider_sessions(session: Session, settings: Settings, sub: str) -> tuple[str, int]:
    """End a subject's sessions begun through the provider; return the account's name and their number."""
    subject = linked_subject(str(settings.oidc_issuer), sub)
    user = session.scalar(select(User).where(User.subject == subject))
    if user is None:
        return "", 0
    return user.name, sessions.end_sessions(
        session, SessionRow.user_id == user.id, SessionRow.way == "provider"
    )


def account_name(claims: Mapping[str, Any]) -> str:
    """Derive an account's name from the claims, in the characters that names allow."""
    for claim in ("preferred_username", "email", "sub"):
        name = re.sub(r"[^a-z0-9._@-]+", "-", str(claims.get(claim) or "").lower()).strip("-._@")
        name = name[:40].rstrip("-._@")
        if len(name) > 1:
            return name
    return f"account-{sha256(str(claims['sub']).encode()).hexdigest()[:12]}"


def _new_account(
    session: Session, passwords: Passwords, claims: Mapping[str, Any], subject: str, role: Role
) -> User:
    name = account_name(claims)
    if users.find(session, name) is not None:
        linked = {"name": name}
        raise _refusal(
            N_("There is an account “%(name)s” here that is not linked to yours at the provider.") % linked,
            N_("An administrator can link it: python -m webapp link-account %(name)s SUBJECT") % linked,
        )
    display = " ".join(str(claims.get("name") or name).split())[:60]
    if looks_taken(display, (user.display for user in users.list_users(session))):
        display = f"{display} ({name})"[:80]
    # Nobody knows this password; an administrator can set another one.
    password = generate_password()
    user = users.add(session, passwords, name, display, role, password, one_time=False, by="provider")
    user.subject = subject
    return user


def _refusal(error: str, remedy: str = "") -> UserError:
    return UserError(403, error, remedy or gettext("Ask an administrator."))
