"""``python -m webapp verify-log`` and ``export-log``: check and export the custody log."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from detector.files import atomic_path, resolve_target
from reports.custody.chain import ClockCheck, check_log
from reports.custody.format import CustodyError, ExportedLog, read_export
from reports.file_names import CUSTODY
from reports.language.formatting import plural
from reports.signing import timestamps as trusted_time
from reports.signing.keys import SigningError
from webapp.cli.data import open_existing
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

MOST = 50  # problems that are printed
FITS, DAMAGED, UNUSABLE = 0, 1, 2
# What never comes about without an entry.
_RECORDED = {"exhibits": Exhibit, "analyses": AnalysisRow, "accounts": User}


def add_custody_commands(commands: Any) -> None:
    """Add both commands to a parser's; they open the database as it is, as ``by_itself``."""
    words = "check the custody log from its first entry to its last"
    verify = commands.add_parser("verify-log", help=words, description=words)
    verify.set_defaults(by_itself=lambda asked: _run(lambda d, s: _verify(d, s, asked.against)))
    verify.add_argument(
        "--against",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a custody.json exported earlier, which the log must still fit; may be given several times",
    )
    words = "write the custody log to a file"
    export = commands.add_parser("export-log", help=words, description=words)
    export.set_defaults(by_itself=lambda asked: _run(lambda d, s: _export(d, s, asked.exhibit, asked.out)))
    export.add_argument(
        "--exhibit", type=_sha256, metavar="SHA256", help="the entries about this exhibit; otherwise all"
    )
    export.add_argument("--out", type=Path, required=True, metavar="FILE")


def _run(act: Callable[[Database, Settings], int]) -> int:
    """The exit status: 0 when the log fits, 1 when it does not, 2 when nobody can tell."""
    try:
        settings = read_settings()
        with open_existing(settings) as database:
            return act(database, settings)
    except (CustodyError, SigningError, SettingError, UserError, OSError) as problem:
        print(f"reelproof: {problem}", file=sys.stderr)
    except SQLAlchemyError as problem:
        print(f"reelproof: {explain_unusable(read_settings(), problem)}", file=sys.stderr)
    return UNUSABLE


@dataclass(frozen=True)
class _Checked:
    """What a check of the log showed."""

    last: Head
    problems: list[str]  # of the log itself, the first few
    more: int  # of them
    notes: list[str]  # on the times of its entries
    differing: list[str]  # what is kept and is not what the log says
    elsewhere: int  # results that only the store has
    recorded: dict[str, int]  # how many rows there are of what never comes about without an entry


def _checked(
    database: Database, settings: Settings, key: bytes | None, earlier: Sequence[tuple[str, ExportedLog]]
) -> _Checked:
    """Check the log from its first entry to its last; without its ``key`` only the chain of hashes."""
    with database.snapshot() as session:
        last, audit, clock = custody_log.head(session), Audit(), ClockCheck()
        problems = check_log(clock.noting(audit.observe(custody_log.iter_rows(session))), key, earlier)
        found = list(itertools.islice(problems, MOST))
        more = sum(1 for _ in problems)
        differing = list(audit.problems(session)) if last.count else []
        recorded = {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in _RECORDED.items()
        }
    folders = Folders.of(settings)
    differing.extend(audit.file_problems(database, folders))
    differing.extend(_not_as_chosen(database, folders))
    return _Checked(last, found, more, list(clock.notes()), differing, audit.elsewhere, recorded)


def _not_as_chosen(database: Database, folders: Folders) -> list[str]:
    """What is wrong with the validation that reports quote; looked at again while nobody changes it."""
    for moment in (database.begin, database.alone):
        with moment() as session:
            if not (found := list(stored_validations.validation_problems(session, folders))):
                break
    return found


def _verify(database: Database, settings: Settings, against: Sequence[Path]) -> int:
    earlier = [(str(path), read_export(path.read_bytes())) for path in against]
    key, without = None, ""
    try:
        key = key_files.read_key(settings.custody_key)
    except CustodyKeyError as missing:
        without = str(missing)
    checked = _checked(database, settings, key, earlier)
    if key is not None:
        with contextlib.suppress(SQLAlchemyError), database.begin() as session:
            integrity.record_log_check(session, fits=not checked.problems)  # the page of operations shows it
    _print_checked(checked, without)
    if checked.problems or checked.differing:
        return DAMAGED
    with database.begin() as session:
        refuse_lost(session, settings)
    if without:
        return UNUSABLE
    if emptied := _emptied(checked):
        print(f"reelproof: {emptied}", file=sys.stderr)
        return UNUSABLE
    print("Results, annotations, case details and roles are as the log says.")
    held = (
        f", and it fits {len(against)} earlier {'export' if len(against) == 1 else 'exports'}"
        if against
        else ""
    )
    print(f"The chain is whole and every entry was written with this log's key{held}.")
    return FITS


