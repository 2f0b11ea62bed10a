"""Commands that manage accounts (``add-user`` …) and API tokens (``add-token`` …)."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from detector import timestamps
from webapp.accounts import openid, tokens
from webapp.accounts import users as account_store
from webapp.accounts.passwords import Passwords
from webapp.accounts.permissions import LOCAL, Permission, Principal, Role
from webapp.accounts.tokens import TokenError
from webapp.accounts.users import AccountError
from webapp.settings import read_settings
from webapp.storage.database import Database
from webapp.storage.tables import User, now


def add_account_commands(commands: Any) -> None:
    """Add the commands to a parser's; they are given an open database, as ``with_database``."""

    def add(name: str, command: Any, words: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
        added.set_defaults(with_database=command)
        added.add_argument("name", metavar="NAME")
        return added

    made = add("add-user", _add_user, "make an account")
    made.set_defaults(may_begin=True)  # where people sign in, the first start asks for an administrator
    made.add_argument("--role", required=True, type=Role, choices=list(Role))
    made.add_argument("--display", default="", help="full name, shown on pages and beside annotations")
    _add_password_options(made)
    words = "list all accounts"
    commands.add_parser("list-users", help=words, description=words).set_defaults(with_database=_list_users)
    changed = add("set-role", _set_role, "give an account another role")
    changed.add_argument("role", metavar="ROLE", type=Role, choices=list(Role))
    add("disable-user", _disable, "let nobody sign in to an account")
    add("enable-user", _enable, "let its owner sign in again")
    reset = add("reset-password", _reset_password, "give an account another password")
    _add_password_options(reset)
    add("reset-second-factor", _reset_second_factor, "forget the second factor of an account")
    linked = add("link-account", _link, "let somebody of the OpenID Connect provider sign in to an account")
    linked.add_argument("subject", metavar="SUBJECT", help="the provider's sub of them")


def _add_password_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="read it from FILE's first line; asked for otherwise",
    )
    parser.add_argument(
        "--one-time",
        action="store_true",
        help="it is handed over, and has to be changed at the first sign-in",
    )


def _add_user(database: Database, asked: argparse.Namespace) -> None:
    password = _password(asked)
    with database.alone() as session:
        user = account_store.add(
            session, Passwords(), asked.name, asked.display, asked.role, password, one_time=asked.one_time
        )
    print(f"{user.name} can sign in now, as {user.role} (data folder: {read_settings().data}).")


def _list_users(database: Database, _asked: argparse.Namespace) -> None:
    with database.begin() as session:
        users = account_store.listed(session)
    for user in users:
        state = "disabled" if user.disabled else "has to change the password" if user.one_time else ""
        print(f"{user.name:<24}{user.role:<16}{user.display}{f'  ({state})' if state else ''}")
    if not users:
        print("There are no accounts yet.", file=sys.stderr)


def _set_role(database: Database, asked: argparse.Namespace) -> None:
    with database.alone() as session:
        user = account_named(session, asked.name)
        account_store.set_role(session, user, asked.role)
    print(f"{user.name} is {user.role} now.")


def _disable(database: Database, asked: argparse.Namespace) -> None:
    with database.alone() as session:
        user = account_named(session, asked.name)
        account_store.disable(session, user)
    print(f"{user.name} cannot sign in any more.")


def _enable(database: Database, asked: argparse.Namespace) -> None:
    with database.alone() as session:
        user = account_named(session, asked.name)
        account_store.enable(session, user)
    print(f"{user.name} can sign in again.")


def _reset_password(database: Database, asked: argparse.Namespace) -> None:
    password = _password(asked)
    with database.alone() as session:
        user = account_named(session, asked.name)
        ended = account_store.reset_password(session, Passwords(), user, password, one_time=asked.one_time)
    print(f"{user.name} has a new password and is signed out everywhere. API tokens revoked: {ended}.")


def _reset_second_factor(database: Database, asked: argparse.Namespace) -> None:
    with database.alone() as session:
        user = account_named(session, asked.name)
        account_store.reset_second_factor(session, user)
    print(f"{user.name} signs in with the password alone, and can set up a new second factor.")


def _link(database: Database, asked: argparse.Namespace) -> None:
    with database.alone() as session:
        openid.link_account(session, read_settings(), account_named(session, asked.name), asked.subject)
    print(f"{asked.name} is who the provider calls {asked.subject}.")


def account_named(session: Session, name: str) -> User:
    """The account of this name; raises :class:`AccountError` where there is none."""
    user = account_store.find(session, name)
    if user is None:
        raise AccountError(f"There is no account “{name}”.", "python -m webapp list-users shows all.")
    return user


def _password(asked: argparse.Namespace) -> str:
    """From a file or the terminal: never an argument, which others on the machine could read."""
    if asked.password_file is not None:
        lines = asked.password_file.read_text(encoding="utf-8").splitlines()
        return lines[0] if lines else ""
    if not sys.stdin.isatty():
        raise AccountError("There is no terminal to ask for the password.", "Use --password-file FILE.")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise AccountError("The two passwords differ.", "Nothing was changed. Try again.")
    return password


_MOST_DAYS = 36_500


def add_token_commands(commands: Any) -> None:
    """Add the commands to a parser's; they are given an open database, as ``with_database``."""

    def add(name: str, command: Any, words: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
        added.set_defaults(with_database=command)
        return added

    token = add("add-token", _add_token, "make an API token, which is shown once")
    token.set_defaults(may_begin=True)
    token.add_argument("--name", required=True, help="what it is for")
    token.add_argument("--scope", required=True, action="append", choices=list(Permission), type=Permission)
    token.add_argument("--user", help="whose; without login, leave it out")
    token.add_argument("--days", type=_days, help="after which it works no longer; else until it is revoked")
    listed = add("list-tokens", _list_tokens, "list API tokens")
    listed.add_argument("--user", help="whose; without login, leave it out")
    ended = add("revoke-token", _revoke, "end an API token for good")
    ended.add_argument("id", metavar="ID")
    ended.add_argument("--user", help="whose; without login, leave it out")


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"a token works for 1 to {_MOST_DAYS:,} days")
    return int(text)


def _add_token(database: Database, asked: argparse.Namespace) -> None:
    expires = now() + timedelta(days=asked.days) if asked.days is not None else None
    with database.alone() as session:
        made = tokens.make(session, _owner(session, asked.user), asked.name, asked.scope, expires)
        # Before it counts: one that could not be shown must not work.
        print("Copy it now, it cannot be shown again:", file=sys.stderr)
        print(made.token, flush=True)


def _list_tokens(database: Database, asked: argparse.Namespace) -> None:
    with database.begin() as session:
        others = [] if asked.user else tokens.owners(session)
        for row in tokens.listed(session, _owner(session, asked.user)):
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
        row = tokens.revoke(session, _owner(session, asked.user), asked.id)
        if row is None:
            raise TokenError(
                "There is no such token.",
                "python -m webapp list-tokens shows those there are, with --user NAME those of an account.",
            )
    print(f"{row.name} works no longer.")


def _owner(session: Session, name: str | None) -> Principal:
    return account_store.principal(account_named(session, name)) if name else LOCAL
