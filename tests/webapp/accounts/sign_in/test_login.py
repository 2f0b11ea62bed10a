"""The login form, its cookies, and the secret they rest on."""

from __future__ import annotations

import time

import pytest
from people import CHEAP, account, sign_in, token, with_login

from webapp.accounts import passwords
from webapp.accounts.permissions import Role
from webapp.settings import SettingError
from webapp.storage.tables import User, now

HTTPS = {"wsgi.url_scheme": "https"}


def test_wrong_password_unknown_name_and_disabled_account_look_the_same(app, client):
    other = account(app, "bob", Role.READER)
    with app.extensions["database"].begin() as session:
        session.get_one(User, other.id).disabled = now()
    answers = [
        sign_in(client, "ada", "wrong"),
        sign_in(client, "nobody", "wrong"),
        sign_in(client, "bob"),
    ]
    assert [answer.status_code for answer in answers] == [401] * 3
    texts = {
        answer.text.replace(f'value="{name}"', "")
        for answer, name in zip(answers, ("ada", "nobody", "bob"), strict=True)
    }
    assert len(texts) == 1
    assert all("Set-Cookie" not in answer.headers for answer in answers)


def test_an_unknown_name_takes_as_long_as_a_wrong_password(monkeypatch, client):
    compared = []
    verify = CHEAP.verify
    monkeypatch.setattr(
        CHEAP, "verify", lambda kept, password: compared.append(kept) or verify(kept, password)
    )
    sign_in(client, "nobody", "wrong")
    sign_in(client, "ada", "wrong")
    assert len(compared) == 2
    usual = passwords.Passwords(passwords.Cost())
    assert not usual.verify(None, "first")  # the hash to compare with is made now
    start = time.process_time()
    usual.hash("wrong")
    started = time.process_time()
    assert not usual.verify(None, "wrong")
    assert time.process_time() - started > (started - start) / 10


def test_the_cookie_over_http_and_over_https(app, client):
    plain = sign_in(client, "ada").headers.getlist("Set-Cookie")
    assert [line.split("=")[0] for line in plain] == ["reelproof", "reelproof-device"]
    for line in plain:
        assert "HttpOnly" in line and "SameSite=Lax" in line and "Path=/" in line
        assert "Secure" not in line and "Domain" not in line
    answer = sign_in(app.test_client(), "ada", environ_overrides=HTTPS)
    for line in answer.headers.getlist("Set-Cookie"):
        assert line.startswith("__Host-reelproof") and "Secure" in line and "Domain" not in line
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_the_secret_is_created_once_with_private_permissions(app, tmp_path, sent):
    path = tmp_path / "data" / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_size == 32
    again = with_login(tmp_path / "data", sent)
    assert again.extensions["secret"] == app.extensions["secret"]
    again.extensions["database"].close()
    other = with_login(tmp_path / "other", sent)
    assert other.extensions["secret"] != app.extensions["secret"]
    other.extensions["database"].close()


def test_a_secret_others_may_read_is_refused(app, tmp_path, sent):
    path = tmp_path / "data" / "secret.key"
    path.chmod(0o644)
    with pytest.raises(SettingError, match="chmod 600"):
        with_login(tmp_path / "data", sent)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(SettingError, match="too short .* Who is signed in stays so"):
        with_login(tmp_path / "data", sent)


def test_another_secret_ends_no_session_but_forms_made_before(app, client, tmp_path, sent):
    """As the refusal of one that is too short says, and docs/security.md."""
    sign_in(client, "ada")
    before = token(client)
    cookie = client.get_cookie("reelproof").value
    (tmp_path / "data" / "secret.key").unlink()
    with_new = with_login(tmp_path / "data", sent)
    other = with_new.test_client()
    other.set_cookie("reelproof", cookie)
    assert other.get("/account").status_code == 200
    assert other.post("/account/language", data={"csrf_token": before, "language": "en"}).status_code == 403
    after = {"csrf_token": token(other), "language": "en"}
    assert other.post("/account/language", data=after).status_code == 303
    with_new.extensions["database"].close()


def test_without_login_there_are_no_cookies_and_no_form(tmp_path, sent):
    app = with_login(tmp_path / "alone", sent, REELPROOF_LOGIN="off")
    client = app.test_client()
    answer = client.get("/")
    assert answer.status_code == 200 and "Set-Cookie" not in answer.headers
    assert "Sign out" not in answer.text and "csrf" not in answer.text
    assert client.get("/login").location == "/"
    assert client.post("/login", data={"name": "x", "password": "y"}).location == "/"
    assert client.get("/account").status_code == 404
    assert client.get("/users").status_code == 200
    app.extensions["database"].close()
