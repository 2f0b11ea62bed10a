"""``python -m webapp add-user`` and what else changes accounts; each is an entry of the custody log."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from webapp.security import accounts as account_store
from webapp.security import provider_accounts
from webapp.security.access.permissions import Role
from webapp.security.accounts import AccountError
from webapp.security.sign_in.passwords import Passwords
from webapp.settings import read_settings
from webapp.storage.database import Database
from webapp.storage.tables import User


def add_to(commands: Any) -> None:
    """Add the commands to a parser's; they are given an open database, as ``with_database``."""

    def add(name: str, command: Any, words: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
        added.set_defaults(with_database=command)
        added.add_argument("name", metavar="NAME")
        return added

    made = add("add-user", _add, "make an account")
    made.set_defaults(may_begin=True)  # where people sign in, the first start asks for an administrator
    made.add_argument("--role", required=True, type=Role, choices=list(Role))
    made.add_argument("--display", default="", help="full name, shown on pages and beside annotations")
    _add_password_options(made)
    words = "list all accounts"
    commands.add_parser("list-users", help=words, description=words).set_defaults(with_database=_list)
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


def _add(database: Database, asked: argparse.Namespace) -> None:
    password = _password(asked)
    with database.alone() as session:
        user = account_store.add(
            session, Passwords(), asked.name, asked.display, asked.role, password, one_time=asked.one_time
        )
    print(f"{user.name} can sign in now, as {user.role} (data folder: {read_settings().data}).")


def _list(database: Database, _asked: argparse.Namespace) -> None:
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
        provider_accounts.link(session, read_settings(), account_named(session, asked.name), asked.subject)
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
