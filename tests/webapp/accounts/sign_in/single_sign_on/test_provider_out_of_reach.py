"""An OpenID Connect provider that is gone or slow holds nobody up."""

from __future__ import annotations

from people import account, signed_in, token, with_login
from through_provider import through_provider

from webapp.accounts import openid
from webapp.accounts.openid import Provider
from webapp.accounts.permissions import Role


def test_an_unreachable_provider_is_reported(tmp_path, sent, settings):
    app = with_login(tmp_path / "data", sent, **settings | {"REELPROOF_OIDC_ISSUER": "http://127.0.0.1:9"})
    account(app, "root", Role.ADMINISTRATOR)
    answer = app.test_client().get("/login/provider")
    assert answer.status_code == 502 and "cannot be reached" in answer.text
    assert token(signed_in(app, "root"))  # passwords work as before
    app.extensions["database"].close()


def test_an_unreachable_provider_is_not_requested_for_each_visitor(tmp_path, sent, settings, monkeypatch):
    app = with_login(tmp_path / "data", sent, **settings | {"REELPROOF_OIDC_ISSUER": "http://127.0.0.1:9"})
    asked: list[str] = []
    fetch = Provider._fetch_json
    monkeypatch.setattr(Provider, "_fetch_json", lambda *given: asked.append(given[2]) or fetch(*given))
    for _ in range(3):
        assert app.test_client().get("/login/provider").status_code == 502
    assert len(asked) == 1
    monkeypatch.setattr(openid, "_RETRY_AFTER", 0)
    app.test_client().get("/login/provider")
    assert len(asked) == 2
    app.extensions["database"].close()


def test_requests_do_not_wait_for_another_fetch_of_the_description(app, provider, monkeypatch):
    """The one that asks is held here until the others were answered."""
    answers: list[int] = []
    fetch = Provider._fetch_description

    def held(asked: Provider):
        answers.extend(app.test_client().get("/login/provider").status_code for _ in range(3))
        return fetch(asked)

    monkeypatch.setattr(Provider, "_fetch_description", held)
    assert app.test_client().get("/login/provider").status_code == 303
    assert answers == [502] * 3
    monkeypatch.setattr(openid, "_DESCRIPTION_LIFETIME", 0)  # what it said of itself before will do meanwhile
    assert app.test_client().get("/login/provider").status_code == 303
    assert answers == [502] * 3 + [303] * 3


def test_concurrent_sign_ins_are_limited(app, provider):
    through_provider(app.test_client())
    room = app.extensions["provider"]._slots
    held = [room.acquire(blocking=False) for _ in range(openid._CONCURRENT_SIGN_INS)]
    provider.asked.clear()
    answer = through_provider(app.test_client())
    assert all(held) and answer.status_code == 502 and "busy with other sign-ins" in answer.text
    assert provider.asked == ["/authorize"]
    room.release(openid._CONCURRENT_SIGN_INS)
    assert through_provider(app.test_client()).status_code == 303
