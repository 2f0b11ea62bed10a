"""``python -m webapp verify-log`` and ``export-log``: check and export the custody log."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from cli.commands import AddCommand
from cli.web.data import open_existing
from detector.files import atomic_path, resolve_target
from language.formatting import plural
from reports.custody.chain import ClockCheck, check_log
from reports.custody.format import CustodyError, ExportedLog, read_export
from reports.file_names import CUSTODY
from reports.signing import timestamps as trusted_time
from reports.signing.keys import SigningError
from webapp.custody import custody_log, integrity
from webapp.custody.audit import Audit
from webapp.custody.custody_log import Head
from webapp.custody.startup import refuse_lost
from webapp.errors import UserError
from webapp.settings import SettingError, Settings, read_settings
from webapp.storage import key_files
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, explain_unusable
from webapp.storage.key_files import CustodyKeyError
from webapp.storage.tables import AnalysisRow, Exhibit, User
from webapp.validations import store as stored_validations

MAX_PROBLEMS = 50  # that are printed
FITS, DAMAGED, UNUSABLE = 0, 1, 2
_LOGGED_TABLES = {"exhibits": Exhibit, "analyses": AnalysisRow, "accounts": User}  # no row without an entry


def add_custody_commands(add: AddCommand) -> None:
    """Add the commands, which open the database as it is (``by_itself``)."""
    verify = add("verify-log")
    verify.set_defaults(by_itself=lambda args: _run(_verify, args))
    verify.add_argument(
        "--against",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a custody.json exported earlier, which the log must still fit; may be given several times",
    )
    export = add("export-log")
    export.set_defaults(by_itself=lambda args: _run(_export, args))
    export.add_argument(
        "--exhibit", type=_sha256, metavar="SHA256", help="only the entries about this exhibit"
    )
    export.add_argument("--out", type=Path, required=True, metavar="FILE")


def _run(act: Callable[[Database, Settings, argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Return the exit status: 0 if the log is intact, 1 if it is not, 2 if that cannot be determined."""
    try:
        settings = read_settings()
        with open_existing(settings) as database:
            return act(database, settings, args)
    except (CustodyError, SigningError, SettingError, UserError, OSError) as error:
        print(f"reelproof: {error}", file=sys.stderr)
    except SQLAlchemyError as error:
        print(f"reelproof: {explain_unusable(read_settings(), error)}", file=sys.stderr)
    return UNUSABLE


@dataclass(frozen=True)
class _Check:
    """The result of a check."""

    last: Head
    problems: list[str]  # of the log itself, the first few
    more: int  # further problems
    notes: list[str]  # on the times of its entries
    differing: list[str]  # stored records that differ from the log
    only_in_store: int  # results
    row_counts: dict[str, int]


def _check(
    database: Database, settings: Settings, key: bytes | None, earlier: Sequence[tuple[str, ExportedLog]]
) -> _Check:
    """Check the log from its first entry to its last; without ``key`` only the chain of hashes."""
    with database.snapshot() as session:
        last, audit, clock = custody_log.head(session), Audit(), ClockCheck()
        problems = check_log(clock.noting(audit.observe(custody_log.iter_rows(session))), key, earlier)
        first_problems = list(itertools.islice(problems, MAX_PROBLEMS))
        more = sum(1 for _ in problems)
        differing = list(audit.problems(session)) if last.count else []
        row_counts = {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in _LOGGED_TABLES.items()
        }
    folders = Folders.of(settings)
    differing.extend(audit.file_problems(database, folders))
    # The validation that reports quote is checked again while nobody changes it.
    for open_session in (database.begin, database.alone):
        with open_session() as session:
            validation_problems = list(stored_validations.validation_problems(session, folders))
        if not validation_problems:
            break
    differing.extend(validation_problems)
    return _Check(last, first_problems, more, list(clock.notes()), differing, audit.elsewhere, row_counts)


