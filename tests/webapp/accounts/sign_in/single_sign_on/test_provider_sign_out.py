"""Signing out at an OpenID Connect provider, and what it says of that here."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from openid_provider import CLIENT
from people import signed_in, token
from sqlalchemy import select
from through_provider import events, through_provider

from webapp.storage.tables import SessionRow


def test_signing_out_at_the_provider_ends_sessions(app, provider):
    client, other = app.test_client(), app.test_client()
    through_provider(client)
    through_provider(other)
    signed_in(app, "root")
    answer = app.test_client().post("/login/provider/ended", data={"logout_token": provider.logout_token()})
    assert (answer.status_code, answer.json) == (200, {"ended": 2})
    assert client.get("/help").status_code == other.get("/help").status_code == 303
    with app.extensions["database"].begin() as session:
        assert [row.user.name for row in session.scalars(select(SessionRow))] == ["root"]
    last = events(app, "sign-out")[-1]
    assert (last["account"], last["by"], last["sessions"]) == ("ada", "provider", 2)
    nobody = {"logout_token": provider.logout_token(sub="somebody else")}
    assert app.test_client().post("/login/provider/ended", data=nobody).json == {"ended": 0}


@pytest.mark.parametrize("changed", [{}, {"jti": None}])
def test_a_logout_token_that_is_sent_again_ends_no_new_session(app, provider, changed):
    used = {"logout_token": provider.logout_token(**changed)}
    through_provider(app.test_client())
    assert app.test_client().post("/login/provider/ended", data=used).json == {"ended": 1}
    client = app.test_client()
    through_provider(client)
    again = app.test_client().post("/login/provider/ended", data=used)
    assert again.status_code == 400 and "used before" in again.json["error_description"]
    assert client.get("/help").status_code == 200
    another = {"logout_token": provider.logout_token(**changed, exp=int(time.time()) + 30)}
    assert app.test_client().post("/login/provider/ended", data=another).json == {"ended": 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another"},
        {"iss": "http://127.0.0.1:1"},
        {"events": {}},
        {"events": None},
        {"nonce": "x"},  # an ID token is none
        {"iat": 1},
        {"exp": 1},
        {"nbf": time.time() + 7200},
        {"nbf": "soon"},
        {"typ": "at+jwt"},  # an access token
        {"typ": "application/at+jwt"},
        {"typ": "dpop+jwt"},
        {"sub": None, "sid": "s1"},
    ],
)
def test_invalid_logout_tokens_are_refused(app, provider, changed):
    client = app.test_client()
    through_provider(client)
    form = {"logout_token": provider.logout_token(**changed)}
    answer = app.test_client().post("/login/provider/ended", data=form)
    assert answer.status_code == 400 and answer.json["error"] == "invalid_request"
    assert client.get("/help").status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"typ": "application/Logout+JWT"},
        {"exp": None},
        {"nbf": time.time() - 5},
    ],
)
def test_valid_logout_tokens_are_accepted(app, provider, changed):
    client = app.test_client()
    through_provider(client)
    form = {"logout_token": provider.logout_token(**changed)}
    assert app.test_client().post("/login/provider/ended", data=form).json == {"ended": 1}
    assert client.get("/help").status_code == 303


def test_logout_tokens_with_unknown_keys_do_not_refresh_keys(app, provider):
    client = app.test_client()
    through_provider(client)
    provider.asked.clear()
    provider.change_key()
    for logout_token in (provider.logout_token(), "nonsense", ""):
        answer = app.test_client().post("/login/provider/ended", data={"logout_token": logout_token})
        assert answer.status_code == 400
    assert provider.asked == [] and client.get("/help").status_code == 200


def test_signing_out_offers_sign_out_at_the_provider(app, provider):
    client = app.test_client()
    through_provider(client)
    answer = client.post("/logout", data={"csrf_token": token(client)})
    assert answer.location == "/login?left=provider"
    assert "/logout/provider" in client.get(answer.location).text
    assert "/logout/provider" not in client.get("/login").text
    there = urlsplit(client.get("/logout/provider").location)
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{provider.issuer}/leave"
    query = parse_qs(there.query)
    assert query == {"client_id": [CLIENT], "post_logout_redirect_uri": ["http://localhost/login"]}


def test_a_provider_without_end_session_endpoint_is_reported(app, provider):
    provider.has_way_out = False
    answer = app.test_client().get("/logout/provider")
    assert answer.status_code == 502 and "no page to sign out" in answer.text
