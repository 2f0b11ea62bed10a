"""Commands that manage accounts (``add-user`` …) and API tokens (``add-token`` …)."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from cli.commands import AddCommand
from detector import timestamps
from webapp.accounts import openid, tokens, users
from webapp.accounts.passwords import Passwords
from webapp.accounts.permissions import LOCAL, Permission, Principal, Role
from webapp.accounts.tokens import TokenError
from webapp.accounts.users import AccountError
from webapp.settings import read_settings
from webapp.storage.database import Database
from webapp.storage.tables import User, now

_MAX_DAYS = 36_500
_WITHOUT_FACTOR = "signs in with the password alone, and can set up a new second factor"
_Command = Callable[[Database, argparse.Namespace], None]


def _add_command(add: AddCommand, name: str, command: _Command) -> argparse.ArgumentParser:
    """Add a command that is called with an open database (``with_database``)."""
    parser = add(name)
    parser.set_defaults(with_database=command)
    return parser


def add_account_commands(add: AddCommand) -> None:
    """Add the commands for accounts."""
    add_user = _add_command(add, "add-user", _add_user)
    add_user.set_defaults(may_begin=True)  # with login on, the first start requires an administrator
    set_role = _add_command(add, "set-role", _set_role)
    reset = _add_command(add, "reset-password", _reset_password)
    link = _add_command(add, "link-account", _link)
    for parser in (
        add_user,
        set_role,
        reset,
        link,
        _add_command(add, "disable-user", _changing(users.disable, "cannot sign in any more")),
        _add_command(add, "enable-user", _changing(users.enable, "can sign in again")),
        _add_command(add, "reset-second-factor", _changing(users.reset_second_factor, _WITHOUT_FACTOR)),
    ):
        parser.add_argument("name", metavar="NAME")
    _add_command(add, "list-users", _list_users)
    add_user.add_argument("--role", required=True, type=Role, choices=list(Role))
    add_user.add_argument("--display", default="", help="full name, shown on pages and beside annotations")
    set_role.add_argument("role", metavar="ROLE", type=Role, choices=list(Role))
    link.add_argument("subject", metavar="SUBJECT", help="the claim sub of the provider")
    for parser in (add_user, reset):
        parser.add_argument(
            "--password-file",
            type=Path,
            metavar="FILE",
            help="read the password from the first line of FILE instead of the terminal",
        )
        parser.add_argument(
            "--one-time",
            action="store_true",
            help="the password is handed over and has to be changed at the first sign-in",
        )


def _add_user(database: Database, args: argparse.Namespace) -> None:
    password = _read_password(args)
    with database.alone() as session:
        user = users.add(
            session, Passwords(), args.name, args.display, args.role, password, one_time=args.one_time
        )
    print(f"{user.name} can sign in now, as {user.role} (data folder: {read_settings().data}).")


def _list_users(database: Database, _args: argparse.Namespace) -> None:
    with database.begin() as session:
        rows = users.list_users(session)
    for user in rows:
        state = "disabled" if user.disabled else "has to change the password" if user.one_time else ""
        print(f"{user.name:<24}{user.role:<16}{user.display}{f'  ({state})' if state else ''}")
    if not rows:
        print("There are no accounts yet.", file=sys.stderr)


def _set_role(database: Database, args: argparse.Namespace) -> None:
    with database.alone() as session:
        user = _find_account(session, args.name)
        users.set_role(session, user, args.role)
    print(f"{user.name} is {user.role} now.")


def _changing(act: Callable[[Session, User], object], outcome: str) -> _Command:
    """Return the command that changes an account by ``act`` and says that it ``outcome``."""

    def change(database: Database, args: argparse.Namespace) -> None:
        with database.alone() as session:
            user = _find_account(session, args.name)
            act(session, user)
        print(f"{user.name} {outcome}.")

    return change


def _reset_password(database: Database, args: argparse.Namespace) -> None:
    password = _read_password(args)
    with database.alone() as session:
        user = _find_account(session, args.name)
        revoked = users.reset_password(session, Passwords(), user, password, one_time=args.one_time)
    print(f"{user.name} has a new password and is signed out everywhere. API tokens revoked: {revoked}.")


def _link(database: Database, args: argparse.Namespace) -> None:
    with database.alone() as session:
        openid.link_account(session, read_settings(), _find_account(session, args.name), args.subject)
    print(f"{args.name} is who the provider calls {args.subject}.")


def _find_account(session: Session, name: str) -> User:
    user = users.find(session, name)
    if user is None:
        raise AccountError(f"There is no account “{name}”.", "python -m webapp list-users shows all.")
    return user


def _read_password(args: argparse.Namespace) -> str:
    """Read a password from a file or the terminal: other users of the machine can read arguments."""
    if args.password_file is not None:
        lines = args.password_file.read_text(encoding="utf-8").splitlines()
        return lines[0] if lines else ""
    if not sys.stdin.isatty():
        raise AccountError("There is no terminal to ask for the password.", "Use --password-file FILE.")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise AccountError("The two passwords differ.", "Nothing was changed. Try again.")
    return password


def add_token_commands(add: AddCommand) -> None:
    """Add the commands for API tokens."""
    create = _add_command(add, "add-token", _add_token)
    create.set_defaults(may_begin=True)
    create.add_argument("--name", required=True, help="what the token is for")
    create.add_argument("--scope", required=True, action="append", choices=list(Permission), type=Permission)
    create.add_argument("--days", type=_days, help="lifetime; without it the token works until it is revoked")
    revoke = _add_command(add, "revoke-token", _revoke)
    revoke.add_argument("id", metavar="ID")
    for parser in (create, revoke, _add_command(add, "list-tokens", _list_tokens)):
        parser.add_argument("--user", help="the token's account; leave it out without login")


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _MAX_DAYS:
        raise argparse.ArgumentTypeError(f"a token works for 1 to {_MAX_DAYS:,} days")
    return int(text)


def _add_token(database: Database, args: argparse.Namespace) -> None:
    expires = now() + timedelta(days=args.days) if args.days is not None else None
    with database.alone() as session:
        new = tokens.create(session, _owner(session, args.user), args.name, args.scope, expires)
        # Printed before the transaction ends: a token that could not be shown must not work.
        print("Copy it now, it cannot be shown again:", file=sys.stderr)
        print(new.token, flush=True)


def _list_tokens(database: Database, args: argparse.Namespace) -> None:
    with database.begin() as session:
        others = [] if args.user else tokens.owner_names(session)
        for row in tokens.list_tokens(session, _owner(session, args.user)):
            until = f"until {timestamps.day(row.expires)}" if row.expires else "works"
            used = f"used {timestamps.day(row.used)}" if row.used else "never used"
            state = "revoked" if row.revoked else until
            print(f"{row.id}  {row.name:<24}  {row.scopes}  ({state}, {used})")
    if others:
        print(
            f"Tokens of accounts are listed with --user NAME; these have some: {', '.join(others)}.",
            file=sys.stderr,
        )


def _revoke(database: Database, args: argparse.Namespace) -> None:
    with database.begin() as session:
        row = tokens.revoke(session, _owner(session, args.user), args.id)
        if row is None:
            raise TokenError(
                "There is no such token.",
                "python -m webapp list-tokens shows those there are, with --user NAME those of an account.",
            )
    print(f"{row.name} works no longer.")


def _owner(session: Session, name: str | None) -> Principal:
    return users.principal_of(_find_account(session, name)) if name else LOCAL