def _print_checked(checked: _Checked, without: str) -> None:
    """What was found, and what is wrong with it; ``without`` says why there was no key to check with."""
    for problem in checked.problems:
        print(problem)
    if checked.more:
        print(f"and {checked.more:,} more")
    for note in checked.notes:
        print(f"Note: {note}")
    entries = plural(checked.last.count, "entry", "entries")
    print(f"{entries}; SHA-256 of the last one: {checked.last.sha256}")
    if without:
        print(f"reelproof: Only the chain of hashes was checked. {without}", file=sys.stderr)
    for problem in checked.differing[:MOST]:
        print(problem)
    if len(checked.differing) > MOST:
        print(f"and {len(checked.differing) - MOST:,} more")
    if checked.elsewhere:
        print(f"{checked.elsewhere:,} results are only in the store; each is checked when it is fetched.")
    if checked.problems:
        print("The custody log is not as it was written.")
    if checked.differing:
        print("What is kept is not what the custody log says of it.")


def _emptied(checked: _Checked) -> str:
    """That a log without entries cannot be that of what is kept; empty where it can be."""
    rows = ", ".join(f"{count:,} {name}" for name, count in checked.recorded.items() if count)
    if checked.last.count or not rows:
        return ""
    return (
        f"The custody log is empty, although there are {rows}: its entries were removed. "
        "Put the database back from a backup, and compare it with an earlier export (--against)."
    )


def _export(database: Database, settings: Settings, exhibit: str | None, out: Path) -> int:
    into_stream = resolve_target(out) is None  # such as /dev/stdout: nothing but the export belongs there
    stamp = out.with_name(out.name + trusted_time.SUFFIX)
    _refuse_place(out, stamp, settings)
    with contextlib.ExitStack() as files:  # so that both come, or an earlier pair stays
        token = files.enter_context(atomic_path(stamp)) if settings.timestamps is not None else None
        unfinished = files.enter_context(atomic_path(out))
        number = _write_recorded(database, exhibit, unfinished)
        if token is not None and settings.timestamps is not None:
            try:
                token.write_bytes(trusted_time.token(unfinished.read_bytes(), settings.timestamps))
            except SigningError as problem:
                raise SigningError(f"{problem} Nothing was written; try again later.") from None
    words = f"{out}: {plural(number, 'entry', 'entries')}"
    print(words, file=sys.stderr if into_stream else sys.stdout)
    if settings.timestamps is not None:
        print(f"{stamp}: a timestamp of {settings.timestamps}")
    return FITS


def _refuse_place(out: Path, stamp: Path, settings: Settings) -> None:
    """Raise :class:`CustodyError` where ``out`` cannot be written, or its timestamp ``stamp`` not beside it.

    So that it is told before the log says that it was handed out.
    """
    place = resolve_target(out)
    if place is not None and (place.is_dir() or not os.access(place.parent, os.W_OK)):
        raise CustodyError(f"{out} cannot be written. Name a file in a folder that is there and yours.")
    if place is None and settings.timestamps is not None:
        raise CustodyError(f"The timestamp is kept beside the file, and {out} is none. Name a file.")
    if settings.timestamps is None and stamp.exists():
        raise CustodyError(
            f"{stamp} is the timestamp of an earlier export, and no authority is set for another "
            "(REELPROOF_TIMESTAMP_URL). Name another file with --out, and keep both."
        )


def _write_recorded(database: Database, exhibit: str | None, place: Path) -> int:
    """Write the entries to ``place`` and record that; how many they are."""
    with database.alone() as session:
        last = custody_log.head(session)
        number = _write(custody_log.iter_export(session, exhibit, last), place)
        if exhibit is not None and not number:
            raise CustodyError("The log has no entry about this exhibit. Check its SHA-256.")
        details = {
            **custody_log.export_details(CUSTODY, place, log=None),
            "log count": last.count,
            "log head": last.sha256,
        }
        custody_log.append(session, "export", details, exhibit=exhibit, actor="local user")
    return number


def _write(parts: Iterator[str], place: Path) -> int:
    """Write an export in parts; how many entries are in it, each a part between the first and the last."""
    written = 0
    with place.open("w", encoding="utf-8", newline="") as file:
        for each in parts:
            file.write(each)
            written += 1
    return written - 2


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("an exhibit is named by the 64 hexadecimal digits of its SHA-256")
    return text.lower()
