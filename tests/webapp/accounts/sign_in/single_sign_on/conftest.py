"""A provider on loopback, and an app whose accounts sign in through it."""

from __future__ import annotations

import pytest
from openid_provider import CLIENT, SECRET, OpenIdProvider
from people import account, with_login

from webapp.accounts.permissions import Role


@pytest.fixture(scope="module")
def server():
    server = OpenIdProvider()
    yield server
    server.close()


@pytest.fixture
def provider(server):
    server.claims = {"sub": "a1", "preferred_username": "ada", "name": "Ada L.", "groups": ["lab", "x"]}
    server.answer, server.algorithm, server.error, server.has_way_out = {}, "RS256", "", True
    server.asked.clear()
    return server


@pytest.fixture
def settings(provider, tmp_path) -> dict[str, str]:
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    return {
        "REELPROOF_OIDC_ISSUER": provider.issuer,
        "REELPROOF_OIDC_CLIENT": CLIENT,
        "REELPROOF_OIDC_SECRET_FILE": str(secret),
        "REELPROOF_OIDC_ROLES": "lab=examiner, chiefs=administrator",
    }


@pytest.fixture
def app(tmp_path, sent, settings):
    app = with_login(tmp_path / "data", sent, REELPROOF_SECOND_FACTOR="all", **settings)
    account(app, "root", Role.ADMINISTRATOR)
    yield app
    app.extensions["database"].close()
