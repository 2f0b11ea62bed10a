"""``python -m webapp COMMAND``: accounts, tokens, the custody log, backups. Without one the app runs."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from webapp.cli import accounts, backup, custody, object_store, settings_doc, tokens
from webapp.cli.existing_database import existing, existing_or_new
from webapp.custody import log_queries
from webapp.custody import startup as custody_startup
from webapp.errors import UserError
from webapp.settings import SettingError, read_settings, tell_unknown_variables
from webapp.storage.database import unusable


def run(arguments: Sequence[str]) -> int:
    """Do what is asked. Returns the exit status: 2 when it could not be done.

    A command is either ``by_itself``, which opens what it needs and returns its own status, or
    ``with_database``, which is given one whose custody log has begun. Only one that ``may_begin`` makes a
    database where there is none; none brings tables up to date, which is for a start after a backup.
    """
    os.umask(0o077)  # accounts, keys and backups are for this user alone
    asked = _parser().parse_args(arguments)
    tell_unknown_variables()
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
    open_database = existing_or_new if "may_begin" in asked else existing
    try:
        with open_database(settings) as database:
            with database.begin() as session:
                begun = log_queries.head(session).count > 0
            if not begun:  # the first command comes before the first start
                custody_startup.begin(database, settings)
            asked.with_database(database, asked)
    except SQLAlchemyError as problem:
        raise SettingError(unusable(settings, problem)) from None
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
    for each in (accounts, tokens, object_store, custody, backup, settings_doc):
        each.add_to(commands)
    return parser
