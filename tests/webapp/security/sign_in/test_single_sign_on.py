"""Sign-in through an OpenID Connect provider that the test starts on loopback."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import pytest
from openid_provider import CLIENT, SECRET, OpenIdProvider
from people import account, sign_in, signed_in, token, with_login
from sqlalchemy import select

from webapp.cli import main as cli
from webapp.security import accounts as account_store
from webapp.security import provider_accounts
from webapp.security.access.permissions import Role
from webapp.security.sign_in import openid
from webapp.security.sign_in.openid import Provider
from webapp.settings import SettingError, read_settings
from webapp.storage.tables import CustodyRow, SessionRow, User


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


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


def at_provider(address: str) -> str:
    """Where the provider sends a browser that comes to this address."""
    from urllib.error import HTTPError

    try:
        build_opener(_Stay).open(address)
    except HTTPError as answer:
        with answer:
            return str(answer.headers["Location"])
    raise AssertionError("the provider did not send the browser back")


def through_provider(client, at: str = "/login/provider?next=/help", **changed: str):
    """The answer to a browser that comes back from the provider."""
    back = urlsplit(at_provider(client.get(at).location))
    query = {name: values[0] for name, values in parse_qs(back.query).items()} | changed
    return client.get(back.path, query_string=query)


def user(app, name: str) -> User | None:
    with app.extensions["database"].begin() as session:
        return account_store.find(session, name)


def events(app, what: str) -> list[dict]:
    with app.extensions["database"].begin() as session:
        rows = session.scalars(select(CustodyRow.details).where(CustodyRow.action == "account"))
        return [entry for entry in map(json.loads, rows) if entry["what"] == what]


def test_somebody_of_the_lab_signs_in_and_again(app, provider, monkeypatch, capsys):
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


def test_many_refused_answers_are_few_entries(app):
    """A cookie that was kept is good for ten minutes, whoever sends it how often."""
    client = app.test_client(use_cookies=False)
    cookie = client.get("/login/provider").headers["Set-Cookie"].split(";")[0]
    for _ in range(12):
        again = client.get("/login/provider/return?state=x&code=y", headers={"Cookie": cookie})
        assert again.status_code == 502
    assert [each.get("times") for each in events(app, "sign-in refused")] == [None, "10 within an hour"]


def test_its_password_is_nobodys(app, provider):
    through_provider(app.test_client())
    assert sign_in(app.test_client(), "ada").status_code == 401


@pytest.mark.parametrize(
    ("claims", "answer", "status"),
    [
        ({"groups": ["others"]}, {}, 403),
        ({"groups": None}, {}, 403),
        ({"preferred_username": "root"}, {}, 403),  # an account that is not theirs
        ({}, {"nonce": "another"}, 502),
        ({}, {"nonce": None}, 502),
        ({}, {"aud": "another"}, 502),
        ({}, {"iss": "http://127.0.0.1:1"}, 502),
        ({}, {"exp": 1}, 502),
        ({}, {"azp": "another"}, 502),
    ],
)
def test_refused(app, provider, claims, answer, status):
    provider.claims |= claims
    provider.answer = answer
    client = app.test_client()
    refused = through_provider(client)
    assert refused.status_code == status and 'role="alert"' in refused.text
    assert client.get("/help").status_code == 303
    assert client.get_cookie("reelproof") is None
    assert user(app, "ada") is None
    assert events(app, "sign-in refused")[-1]["by"] == "provider"


def test_an_answer_works_once_in_the_browser_it_is_for(app, provider):
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


def test_signing_out_there_ends_the_sessions_here(app, provider):
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
def test_logout_tokens_refused(app, provider, changed):
    client = app.test_client()
    through_provider(client)
    told = {"logout_token": provider.logout_token(**changed)}
    answer = app.test_client().post("/login/provider/ended", data=told)
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
def test_logout_tokens_taken(app, provider, changed):
    client = app.test_client()
    through_provider(client)
    told = {"logout_token": provider.logout_token(**changed)}
    assert app.test_client().post("/login/provider/ended", data=told).json == {"ended": 1}
    assert client.get("/help").status_code == 303


def test_logout_tokens_of_another_key_make_nobody_ask_for_keys(app, provider):
    client = app.test_client()
    through_provider(client)
    provider.asked.clear()
    provider.change_key()
    for told in (provider.logout_token(), "nonsense", ""):
        answer = app.test_client().post("/login/provider/ended", data={"logout_token": told})
        assert answer.status_code == 400
    assert provider.asked == [] and client.get("/help").status_code == 200


def test_signing_out_here_offers_to_sign_out_there(app, provider):
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


def test_a_provider_without_a_way_out_is_said(app, provider):
    provider.has_way_out = False
    answer = app.test_client().get("/logout/provider")
    assert answer.status_code == 502 and "no page to sign out" in answer.text


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
    said = capsys.readouterr().err
    assert "signs in to the account “ada” already." in said and "cannot be used" not in said
    assert cli.run(["link-account", "ada", "a1"]) == 0
    assert cli.run(["disable-user", "ada"]) == 0
    refused = through_provider(app.test_client())
    assert refused.status_code == 403 and "This account is disabled." in refused.text


def test_without_login_or_provider_there_is_none(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    assert app.test_client().get("/login/provider").status_code == 404
    assert "organisation" not in app.test_client().get("/login").text
    app.extensions["database"].close()


def test_a_provider_that_is_gone_is_said(tmp_path, sent, settings):
    app = with_login(tmp_path / "data", sent, **settings | {"REELPROOF_OIDC_ISSUER": "http://127.0.0.1:9"})
    account(app, "root", Role.ADMINISTRATOR)
    answer = app.test_client().get("/login/provider")
    assert answer.status_code == 502 and "cannot be reached" in answer.text
    assert token(signed_in(app, "root"))  # passwords work as before
    app.extensions["database"].close()


def test_a_provider_that_is_gone_is_not_asked_for_everybody_who_comes(tmp_path, sent, settings, monkeypatch):
    app = with_login(tmp_path / "data", sent, **settings | {"REELPROOF_OIDC_ISSUER": "http://127.0.0.1:9"})
    asked: list[str] = []
    fetch = Provider._json
    monkeypatch.setattr(Provider, "_json", lambda *given: asked.append(given[2]) or fetch(*given))
    for _ in range(3):
        assert app.test_client().get("/login/provider").status_code == 502
    assert len(asked) == 1
    monkeypatch.setattr(openid, "_NOT_AGAIN_FOR", 0)
    app.test_client().get("/login/provider")
    assert len(asked) == 2
    app.extensions["database"].close()


def test_nobody_waits_while_another_request_asks_the_provider(app, provider, monkeypatch):
    """The one that asks is held here until the others were answered."""
    answers: list[int] = []
    fetch = Provider._fetched

    def held(asked: Provider):
        answers.extend(app.test_client().get("/login/provider").status_code for _ in range(3))
        return fetch(asked)

    monkeypatch.setattr(Provider, "_fetched", held)
    assert app.test_client().get("/login/provider").status_code == 303
    assert answers == [502] * 3
    monkeypatch.setattr(openid, "_CACHED", 0)  # what it said of itself before will do meanwhile
    assert app.test_client().get("/login/provider").status_code == 303
    assert answers == [502] * 3 + [303] * 3


def test_a_few_sign_ins_are_checked_at_the_provider_at_a_time(app, provider):
    through_provider(app.test_client())
    room = app.extensions["provider"]._room
    held = [room.acquire(blocking=False) for _ in range(openid._AT_ONCE)]
    provider.asked.clear()
    answer = through_provider(app.test_client())
    assert all(held) and answer.status_code == 502 and "taking long" in answer.text
    assert provider.asked == ["/authorize"]
    room.release(openid._AT_ONCE)
    assert through_provider(app.test_client()).status_code == 303


@pytest.mark.parametrize(
    ("claims", "changed", "shown", "kept"),
    [
        (
            {},
            {"state": "another"},
            "Versuchen Sie es erneut, oder wenden Sie sich an die Administration.",
            "This answer does not belong to a sign-in that was begun in this browser.",
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
def test_a_refusal_is_said_in_the_readers_language_and_kept_in_english(
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
def test_settings_that_cannot_work_are_refused(settings, wrong):
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
    assert provider_accounts.name_of(claims) == name
