"""What a provider says of itself is used only where it is that provider's and leads nowhere unprotected."""

from __future__ import annotations

import pytest

from webapp.accounts.openid import Attempt, Provider, ProviderError
from webapp.settings import read_settings

ISSUER = "https://login.example"
NAMED = {
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "end_session_endpoint": f"{ISSUER}/leave",
}
BACK = "https://reelproof.example/login"


@pytest.fixture
def described(monkeypatch) -> dict[str, object]:
    """What it says; to be changed."""
    document: dict[str, object] = {"issuer": ISSUER} | NAMED
    keys: dict[str, object] = {"keys": []}
    at = f"{ISSUER}/.well-known/openid-configuration"
    monkeypatch.setattr(Provider, "_fetch_json", lambda _self, _session, url: document if url == at else keys)
    return document


@pytest.fixture
def provider(described) -> Provider:
    named = {"ISSUER": ISSUER, "CLIENT": "reelproof", "ROLES": "lab=examiner"}
    settings = {f"REELPROOF_OIDC_{name}": value for name, value in named.items()}
    return Provider(read_settings(settings | {"REELPROOF_LOGIN": "on"}))


def go(provider: Provider) -> str:
    return provider.authorization_url(Attempt.new(again=False, onwards="/"), BACK)


def test_a_valid_provider_description_is_used(provider):
    assert go(provider).startswith(NAMED["authorization_endpoint"] + "?")
    assert provider.end_session_url(BACK).startswith(NAMED["end_session_endpoint"] + "?")


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://other.example"},
        {"issuer": None},
        *({name: f"http://login.example/{name}"} for name in ("authorization_endpoint", "token_endpoint")),
        {"jwks_uri": "http://login.example/keys"},
        {"token_endpoint": None},
        {"token_endpoint": "https://somebody@login.example/token"},
    ],
)
def test_invalid_provider_descriptions_are_refused(provider, described, wrong):
    described |= wrong
    with pytest.raises(ProviderError, match="cannot be reached, or its description is invalid"):
        go(provider)


@pytest.mark.parametrize("there", ["http://login.example/leave", "javascript:alert(1)"])
def test_unsafe_end_session_endpoints_are_refused(provider, described, there):
    described["end_session_endpoint"] = there
    assert go(provider)
    with pytest.raises(ProviderError, match="sign-out page does not use https"):
        provider.end_session_url(BACK)
