"""API tokens: what is kept, what they allow, how they end, the page and the commands."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
from made_results import finished
from people import PASSWORD, account, signed_in, with_login
from people import token as csrf
from sqlalchemy import select, update

from cli.web import main as cli
from webapp.accounts import tokens
from webapp.accounts.permissions import LOCAL, Permission, Role
from webapp.accounts.users import principal_of
from webapp.custody import custody_log
from webapp.storage.tables import AnalysisRow, ApiToken, SessionRow, User, now

API = "/api/v1"


def made(app, who=LOCAL, scopes=("read",), **more) -> str:
    with app.extensions["database"].alone() as session:
        return tokens.create(session, who, "test", scopes, **more).token


def ask(client, token: str, path: str = "/me", method: str = "GET"):
    return client.open(API + path, method=method, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def lab(tmp_path):
    app = with_login(tmp_path / "data", [])
    ada, bob = account(app, "ada", Role.EXAMINER), account(app, "bob", Role.READER)
    yield app, principal_of(ada), principal_of(bob)
    app.extensions["database"].close()


def test_only_the_hash_is_stored(app, client):
    token = made(app)
    assert re.fullmatch(r"rp_[A-Za-z0-9_-]{43}", token)
    with app.extensions["database"].begin() as session:
        row = session.scalars(select(ApiToken)).one()
        everything = " ".join(str(value) for value in vars(row).values())
    assert row.sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert token not in everything and token[3:] not in everything
    assert ask(client, token).json == {"name": "local user", "scopes": ["read"]}


def test_a_token_allows_only_its_scopes(app, client):
    row, token = finished(app), made(app, scopes=("read", "analyse"))
    assert ask(client, token, f"/analyses/{row.id}").status_code == 200
    assert ask(client, token, f"/analyses/{row.id}/cancel", "POST").status_code == 409
    for path, method in ((f"/analyses/{row.id}", "DELETE"), (f"/analyses/{row.id}/report.pdf", "GET")):
        answer = ask(client, token, path, method)
        assert answer.status_code == 403 and "token" in answer.json["detail"], answer.text
    assert client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 403


@pytest.mark.parametrize("token", ["", "x", "rp_" + "A" * 43, "rp_" + "ä" * 43])
def test_an_invalid_token_is_not_the_local_user(client, token):
    answer = client.get(f"{API}/me", headers={"Authorization": f"Bearer {token}".encode().decode("latin-1")})
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "add-token" in answer.json["remedy"]  # without login there is no account page
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER ", " Bearer"])
def test_the_scheme_is_case_insensitive(app, client, scheme):
    answer = client.get(f"{API}/me", headers={"Authorization": f"{scheme} {made(app)}"})
    assert answer.json["scopes"] == ["read"]


@pytest.mark.parametrize(
    "header", ["{token}", "Token {token}", "Bearer:{token}", "Bearer\t{token}", "bearer"]
)
def test_a_token_with_another_scheme_is_refused(app, client, header):
    answer = client.get(f"{API}/me", headers={"Authorization": header.format(token=made(app))})
    assert answer.status_code == 401, answer.text
    assert client.get(f"{API}/health", headers={"Authorization": header}).status_code == 200


def test_schemes_of_proxies_are_ignored(client):
    answer = client.get(f"{API}/me", headers={"Authorization": "Basic YWRhOnNlY3JldA=="})
    assert answer.status_code == 200 and "administer" in answer.json["scopes"]


def test_tokens_expire_and_are_revoked(app, client):
    database = app.extensions["database"]
    token = made(app, expires=now() + timedelta(hours=1))
    assert ask(client, token).status_code == 200
    with database.begin() as session:
        row = session.scalars(select(ApiToken)).one()
        assert row.used is not None
        row.expires = now() - timedelta(seconds=1)
    assert ask(client, token).status_code == 401
    other = made(app)
    with database.begin() as session:
        api_token = next(row for row in tokens.list_tokens(session, LOCAL) if row.expires is None)
        for _ in range(2):
            assert tokens.revoke(session, LOCAL, api_token.id)
        revoked = [
            entry.details for entry in custody_log.iter_entries(session) if "revoked" in str(entry.details)
        ]
    assert ask(client, other).status_code == 401 and len(revoked) == 1


@pytest.mark.parametrize(
    ("name", "scopes", "words"),
    [
        ("", ("read",), "needs a name"),
        ("x" * 81, ("read",), "more than 80 characters"),
        ("back\u200bup", ("read",), r"invisible character \(U\+200B\)"),
        ("x", (), "scopes"),
        ("x", ("odd",), "scopes"),
    ],
)
def test_invalid_tokens_are_not_created(app, name, scopes, words):
    with app.extensions["database"].alone() as session, pytest.raises(tokens.TokenError, match=words):
        tokens.create(session, LOCAL, name, scopes)


def test_expired_tokens_do_not_count(app, monkeypatch):
    monkeypatch.setattr(tokens, "MAX_TOKENS", 1)
    made(app, expires=now() + timedelta(days=1))
    with pytest.raises(tokens.TokenError, match="tokens already"):
        made(app)
    with app.extensions["database"].begin() as session:
        session.execute(update(ApiToken).values(expires=now()))
    made(app)


def test_with_login_a_token_is_required_and_acts_for_its_owner(lab):
    app, ada, bob = lab
    client = app.test_client()
    assert client.get(f"{API}/analyses").status_code == 401
    assert client.get(f"{API}/health").status_code == client.get(f"{API}/openapi.json").status_code == 200
    row = finished(app)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).owner_id = ada.user_id
    hers, his = made(app, ada, ("read", "delete")), made(app, bob, ("read",))
    assert ask(client, hers, f"/analyses/{row.id}").status_code == 200
    assert ask(client, his, f"/analyses/{row.id}").status_code == 404
    for path in ("/analyses", "/exhibits"):
        assert len(ask(client, hers, path).json["items"]) == 1 and ask(client, his, path).json["items"] == []
    assert ask(client, his, f"/exhibits/{row.exhibit.sha256}").status_code == 404
    with (
        app.extensions["database"].alone() as session,
        pytest.raises(tokens.TokenError, match="may not delete"),
    ):
        tokens.create(session, bob, "more than he may", ("read", "delete"))
    with app.extensions["database"].begin() as session:
        session.get_one(User, ada.user_id).role = Role.READER
    assert ask(client, hers, f"/analyses/{row.id}", "DELETE").status_code == 403
    with app.extensions["database"].begin() as session:
        session.get_one(User, ada.user_id).disabled = now()
    assert ask(client, hers, f"/analyses/{row.id}").status_code == 401


def test_a_token_of_the_local_user_stops_working_with_login(lab):
    app, *_ = lab
    assert ask(app.test_client(), made(app, LOCAL, ("read",))).status_code == 401


def test_the_page_shows_a_token_once(lab):
    app, ada, _ = lab
    client = signed_in(app, "ada")
    form = {"name": "night <b>", "scope": ["read", "analyse"], "expires": ""}
    text = client.post("/account/tokens", data=form).text
    token = re.search(r"rp_[A-Za-z0-9_-]{43}", text)[0]
    assert ask(app.test_client(), token).json["scopes"] == ["read", "analyse"]
    later = client.get("/account/tokens").text
    assert "lesen; erstellt" in client.get("/account/tokens", headers={"Accept-Language": "de"}).text
    assert token not in later and "night &lt;b&gt;" in later
    assert 'value="delete"' in later and 'value="administer"' not in later
    with app.extensions["database"].begin() as session:
        row = tokens.list_tokens(session, ada)[0]
    assert client.post(f"/account/tokens/{row.id}/revoke").status_code == 303
    assert ask(app.test_client(), token).status_code == 401
    assert signed_in(app, "bob").post(f"/account/tokens/{row.id}/revoke").status_code == 404
    bad = client.post("/account/tokens", data=form | {"expires": "soon"})
    assert bad.status_code == 400 and "such as 2027" in bad.text


def test_a_token_cannot_create_tokens(app, client):
    token = made(app, scopes=tuple(Permission))
    headers = {"Authorization": f"Bearer {token}"}
    form = {"name": "x", "scope": "read"}
    assert client.post("/account/tokens", data=form, headers=headers).status_code == 403
    assert client.post("/account/tokens", data=form).status_code == 200


def test_creating_a_token_requires_the_password_again(lab):
    app, *_ = lab
    client = signed_in(app, "ada")
    with app.extensions["database"].begin() as session:
        session.scalars(select(SessionRow)).one().confirmed -= timedelta(minutes=16)
    form = {"name": "x", "scope": "read"}
    assert client.post("/account/tokens", data=form).location.startswith("/confirm")
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(ApiToken)).all() == []
    assert client.get("/account/tokens").status_code == 200
    client.post("/confirm", data={"password": PASSWORD})
    client.environ_base["HTTP_X_CSRF_TOKEN"] = csrf(client)
    assert client.post("/account/tokens", data=form).status_code == 200


def test_a_token_cannot_do_what_requires_the_password_again(lab):
    app, *_ = lab
    root = account(app, "root", Role.ADMINISTRATOR)
    headers = {"Authorization": f"Bearer {made(app, principal_of(root), tuple(Permission))}"}
    client = app.test_client()
    assert client.get("/users", headers=headers).status_code == 403
    answer = client.post("/users/1/role", data={"role": "administrator"}, headers=headers)
    assert answer.status_code == 403 and "Sign in with a browser" in answer.text
    assert 'value="administer"' not in signed_in(app, "root").get("/account/tokens").text


def test_a_reset_and_optionally_a_change_of_password_revoke_tokens(lab):
    app, ada, _ = lab
    account(app, "root", Role.ADMINISTRATOR)
    client, token = signed_in(app, "ada"), made(app, ada)
    assert "Also revoke my 1 API token" in client.get("/account").text
    change = {"old": PASSWORD, "new": "marble kettle 48 orchid", "again": "marble kettle 48 orchid"}
    assert client.post("/account/password", data=change).status_code == 303
    assert ask(app.test_client(), token).status_code == 200, "a change keeps them unless asked"
    client.environ_base["HTTP_X_CSRF_TOKEN"] = csrf(client)
    back = {"old": change["new"], "new": PASSWORD, "again": PASSWORD, "tokens": "revoke"}
    assert client.post("/account/password", data=back).status_code == 303
    assert ask(app.test_client(), token).status_code == 401
    other = made(app, ada)
    answer = signed_in(app, "root").post(f"/users/{ada.user_id}/password")
    assert answer.status_code == 200 and "1 API token" in answer.text
    assert ask(app.test_client(), other).status_code == 401
    # While the password is one somebody else gave out, a token must not go round the forced change.
    assert ask(app.test_client(), made(app, ada)).status_code == 401


def test_commands_create_list_and_revoke_tokens(app, client, monkeypatch, capsys):
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["add-token", "--name", "ci", "--scope", "read", "--scope", "export", "--days", "2"]) == 0
    token = capsys.readouterr().out.strip()
    assert ask(client, token).json["scopes"] == ["read", "export"]
    assert cli.run(["list-tokens"]) == 0
    listed = capsys.readouterr().out
    assert "ci" in listed and token not in listed
    assert cli.run(["revoke-token", listed.split()[0]]) == 0
    assert ask(client, token).status_code == 401
    assert cli.run(["revoke-token", "nothing"]) == 2
    assert "with --user NAME those of an account" in capsys.readouterr().err
    assert cli.run(["add-token", "--name", "x", "--scope", "read", "--user", "nobody"]) == 2
    for days in ("0", "99999999", "9" * 5000):
        with pytest.raises(SystemExit):
            cli.run(["add-token", "--name", "x", "--scope", "read", "--days", days])


def test_listing_local_tokens_names_accounts_with_tokens(lab, monkeypatch, capsys):
    app, ada, _bob = lab
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["list-tokens"]) == 0 and capsys.readouterr() == ("", "")
    made(app, ada)
    assert cli.run(["list-tokens"]) == 0
    assert "with --user NAME; these have some: ada." in capsys.readouterr().err
    assert cli.run(["list-tokens", "--user", "ada"]) == 0
    listed = capsys.readouterr()
    assert "test" in listed.out and not listed.err
