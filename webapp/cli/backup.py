"""``python -m webapp backup``, ``check-backup`` and ``restore``."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from detector.files import is_disk_full
from webapp.cli.existing_database import existing
from webapp.errors import UserError
from webapp.services.backups import backup, backup_manifest, restore
from webapp.settings import SettingError, read_settings
from webapp.storage.database import unusable

_MOST = 50  # problems that are printed
DONE, DAMAGED, UNUSABLE = 0, 1, 2


def add_to(commands: Any) -> None:
    """Add the commands to a parser's; they open the database as they need it, as ``by_itself``."""
    words = "write database, exhibits, results and keys to a new folder, while the app runs or not"
    made = commands.add_parser("backup", help=words, description=words)
    made.set_defaults(by_itself=lambda asked: _run(lambda: _backup(asked.folder, asked.earlier)))
    made.add_argument("folder", type=Path, metavar="DIR")
    made.add_argument(
        "--earlier", type=Path, metavar="DIR", help="a backup on the same disk; files it has too are linked"
    )
    words = "compare every file of a backup with its list"
    checked = commands.add_parser("check-backup", help=words, description=words)
    checked.set_defaults(by_itself=lambda asked: _run(lambda: _check(asked.folder, asked.keys)))
    words = "put a backup into an empty data folder (REELPROOF_DATA)"
    put = commands.add_parser("restore", help=words, description=words)
    put.set_defaults(by_itself=lambda asked: _run(lambda: _restore(asked.folder, asked.keys)))
    for parser in (checked, put):
        parser.add_argument("folder", type=Path, metavar="DIR")
        parser.add_argument("--keys", type=Path, metavar="DIR", help="its key files, if they are kept apart")


def _run(act: Callable[[], int]) -> int:
    """The exit status: 0 when all is well, 1 when something is missing or damaged, 2 where it failed."""
    try:
        return act()
    except (UserError, SettingError, OSError) as problem:
        print(f"reelproof: {problem}", file=sys.stderr)
    except SQLAlchemyError as problem:
        print(f"reelproof: {unusable(read_settings(), problem)}", file=sys.stderr)
    return UNUSABLE


@contextlib.contextmanager
def _full_disk_in_words(place: Path, remedy: str) -> Iterator[None]:
    """Say what to do where there is no room for the folder that the block fills."""
    try:
        yield
    except OSError as problem:
        if not is_disk_full(problem):
            raise
        raise UserError(507, f"The disk of {place} is full.", remedy) from problem


def _backup(folder: Path, earlier: Path | None) -> int:
    settings = read_settings()
    remedy = "Make room on it, then make the backup again. Nothing of this one was kept."
    with existing(settings) as database, _full_disk_in_words(folder, remedy):
        made = backup.make(database, settings, folder, earlier)
    size = sum(each.bytes for each in made.files)
    print(f"{folder}: {len(made.files):,} files, {size / 1e6:,.1f} MB, as of {made.made}")
    print(f"Keys are in {folder / backup_manifest.KEYS}: keep them apart from the rest.")
    for missing in made.missing[:_MOST]:
        print(f"reelproof: {missing}", file=sys.stderr)
    return DAMAGED if made.missing else DONE


def _check(folder: Path, keys: Path | None) -> int:
    manifest = backup_manifest.read(folder)
    found = list(itertools.islice(backup_manifest.problems(folder, manifest, keys), _MOST))
    for problem in found:
        print(problem)
    if keys is None and any(each.startswith(f"{backup_manifest.KEYS}/") for each in found):
        print("If its key files are kept apart, name their folder: --keys DIR.", file=sys.stderr)
    print(f"{len(manifest.files):,} files of {manifest.made}: {'damaged' if found else 'all as written'}.")
    return DAMAGED if found else DONE


def _restore(folder: Path, keys: Path | None) -> int:
    settings = read_settings()
    remedy = f"Make room on it, remove {settings.data}, which is not whole, and begin again."
    with _full_disk_in_words(settings.data, remedy):
        manifest = restore.restore(settings, folder, keys)
    print(f"{settings.data}: {len(manifest.files):,} files of {manifest.made}. Everybody signs in anew.")
    for missing in manifest.missing[:_MOST]:
        print(f"It was missing when the backup was made: {missing}", file=sys.stderr)
    if settings.store is not None and manifest.store is None:
        print("Next: python -m webapp fill-store, which puts the files into the store.")
    print("Next: python -m webapp verify-log, then start the app.")
    return DONE
