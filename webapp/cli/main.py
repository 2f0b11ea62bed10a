"""``python -m webapp COMMAND``: accounts, tokens, the custody log, backups. Without one the app runs."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from detector import timestamps
from webapp.cli import backup as backup_command
from webapp.cli import custody as custody_command
from webapp.cli import object_store as object_store_command
from webapp.cli import settings_doc
from webapp.custody import log
from webapp.custody import log as custody_log
from webapp.custody import startup as custody_startup
from webapp.errors import UserError
from webapp.security import accounts as account_store
from webapp.security import api_tokens, provider_accounts, second_factor, sessions
from webapp.security.accounts import AccountError
from webapp.security.api_tokens import TokenError
from webapp.security.passwords import Passwords
from webapp.security.permissions import LOCAL, Permission, Principal, Role
from webapp.settings import SettingError, read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, opened
from webapp.storage.tables import User, now

Command = Callable[[Database, argparse.Namespace], None]

_MOST_DAYS = 36_500


def run(arguments: Sequence[str]) -> int:
    """Do what is asked. Returns the exit status: 2 when it could not be done."""
    asked = _parser().parse_args(arguments)
    if "reading" in asked:
        status: int = asked.reading(asked)
        return status
    try:
        settings = read_settings()
        Folders(settings.data).create()
        with opened(settings) as database:
            database.migrate()
            with database.begin() as session:
                begun = custody_log.head(session).count > 0
            if not begun:  # the first command comes before the first start
                custody_startup.begin(database, settings)
            command: Command = asked.command
            command(database, asked)
    except (UserError, SettingError, OSError, UnicodeDecodeError) as problem:
        print(f"reelproof: {problem}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m webapp", description="Without a command: run the web app until Ctrl-C."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: Command, words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(command=command)
        return added

    made = add("add-user", _add, "make an account")
    made.add_argument("name", metavar="NAME")
    made.add_argument("--role", required=True, type=Role, choices=list(Role))
    made.add_argument("--display", default="", help="full name, shown on pages and beside annotations")
    _of_password(made)
    add("list-users", _list, "list all accounts")
    changed = add("set-role", _set_role, "give an account another role")
    changed.add_argument("name", metavar="NAME")
    changed.add_argument("role", metavar="ROLE", type=Role, choices=list(Role))
    add("disable-user", _disable, "let nobody sign in to an account").add_argument("name", metavar="NAME")
    add("enable-user", _enable, "let its owner sign in again").add_argument("name", metavar="NAME")
    reset = add("reset-password", _reset, "give an account another password")
    reset.add_argument("name", metavar="NAME")
    _of_password(reset)
    lost = add("reset-second-factor", _reset_factor, "forget the second factor of an account")
    lost.add_argument("name", metavar="NAME")
    linked = add("link-account", _link, "let somebody of the OpenID Connect provider sign in to an account")
    linked.add_argument("name", metavar="NAME")
    linked.add_argument("subject", metavar="SUBJECT", help="the provider's sub of them")
    token = add("add-token", _add_token, "make an API token, which is shown once")
    token.add_argument("--name", required=True, help="what it is for")
    token.add_argument("--scope", required=True, action="append", choices=list(Permission), type=Permission)
    token.add_argument("--user", help="whose; without login, leave it out")
    token.add_argument("--days", type=_days, help="after which it works no longer; else until it is revoked")
    listed = add("list-tokens", _list_tokens, "list API tokens")
    listed.add_argument("--user", help="whose; without login, leave it out")
    ended = add("revoke-token", _revoke_token, "end an API token for good")
    ended.add_argument("id", metavar="ID")
    ended.add_argument("--user", help="whose; without login, leave it out")
    add("fill-store", object_store_command.fill, "put what the data folder has into a new REELPROOF_STORE")
    cleared = add("clear-cache", object_store_command.clear, "remove from the data folder what the store has")
    cleared.add_argument("--days", type=float, default=7, help="and nobody used for so long (7)")
    custody_command.add_to(commands)
    backup_command.add_to(commands)
    settings_doc.add_to(commands)
    return parser


def _of_password(parser: argparse.ArgumentParser) -> None:
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
        log.append_account_event(session, "account made", account=user.name, role=user.role)
    print(f"{user.name} can sign in now, as {user.role}.")


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
        user = _user(session, asked.name)
        account_store.set_role(session, user, asked.role)
        log.append_account_event(session, "role changed", account=user.name, role=user.role)
    print(f"{user.name} is {user.role} now.")


def _disable(database: Database, asked: argparse.Namespace) -> None:
    with database.alone() as session:
        user = _user(session, asked.name)
        account_store.disable(session, user)
        log.append_account_event(session, "account disabled", account=user.name)
    print(f"{user.name} cannot sign in any more.")


def _enable(database: Database, asked: argparse.Namespace) -> None:
    with database.alone() as session:
        user = _user(session, asked.name)
        account_store.enable(user)
        log.append_account_event(session, "account enabled", account=user.name)
    print(f"{user.name} can sign in again.")


def _reset(database: Database, asked: argparse.Namespace) -> None:
    password = _password(asked)
    with database.alone() as session:
        user = _user(session, asked.name)
        ended = account_store.set_password(session, Passwords(), user, password, one_time=asked.one_time)
        log.append_account_event(session, "password reset", account=user.name, tokens=ended)
    print(f"{user.name} has a new password and is signed out everywhere. API tokens revoked: {ended}.")


def _reset_factor(database: Database, asked: argparse.Namespace) -> None:
    with database.alone() as session:
        user = _user(session, asked.name)
        second_factor.remove(session, user)
        sessions.end_of_user(session, user.id)
        log.append_account_event(session, "second factor reset", account=user.name)
    print(f"{user.name} signs in with the password alone, and can set up a new second factor.")


def _link(database: Database, asked: argparse.Namespace) -> None:
    with database.alone() as session:
        provider_accounts.link(session, read_settings(), _user(session, asked.name), asked.subject)
    print(f"{asked.name} is who the provider calls {asked.subject}.")


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"a token works for 1 to {_MOST_DAYS:,} days")
    return int(text)


def _add_token(database: Database, asked: argparse.Namespace) -> None:
    expires = now() + timedelta(days=asked.days) if asked.days is not None else None
    with database.alone() as session:
        made = api_tokens.make(session, _owner(session, asked.user), asked.name, asked.scope, expires)
        row = made.row
        log.append_account_event(session, "token made", token=row.id, name=row.name, scopes=row.scopes)
    print("Copy it now, it cannot be shown again:", file=sys.stderr)
    print(made.token)


def _list_tokens(database: Database, asked: argparse.Namespace) -> None:
    with database.begin() as session:
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


def _revoke_token(database: Database, asked: argparse.Namespace) -> None:
    with database.begin() as session:
        row = api_tokens.revoke(session, _owner(session, asked.user), asked.id)
        if row is None:
            raise TokenError("There is no such token.", "python -m webapp list-tokens shows those there are.")
        log.append_account_event(session, "token revoked", token=row.id, name=row.name)
    print(f"{row.name} works no longer.")


def _owner(session: Session, name: str | None) -> Principal:
    return account_store.principal(_user(session, name)) if name else LOCAL


def _user(session: Session, name: str) -> User:
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
