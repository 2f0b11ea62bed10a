"""``python -m webapp add-token``, ``list-tokens`` and ``revoke-token``: tokens of the API."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from detector import timestamps
from webapp.cli.accounts import account_named
from webapp.security import accounts as account_store
from webapp.security import api_tokens
from webapp.security.access.permissions import LOCAL, Permission, Principal
from webapp.security.api_tokens import TokenError
from webapp.storage.database import Database
from webapp.storage.tables import now

_MOST_DAYS = 36_500


def add_to(commands: Any) -> None:
    """Add the commands to a parser's; they are given an open database, as ``with_database``."""

    def add(name: str, command: Any, words: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
        added.set_defaults(with_database=command)
        return added

    token = add("add-token", _add, "make an API token, which is shown once")
    token.set_defaults(may_begin=True)
    token.add_argument("--name", required=True, help="what it is for")
    token.add_argument("--scope", required=True, action="append", choices=list(Permission), type=Permission)
    token.add_argument("--user", help="whose; without login, leave it out")
    token.add_argument("--days", type=_days, help="after which it works no longer; else until it is revoked")
    listed = add("list-tokens", _list, "list API tokens")
    listed.add_argument("--user", help="whose; without login, leave it out")
    ended = add("revoke-token", _revoke, "end an API token for good")
    ended.add_argument("id", metavar="ID")
    ended.add_argument("--user", help="whose; without login, leave it out")


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"a token works for 1 to {_MOST_DAYS:,} days")
    return int(text)


def _add(database: Database, asked: argparse.Namespace) -> None:
    expires = now() + timedelta(days=asked.days) if asked.days is not None else None
    with database.alone() as session:
        made = api_tokens.make(session, _owner(session, asked.user), asked.name, asked.scope, expires)
        # Before it counts: one that could not be shown must not work.
        print("Copy it now, it cannot be shown again:", file=sys.stderr)
        print(made.token, flush=True)


def _list(database: Database, asked: argparse.Namespace) -> None:
    with database.begin() as session:
        others = [] if asked.user else api_tokens.owners(session)
        for row in api_tokens.listed(session, _owner(session, asked.user)):
            state = (
                "revoked"
                if row.revoked
                else f"until {timestamps.day(row.expires)}"
                if row.expires
                else "works"
            )
            used = f"used {timestamps.day(row.used)}" if row.used else "never used"
            print(f"{row.id}  {row.name:<24}  {row.scopes}  ({state}, {used})")
    if others:
        print(
            f"Tokens of accounts are listed with --user NAME; these have some: {', '.join(others)}.",
            file=sys.stderr,
        )


def _revoke(database: Database, asked: argparse.Namespace) -> None:
    with database.begin() as session:
        row = api_tokens.revoke(session, _owner(session, asked.user), asked.id)
        if row is None:
            raise TokenError(
                "There is no such token.",
                "python -m webapp list-tokens shows those there are, with --user NAME those of an account.",
            )
    print(f"{row.name} works no longer.")


def _owner(session: Session, name: str | None) -> Principal:
    return account_store.principal(account_named(session, name)) if name else LOCAL
