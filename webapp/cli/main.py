"""``python -m webapp COMMAND``: parse the command line and run one command."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from webapp.cli import accounts, custody, data
from webapp.cli.data import open_existing, open_existing_or_new
from webapp.custody import custody_log
from webapp.custody import startup as custody_startup
from webapp.errors import UserError
from webapp.settings import SETTINGS, SettingError, read_settings, warn_of_unknown_variables
from webapp.storage.database import explain_unusable

_HEAD = """\
<!-- Made by `make settings` from webapp/settings.py; a test compares the two. -->
# Settings

Environment variables that the web app reads at start (`make run`); one that is empty counts as not set, and \
a `REELPROOF_` name that is none of these is reported at start and has no effect. \
The shell commands read `REELPROOF_BACKEND` and the limits of one analysis.

| name | default | meaning |
|---|---|---|
"""


def add_settings_command(commands: Any) -> None:
    """Add the command to a parser's; it needs no database: ``by_itself``."""
    words = "print docs/settings.md: every setting with default and meaning"
    commands.add_parser("settings-doc", help=words, description=words).set_defaults(by_itself=_print)


def settings_document() -> str:
    """The text of docs/settings.md."""
    rows = (
        (f"`{name}`", f"`{default}`" if default else "none", meaning) for name, default, meaning in SETTINGS
    )
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _print(_asked: object) -> int:
    print(settings_document(), end="")
    return 0


def run(arguments: Sequence[str]) -> int:
    """Do what is asked. Returns the exit status: 2 when it could not be done.

    A command is either ``by_itself``, which opens what it needs and returns its own status, or
    ``with_database``, which is given one whose custody log has begun. Only one that ``may_begin`` makes a
    database where there is none; none brings tables up to date, which is for a start after a backup.
    """
    os.umask(0o077)  # accounts, keys and backups are for this user alone
    asked = _parser().parse_args(arguments)
    warn_of_unknown_variables()
    try:
        status = _done(asked)
        sys.stdout.flush()  # a full disk or a reader that is gone is told here, not in a traceback
    except (UserError, SettingError, OSError, UnicodeDecodeError) as problem:
        print(f"reelproof: {problem}", file=sys.stderr)
        _forget_output()
        return 2
    return status


def _done(asked: argparse.Namespace) -> int:
    if "by_itself" in asked:
        status: int = asked.by_itself(asked)
        return status
    settings = read_settings()
    open_database = open_existing_or_new if "may_begin" in asked else open_existing
    try:
        with open_database(settings) as database:
            with database.begin() as session:
                begun = custody_log.head(session).count > 0
            if not begun:  # the first command comes before the first start
                custody_startup.open_log(database, settings)
            asked.with_database(database, asked)
    except SQLAlchemyError as problem:
        raise SettingError(explain_unusable(settings, problem)) from None
    return 0


def _forget_output() -> None:
    """Let what cannot be written go nowhere, or the interpreter tries again at its end and complains."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m webapp", description="Without a command: run the web app until Ctrl-C."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    accounts.add_account_commands(commands)
    accounts.add_token_commands(commands)
    data.add_store_commands(commands)
    custody.add_custody_commands(commands)
    data.add_backup_commands(commands)
    add_settings_command(commands)
    return parser
