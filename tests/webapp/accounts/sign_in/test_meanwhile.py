"""An account is taken from who knows its password while that is being checked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from people import CHEAP, PASSWORD, account, rows, sign_in, signed_in, token

from webapp.accounts import second_factor, sessions
from webapp.accounts import sign_in as accounts_sign_in
from webapp.accounts import users as account_store
from webapp.accounts.permissions import Role
from webapp.storage.tables import SessionRow, User

NEW = "marble kettle orchard 58"


@pytest.fixture
def meanwhile(app, monkeypatch) -> Callable[[object, str], None]:
    """Has Ada's password reset once what is named of an object was done."""

    def after(of: object, name: str) -> None:
        real = getattr(of, name)

        def and_reset(*arguments: object) -> object:
            monkeypatch.setattr(of, name, real)
            done = real(*arguments)
            with app.extensions["database"].alone() as session:
                user = account_store.find(session, "ada")
                account_store.reset_password(session, CHEAP, user, NEW, one_time=True)
            return done

        monkeypatch.setattr(of, name, and_reset)

    return after


CHECKED = [(CHEAP, "verify"), (accounts_sign_in, "check_password")]
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


def test_nor_without_the_second_factor_that_its_owner_sets_up(app, client, monkeypatch):
    check = accounts_sign_in.check_password

    def and_set_up(*arguments: str) -> object:
        checked = check(*arguments)
        with app.extensions["database"].alone() as session:
            second_factor.confirm(session, account_store.find(session, "ada"))
        return checked

    monkeypatch.setattr(accounts_sign_in, "check_password", and_set_up)
    assert sign_in(client, "ada").status_code == 401
    assert rows(app, SessionRow) == []


@pytest.mark.parametrize(("of", "name"), CHECKED, ids=IDS)
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("/confirm", {"password": PASSWORD}),
        (
            "/account/password",
            {"old": PASSWORD, "new": "copper lantern harbour 17", "again": "copper lantern harbour 17"},
        ),
    ],
)
def test_nor_does_it_keep_one_or_change_the_password(app, meanwhile, of, name, form, said):
    client = signed_in(app, "ada")
    brought = {"X-CSRF-Token": token(client)}
    meanwhile(of, name)
    assert client.post(form, data=said, headers=brought).status_code in (400, 401)
    assert rows(app, SessionRow) == []
    (ada,) = rows(app, User)
    assert CHEAP.verify(ada.password, NEW) and ada.one_time


def test_a_session_that_somebody_ended_is_not_begun_again(app, monkeypatch):
    """Its owner ended all, in another browser, while the password was confirmed in this one."""
    bob = account(app, "bob", Role.READER)
    client = signed_in(app, "bob")
    brought, check = {"X-CSRF-Token": token(client)}, accounts_sign_in.check_password

    def and_end(*arguments: str) -> object:
        with app.extensions["database"].alone() as session:
            sessions.end_sessions_of(session, bob.id)
        return check(*arguments)

    monkeypatch.setattr(accounts_sign_in, "check_password", and_end)
    assert client.post("/confirm", data={"password": PASSWORD}, headers=brought).status_code == 401
    assert rows(app, SessionRow) == []
