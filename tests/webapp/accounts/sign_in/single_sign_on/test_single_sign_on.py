"""Sign-in through an OpenID Connect provider that the test starts on loopback."""

from __future__ import annotations

import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from openid_provider import CLIENT
from people import account, sign_in, with_login
from sqlalchemy import select
from through_provider import at_provider, events, through_provider, user

from cli.web import main as cli
from webapp.accounts import openid
from webapp.accounts.permissions import Role
from webapp.settings import SettingError, read_settings
from webapp.storage.tables import SessionRow


def test_a_member_signs_in_twice(app, provider, monkeypatch, capsys):
    client = app.test_client()
    assert "through your organisation" in client.get("/login").text
    assert provider.asked == []  # nothing before somebody chooses it
    answer = through_provider(client)
    assert (answer.status_code, answer.location) == (303, "/help")
    assert client.get("/help").status_code == 200  # the provider's own second factor counts
    made = user(app, "ada")
    assert (made.display, made.role) == ("Ada L.", "examiner")
    assert "Ada L." in client.get("/account").text
    assert events(app, "sign-in")[-1]["by"] == "provider"
    provider.claims |= {"preferred_username": "renamed", "groups": ["lab", "chiefs"]}
    assert through_provider(app.test_client()).status_code == 303
    assert user(app, "renamed") is None and user(app, "ada").role == "administrator"
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()


def test_repeated_refusals_make_few_log_entries(app):
    """A cookie that was kept is good for ten minutes, whoever sends it how often."""
    client = app.test_client(use_cookies=False)
    cookie = client.get("/login/provider").headers["Set-Cookie"].split(";")[0]
    for _ in range(12):
        again = client.get("/login/provider/return?state=x&code=y", headers={"Cookie": cookie})
        assert again.status_code == 502
    assert [entry.get("times") for entry in events(app, "sign-in refused")] == [None, "10 within an hour"]


def test_accounts_of_the_provider_have_no_known_password(app, provider):
    through_provider(app.test_client())
    assert sign_in(app.test_client(), "ada").status_code == 401


@pytest.mark.parametrize(
    ("claims", "answer", "status"),
    [
        ({"groups": ["others"]}, {}, 403),
        ({"groups": None}, {}, 403),
        ({"name": "Ada\u2800"}, {}, 400),
        ({"name": "\u3164"}, {}, 400),
        ({"name": "A\u034fda"}, {}, 400),
        ({"preferred_username": "root"}, {}, 403),  # an account that is not theirs
        ({}, {"nonce": "another"}, 502),
        ({}, {"nonce": None}, 502),
        ({}, {"aud": "another"}, 502),
        ({}, {"iss": "http://127.0.0.1:1"}, 502),
        ({}, {"exp": 1}, 502),
        ({}, {"azp": "another"}, 502),
    ],
)
def test_identities_without_role_or_account_are_refused(app, provider, claims, answer, status):
    provider.claims |= claims
    provider.answer = answer
    client = app.test_client()
    refused = through_provider(client)
    assert refused.status_code == status and 'role="alert"' in refused.text
    assert client.get("/help").status_code == 303
    assert client.get_cookie("reelproof") is None
    assert user(app, "ada") is None
    assert events(app, "sign-in refused")[-1]["by"] == "provider"


def test_a_response_works_once_in_its_browser(app, provider):
    client = app.test_client()
    back = urlsplit(at_provider(client.get("/login/provider").location))
    other = app.test_client()
    other.get("/login/provider")  # another attempt, of another browser
    assert other.get(f"{back.path}?{back.query}").status_code == 502
    assert client.get(f"{back.path}?{back.query}").status_code == 303
    replayed = client.get(f"{back.path}?{back.query}")
    assert replayed.location.startswith("/login")
    assert app.test_client().get(f"{back.path}?{back.query}").location.startswith("/login")


def test_state_issuer_errors_and_algorithms(app, provider):
    assert through_provider(app.test_client(), state="another").status_code == 502
    assert through_provider(app.test_client(), iss="http://127.0.0.1:1").status_code == 502
    assert through_provider(app.test_client(), code="another").status_code == 502
    provider.error = "access_denied"
    assert through_provider(app.test_client()).status_code == 502
    provider.error, provider.algorithm = "", "RS512"  # none that is taken
    assert through_provider(app.test_client()).status_code == 502
    provider.algorithm = "RS256"
    provider.change_key()
    assert through_provider(app.test_client()).status_code == 303