def _verify(database: Database, settings: Settings, args: argparse.Namespace) -> int:
    earlier = [(str(path), read_export(path.read_bytes())) for path in args.against]
    key, missing_key = None, ""
    try:
        key = key_files.read_key(settings.custody_key)
    except CustodyKeyError as error:
        missing_key = str(error)
    check = _check(database, settings, key, earlier)
    if key is not None:
        with contextlib.suppress(SQLAlchemyError), database.begin() as session:
            integrity.record_log_check(session, fits=not check.problems)  # shown on the page of operations
    _print_check(check, missing_key)
    if check.problems or check.differing:
        return DAMAGED
    with database.begin() as session:
        refuse_lost(session, settings)
    if missing_key:
        return UNUSABLE
    rows = ", ".join(f"{count:,} {name}" for name, count in check.row_counts.items() if count)
    if rows and not check.last.count:
        print(
            f"reelproof: The custody log is empty, although there are {rows}: its entries were removed. "
            "Put the database back from a backup, and compare it with an earlier export (--against).",
            file=sys.stderr,
        )
        return UNUSABLE
    print("Results, annotations, case details and roles are as the log says.")
    noun = "earlier export" if len(earlier) == 1 else "earlier exports"
    fits = f", and it fits {len(earlier)} {noun}" if earlier else ""
    print(f"The chain is whole and every entry was written with this log's key{fits}.")
    return FITS


def _print_check(check: _Check, missing_key: str) -> None:
    for problem in check.problems:
        print(problem)
    if check.more:
        print(f"and {check.more:,} more")
    for note in check.notes:
        print(f"Note: {note}")
    entries = plural(check.last.count, "entry", "entries")
    print(f"{entries}; SHA-256 of the last one: {check.last.sha256}")
    if missing_key:
        print(f"reelproof: Only the chain of hashes was checked. {missing_key}", file=sys.stderr)
    for problem in check.differing[:MAX_PROBLEMS]:
        print(problem)
    if len(check.differing) > MAX_PROBLEMS:
        print(f"and {len(check.differing) - MAX_PROBLEMS:,} more")
    if check.only_in_store:
        print(f"{check.only_in_store:,} results are only in the store; each is checked when it is fetched.")
    if check.problems:
        print("The custody log was changed after it was written.")
    if check.differing:
        print("What is kept is not what the custody log says of it.")


def _export(database: Database, settings: Settings, args: argparse.Namespace) -> int:
    out: Path = args.out
    is_stream = resolve_target(out) is None  # such as /dev/stdout, which must hold the export alone
    stamp = out.with_name(out.name + trusted_time.SUFFIX)
    _refuse_target(out, stamp, settings)
    with contextlib.ExitStack() as files:  # both files are written, or an earlier pair stays
        token = files.enter_context(atomic_path(stamp)) if settings.timestamps is not None else None
        unfinished = files.enter_context(atomic_path(out))
        count = _write_and_record(database, args.exhibit, unfinished)
        if token is not None and settings.timestamps is not None:
            try:
                token.write_bytes(trusted_time.token(unfinished.read_bytes(), settings.timestamps))
            except SigningError as error:
                raise SigningError(f"{error} Nothing was written; try again later.") from None
    print(f"{out}: {plural(count, 'entry', 'entries')}", file=sys.stderr if is_stream else sys.stdout)
    if settings.timestamps is not None:
        print(f"{stamp}: a timestamp of {settings.timestamps}")
    return FITS


def _refuse_target(out: Path, stamp: Path, settings: Settings) -> None:
    """Refuse an unwritable file or timestamp before the log records the export."""
    target = resolve_target(out)
    if target is not None and (target.is_dir() or not os.access(target.parent, os.W_OK)):
        raise CustodyError(f"{out} cannot be written. Name a file in a folder that is there and yours.")
    if target is None and settings.timestamps is not None:
        raise CustodyError(f"The timestamp is kept beside the file, and {out} is none. Name a file.")
    if settings.timestamps is None and stamp.exists():
        raise CustodyError(
            f"{stamp} is the timestamp of an earlier export, and no authority is set for another "
            "(REELPROOF_TIMESTAMP_URL). Name another file with --out, and keep both."
        )


def _write_and_record(database: Database, exhibit: str | None, path: Path) -> int:
    """Write the entries to a file, record the export, and return the number of entries."""
    with database.alone() as session:
        last = custody_log.head(session)
        count = -2  # the first and last part of an export are no entries
        with path.open("w", encoding="utf-8", newline="") as file:
            for part in custody_log.iter_export(session, exhibit, last):
                file.write(part)
                count += 1
        if exhibit is not None and not count:
            raise CustodyError("The log has no entry about this exhibit. Check its SHA-256.")
        details = {
            **custody_log.export_details(CUSTODY, path, log=None),
            "log count": last.count,
            "log head": last.sha256,
        }
        custody_log.append(session, "export", details, exhibit=exhibit, actor="local user")
    return count


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("an exhibit is named by the 64 hexadecimal digits of its SHA-256")
    return text.lower()
