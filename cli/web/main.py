"""``python -m webapp COMMAND``: parse the command line and run one command."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from cli.commands import AddCommand, Program, adder
from cli.web import accounts, custody, data
from cli.web.data import open_existing, open_existing_or_new
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


def add_settings_command(add: AddCommand) -> None:
    """Add the command, which needs no database (``by_itself``)."""
    parser = add("settings-doc")
    parser.set_defaults(by_itself=_print_settings)


def settings_document() -> str:
    """Return the text of docs/settings.md."""
    rows = (
        (f"`{name}`", f"`{default}`" if default else "none", meaning) for name, default, meaning in SETTINGS
    )
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _print_settings(_args: argparse.Namespace) -> int:
    print(settings_document(), end="")
    return 0


def run(arguments: Sequence[str], program: str = Program.WEB) -> int:
    """Run a command. Return the exit status: 2 if it failed.

    A command is either ``by_itself``, which opens what it needs and returns its own status, or
    ``with_database``, called with a database whose custody log has begun. Only one that ``may_begin`` creates
    a missing database. No command migrates tables: that is for a start of the app, after a backup.
    """
    os.umask(0o077)  # accounts, keys and backups are for this user alone
    args = _parser(program).parse_args(arguments)
    warn_of_unknown_variables()
    try:
        status = _execute(args)
        sys.stdout.flush()  # reports a full disk or a closed pipe here, not in a traceback
    except (UserError, SettingError, OSError, UnicodeDecodeError) as error:
        print(f"reelproof: {error}", file=sys.stderr)
        _discard_output()
        return 2
    return status


def _execute(args: argparse.Namespace) -> int:
    if "by_itself" in args:
        status: int = args.by_itself(args)
        return status
    settings = read_settings()
    open_database = open_existing_or_new if "may_begin" in args else open_existing
    try:
        with open_database(settings) as database:
            with database.begin() as session:
                has_log = custody_log.head(session).count > 0
            if not has_log:  # the first command runs before the first start
                custody_startup.open_log(database, settings)
            args.with_database(database, args)
    except SQLAlchemyError as error:
        raise SettingError(explain_unusable(settings, error)) from None
    return 0


def _discard_output() -> None:
    """Redirect output that cannot be written, or the interpreter tries again at exit and complains."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(program, description="Without a command: run the web app until Ctrl-C.")
    add = adder(parser)
    accounts.add_account_commands(add)
    accounts.add_token_commands(add)
    data.add_store_commands(add)
    custody.add_custody_commands(add)
    data.add_backup_commands(add)
    add_settings_command(add)
    return parser


def main() -> int:
    """Run ``python -m webapp``: a command or, without one, the app."""
    if len(sys.argv) > 1:
        return run(sys.argv[1:])
    from webapp.serve import main as serve

    return serve()