def test_confirming_goes_through_the_provider(app, provider):
    provider.claims |= {"groups": ["chiefs"]}
    client = app.test_client()
    through_provider(client)
    with app.extensions["database"].begin() as session:
        for row in session.scalars(select(SessionRow)):
            row.confirmed -= timedelta(minutes=16)
    assert client.get("/users").location.startswith("/confirm")
    assert "again through your organisation" in client.get("/confirm?next=/users").text
    provider.answer = {"auth_time": int(time.time()) - 3600}
    assert through_provider(client, "/login/provider?again=1&next=/users").status_code == 502
    provider.answer = {}
    assert through_provider(client, "/login/provider?again=1&next=/users").location == "/users"
    assert client.get("/users").status_code == 200
    provider.claims |= {"sub": "b2", "preferred_username": "bob"}
    assert through_provider(client, "/login/provider?again=1&next=/users").status_code == 403


def test_disabled_accounts_stay_out_and_existing_ones_are_linked(app, provider, monkeypatch, capsys):
    account(app, "ada", Role.EXAMINER)
    assert through_provider(app.test_client()).status_code == 403
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    for name, value in {"ISSUER": provider.issuer, "CLIENT": CLIENT, "ROLES": "lab=examiner"}.items():
        monkeypatch.setenv(f"REELPROOF_OIDC_{name}", value)
    assert cli.run(["link-account", "ada", "a1"]) == 0
    assert through_provider(app.test_client()).status_code == 303
    account(app, "ada.l", Role.EXAMINER)
    assert cli.run(["link-account", "ada.l", "a1"]) == 2
    message = capsys.readouterr().err
    assert "signs in to the account “ada” already." in message and "cannot be used" not in message
    assert cli.run(["link-account", "ada", "a1"]) == 0
    assert cli.run(["disable-user", "ada"]) == 0
    refused = through_provider(app.test_client())
    assert refused.status_code == 403 and "This account is disabled." in refused.text


def test_without_login_or_provider_the_routes_answer_404(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    assert app.test_client().get("/login/provider").status_code == 404
    assert "organisation" not in app.test_client().get("/login").text
    app.extensions["database"].close()


@pytest.mark.parametrize(
    ("claims", "changed", "shown", "kept"),
    [
        (
            {},
            {"state": "another"},
            "Versuchen Sie es erneut, oder wenden Sie sich an die Administration.",
            "This response does not belong to a sign-in started in this browser.",
        ),
        (
            {"groups": ["others"]},
            {},
            "Ihre Gruppen beim Anbieter geben hier keine Rolle. Wenden Sie sich an die Administration.",
            "Your groups at the provider give no role here.",
        ),
        (
            {"preferred_username": "root"},
            {},
            "Es gibt hier ein Konto „root“, das mit Ihrem beim Anbieter nicht verknüpft ist.",
            "There is an account “root” here that is not linked to yours at the provider.",
        ),
    ],
)
def test_a_refusal_is_translated_on_the_page_and_english_in_the_log(
    app, provider, claims, changed, shown, kept
):
    provider.claims |= claims
    client = app.test_client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de"
    assert shown in through_provider(client, **changed).text
    assert events(app, "sign-in refused")[-1]["why"] == kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"REELPROOF_OIDC_ISSUER": "http://login.example"},
        {"REELPROOF_OIDC_ISSUER": "nonsense"},
        {"REELPROOF_OIDC_ROLES": ""},
        {"REELPROOF_OIDC_ROLES": "lab=king"},
        {"REELPROOF_OIDC_CLIENT": ""},
    ],
)
def test_invalid_settings_are_refused(settings, wrong):
    with pytest.raises(SettingError, match="REELPROOF_OIDC_"):
        read_settings(settings | wrong)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "Ada Löve", "sub": "1"}, "ada-l-ve"),
        ({"email": "ada@lab.example", "sub": "1"}, "ada@lab.example"),
        ({"sub": "x"}, "account-2d711642b726"),
    ],
)
def test_which_claim_names_the_account(claims, name):
    assert openid.account_name(claims) == name
