"""A browser that signs in through a provider, and what the app keeps of it."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

from sqlalchemy import select

from webapp.accounts import users as account_store
from webapp.storage.tables import CustodyRow, User


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


def at_provider(address: str) -> str:
    """Where the provider sends a browser that comes to this address."""
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
