"""Requests one person or network may make in a while."""

from __future__ import annotations

import pytest
from people import PASSWORD, account, rows, sign_in, signed_in

from webapp.accounts import request_guard, tokens
from webapp.accounts.permissions import Permission, Role
from webapp.accounts.request_guard import RateLimitExceeded, Rates
from webapp.accounts.users import principal_of
from webapp.storage.tables import SessionRow


def test_rates_are_counted_by_account(monkeypatch):
    monkeypatch.setattr("webapp.accounts.request_guard._ALL_REQUESTS", "3/minute")
    rates = Rates()
    for _ in range(3):
        rates.count("ada", None)
    with pytest.raises(RateLimitExceeded) as stopped:
        rates.count("ada", None)
    assert 1 <= stopped.value.retry_after <= 60
    rates.count("bob", None)


def test_parts_of_an_upload_do_not_count_as_started_work(app, monkeypatch):
    """A file of a gigabyte comes in more than a hundred parts."""
    monkeypatch.setitem(request_guard._COSTLY, Permission.ANALYSE, "3/minute")
    app.extensions["rates"] = Rates()
    who = principal_of(account(app, "eve", Role.EXAMINER))
    with app.extensions["database"].alone() as session:
        token = tokens.create(session, who, "test", ("analyse",)).token
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    client = app.test_client()
    began = client.post("/api/v1/uploads", headers=headers | {"Upload-Length": "9"})
    assert began.status_code == 201
    for offset in range(9):
        part = headers | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        assert client.patch(began.location, headers=part, data=b"x").status_code == 204
        assert client.get(began.location, headers=headers).json["offset"] == offset + 1
    assert client.delete(began.location, headers=headers).status_code == 204
    asked = [client.post("/api/v1/uploads", headers=headers | {"Upload-Length": "9"}) for _ in range(3)]
    assert [answer.status_code for answer in asked] == [201, 201, 429]
    assert int(asked[-1].headers["Retry-After"]) >= 1


def test_anonymous_callers_are_counted_by_network(app, monkeypatch):
    monkeypatch.setattr("webapp.accounts.request_guard._ALL_REQUESTS", "3/minute")
    app.extensions["rates"] = Rates()
    client = app.test_client()
    places = [f"[2001:db8::{number}]:{50000 + number}" for number in range(1, 6)]
    answers = [client.get("/login", environ_overrides={"REMOTE_ADDR": place}) for place in places]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    sign_in(client, "ada", environ_overrides={"REMOTE_ADDR": "[::ffff:10.9.8.7]:443"})
    assert [row.address for row in rows(app, SessionRow)] == ["10.9.8.7"]


def test_the_limit_is_explained(app, monkeypatch):
    monkeypatch.setattr("webapp.accounts.request_guard._ALL_REQUESTS", "3/minute")
    app.extensions["rates"] = Rates()
    client = app.test_client()
    answers = [client.get("/login") for _ in range(5)]
    assert [answer.status_code for answer in answers[-2:]] == [429, 429]
    seconds = int(answers[-1].headers["Retry-After"])
    assert seconds >= 1 and f"tries again after {seconds} s." in answers[-1].text
    assert "A download" not in answers[-1].text


def test_changes_of_password_are_limited_to_ten_a_minute(app):
    account(app, "ben", Role.EXAMINER)
    ada, ben = signed_in(app, "ada"), signed_in(app, "ben")
    form = {"old": PASSWORD, "new": "password1234", "again": "password1234"}
    answers = [ada.post("/account/password", data=form).status_code for _ in range(12)]
    assert answers == [400] * 10 + [429] * 2
    assert ada.get("/account").status_code == 200
    assert ben.post("/account/password", data=form).status_code == 400
