"""An OpenID Connect provider that is gone or slow holds nobody up."""

from __future__ import annotations

from people import account, signed_in, token, with_login
from through_provider import through_provider

from webapp.accounts import openid
from webapp.accounts.openid import Provider
from webapp.accounts.permissions import Role


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
