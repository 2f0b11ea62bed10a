"""An account is taken from who knows its password while that is being checked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from people import CHEAP, PASSWORD, account, rows, sign_in, signed_in, token

from webapp.accounts import account_pages, login_pages, second_factor, sessions, users
from webapp.accounts.permissions import Role
from webapp.storage.tables import SessionRow, User

NEW = "marble kettle orchard 58"


@pytest.fixture
def meanwhile(app, monkeypatch) -> Callable[[object, str], None]:
    """Has Ada's password reset once what is named of an object was done."""

    def after(of: tuple[object, ...], name: str) -> None:
        real = getattr(of[0], name)

        def and_reset(*arguments: object) -> object:
            for module in of:
                monkeypatch.setattr(module, name, real)
            result = real(*arguments)
            with app.extensions["database"].alone() as session:
                user = users.find(session, "ada")
                users.reset_password(session, CHEAP, user, NEW, one_time=True)
            return result

        for module in of:
            monkeypatch.setattr(module, name, and_reset)

    return after


PAGES = (login_pages, account_pages)
CHECKED = [((CHEAP,), "verify"), (PAGES, "check_password")]
IDS = ["while it is compared", "before the session begins"]


@pytest.mark.parametrize(("of", "name"), CHECKED, ids=IDS)
@pytest.mark.parametrize("outdated", [False, True])
def test_the_old_password_opens_no_session(app, client, meanwhile, monkeypatch, of, name, outdated):
    monkeypatch.setattr(CHEAP, "outdated", lambda _kept: outdated)
    meanwhile(of, name)
    assert sign_in(client, "ada").status_code == 401
    assert rows(app, SessionRow) == [] and client.get("/analyses").status_code == 303
    assert sign_in(client, "ada", PASSWORD).status_code == 401, "it was not put back"
    assert sign_in(client, "ada", NEW).status_code == 303


def test_no_session_without_a_second_factor_set_up_meanwhile(app, client, monkeypatch):
    check = login_pages.check_password

    def and_set_up(*arguments: str) -> object:
        checked = check(*arguments)
        with app.extensions["database"].alone() as session:
            second_factor.confirm(session, users.find(session, "ada"))
        return checked

    monkeypatch.setattr(login_pages, "check_password", and_set_up)
    assert sign_in(client, "ada").status_code == 401
    assert rows(app, SessionRow) == []


@pytest.mark.parametrize(("of", "name"), CHECKED, ids=IDS)
@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("/confirm", {"password": PASSWORD}),
        (
            "/account/password",
            {"old": PASSWORD, "new": "copper lantern harbour 17", "again": "copper lantern harbour 17"},
        ),
    ],
)
def test_the_old_password_neither_confirms_nor_changes_the_password(app, meanwhile, of, name, form, fields):
    client = signed_in(app, "ada")
    brought = {"X-CSRF-Token": token(client)}
    meanwhile(of, name)
    assert client.post(form, data=fields, headers=brought).status_code in (400, 401)
    assert rows(app, SessionRow) == []
    (ada,) = rows(app, User)
    assert CHEAP.verify(ada.password, NEW) and ada.one_time


def test_an_ended_session_is_not_renewed(app, monkeypatch):
    """Its owner ended all, in another browser, while the password was confirmed in this one."""
    bob = account(app, "bob", Role.READER)
    client = signed_in(app, "bob")
    brought, check = {"X-CSRF-Token": token(client)}, login_pages.check_password

    def and_end(*arguments: str) -> object:
        with app.extensions["database"].alone() as session:
            sessions.end_sessions_of(session, bob.id)
        return check(*arguments)

    monkeypatch.setattr(login_pages, "check_password", and_end)
    assert client.post("/confirm", data={"password": PASSWORD}, headers=brought).status_code == 401
    assert rows(app, SessionRow) == []
