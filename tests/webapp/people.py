"""An app people sign in to, and people to do so; hashing as cheap as it can be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import select

from webapp import create_app
from webapp.accounts import login_pages, sessions
from webapp.accounts import sessions as accounts_sessions
from webapp.accounts import users as account_store
from webapp.accounts.passwords import Cost, Passwords
from webapp.accounts.permissions import Role
from webapp.http import security
from webapp.storage.tables import CustodyRow, SessionRow, User, now

CHEAP = Passwords(Cost(memory=8, passes=1, lanes=1))
PASSWORD = "otter velvet ladder 93"
TOKEN = re.compile(r'name="csrf-token" content="([0-9a-f]{128})"')


class Client(FlaskClient):
    """Reads each answer to its end at once, so that files it was sent from, or sent, are closed."""

    def open(self, *args, **kwargs):
        return super().open(*args, **({"buffered": True} | kwargs))


def with_login(data: Path, sent: list[str], **settings: object) -> Flask:
    """The app with login on."""
    app = create_app(
        {
            "TESTING": True,
            "REELPROOF_DATA": data,
            "REELPROOF_LOGIN": "on",
            "SEND": sent.append,
            "PASSWORDS": CHEAP,
            **settings,
        }
    )
    app.test_client_class = Client
    return app


def account(app: Flask, name: str, role: Role, display: str = "", *, one_time: bool = False) -> User:
    """An account with the password of all of them; shown as ``display``, or by its name."""
    shown = display or name.title()
    with app.extensions["database"].alone() as session:
        return account_store.add(session, CHEAP, name, shown, role, PASSWORD, one_time=one_time)


@contextmanager
def with_accounts(
    data: Path, sent: list[str], people: Mapping[str, Role], **settings: object
) -> Iterator[Flask]:
    """The app with login on, in which these people have accounts."""
    app = with_login(data, sent, **settings)
    for name, role in people.items():
        account(app, name, role)
    yield app
    app.extensions["database"].close()


def sign_in(client: FlaskClient, name: str, password: str = PASSWORD, **more: object):
    return client.post("/login", data={"name": name, "password": password}, **more)  # type: ignore[arg-type]


def token(client: FlaskClient) -> str:
    """What forms of this client's session bring along."""
    match = TOKEN.search(client.get("/account").text)
    assert match, "nobody is signed in"
    return match[1]


def signed_in(app: Flask, name: str) -> FlaskClient:
    """A browser in which this account is signed in, and whose requests bring the token of forms.

    It is as after :func:`sign_in`, without the requests of that, which tests of signing in make.
    """
    client, database = app.test_client(), app.extensions["database"]
    with app.test_request_context("/login", method="POST"):
        g.principal = g.session = None
        with database.begin() as session:
            user = account_store.find(session, name)
        assert user is not None, f"there is no account {name}"
        answer, moment = login_pages.signed_in_response(user), now()
        for header in answer.headers.getlist("Set-Cookie"):
            client.set_cookie(*header.partition(";")[0].split("=", 1))
        with database.begin() as session:
            cookie = client.get_cookie(accounts_sessions.SESSION_COOKIE)
            g.session = sessions.find_session(session, app.extensions["settings"], cookie.value, moment)
            client.environ_base["HTTP_X_CSRF_TOKEN"] = security.csrf_token()
    return client


def rows(app: Flask, of: type) -> list:
    """All rows of a table."""
    with app.extensions["database"].begin() as session:
        return list(session.scalars(select(of)))


def age(app: Flask, **by: timedelta) -> None:
    """Make every session older than it is."""
    with app.extensions["database"].begin() as session:
        for row in session.scalars(select(SessionRow)):
            for name, how_much in by.items():
                setattr(row, name, getattr(row, name) - how_much)


def log_of_accounts(app: Flask) -> list[dict]:
    """Entries of the custody log about accounts, in order."""
    with app.extensions["database"].begin() as session:
        own = select(CustodyRow.details).where(CustodyRow.action == "account").order_by(CustodyRow.number)
        return [json.loads(text) for text in session.scalars(own)]
