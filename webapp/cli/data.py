"""Commands that back up and restore the data, and that fill or clear the object store's cache."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import SQLAlchemyError

from detector.files import hash_file, is_disk_full
from detector.models.model_files import WEIGHTS
from webapp.errors import UserError
from webapp.operations import backup, restore
from webapp.operations import backup as operations_backup
from webapp.settings import SettingError, Settings, read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, explain_unusable, open_database, refuse_other_version
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, JobRow, State


@contextmanager
def open_existing(settings: Settings) -> Iterator[Database]:
    """The database for the ``with`` block.

    Raises :class:`SettingError` where SQLite's file is not there, and :class:`~webapp.errors.UserError` where
    the tables are those of another version.
    """
    if settings.postgresql is None and not Path(str(settings.database_url.database)).is_file():
        raise SettingError(f"There is no database in {settings.data}. Set REELPROOF_DATA to the data folder.")
    with open_database(settings) as database:
        refuse_other_version(database)
        yield database


@contextmanager
def open_existing_or_new(settings: Settings) -> Iterator[Database]:
    """The same, or a new one where there is none, for what may come before the first start of the app."""
    Folders.local(settings.data).create()
    with open_database(settings) as database:
        if database.revision() is None:
            database.migrate()
    with open_existing(settings) as database:
        yield database


_MOST = 50  # problems that are printed
DONE, DAMAGED, UNUSABLE = 0, 1, 2


def add_backup_commands(commands: Any) -> None:
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
        print(f"reelproof: {explain_unusable(read_settings(), problem)}", file=sys.stderr)
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
    with open_existing(settings) as database, _full_disk_in_words(folder, remedy):
        made = backup.make_backup(database, settings, folder, earlier)
    size = sum(each.bytes for each in made.files)
    print(f"{folder}: {len(made.files):,} files, {size / 1e6:,.1f} MB, as of {made.made}")
    print(f"Keys are in {folder / operations_backup.KEYS}: keep them apart from the rest.")
    for missing in made.missing[:_MOST]:
        print(f"reelproof: {missing}", file=sys.stderr)
    return DAMAGED if made.missing else DONE


def _check(folder: Path, keys: Path | None) -> int:
    manifest = operations_backup.read_manifest(folder)
    found = list(itertools.islice(operations_backup.iter_problems(folder, manifest, keys), _MOST))
    for problem in found:
        print(problem)
    if keys is None and any(each.startswith(f"{operations_backup.KEYS}/") for each in found):
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


def add_store_commands(commands: Any) -> None:
    """Add both commands to a parser's; they are given an open database, as ``with_database``."""
    words = "put what the data folder has into a new REELPROOF_STORE"
    commands.add_parser("fill-store", help=words, description=words).set_defaults(with_database=_fill)
    words = "remove from the data folder what the store has"
    cleared = commands.add_parser("clear-cache", help=words, description=words)
    cleared.set_defaults(with_database=_clear)
    cleared.add_argument("--days", type=float, default=7, help="and nobody used for so long (7)")


def _fill(database: Database, _asked: argparse.Namespace) -> None:
    """Put everything the data folder has into the store, but for what is there. Once, when a store is new."""
    folders = _folders()
    with database.begin() as session:
        exhibits = session.scalars(select(Exhibit).order_by(Exhibit.id)).all()
        done = [
            *map(folders.result, session.scalars(select(AnalysisRow.id).where(_is_done(AnalysisRow)))),
            *map(
                folders.comparison, session.scalars(select(ComparisonRow.id).where(_is_done(ComparisonRow)))
            ),
        ]
    put = 0
    for row in exhibits:
        path = folders.exhibit(row.sha256)
        if folders.store.size(path) == row.bytes:
            continue
        if not path.exists() or hash_file(path)[1] != row.sha256:
            print(f"{row.name}: {path} is missing or damaged, not put", file=sys.stderr)
            continue
        folders.store.put(path, path)
        put += 1
    for folder in done:
        if folder.exists() and not folders.store.has_folder(folder):
            folders.store.put_folder(folder)
            put += 1
    previews = sorted(folders.previews.glob("[!.]*.mp4")) + sorted(folders.previews.glob("[!.]*.json"))
    for path in (*previews, *folders.thumbnails.glob("*.jpg"), *_models(folders)):
        if folders.store.size(path) is None:
            folders.store.put(path, path)
            put += 1
    print(f"{put} put into the store.")


def _clear(_database: Database, asked: argparse.Namespace) -> None:
    """Remove what the store has, and nobody used lately, from the data folder."""
    folders, before, bytes_ = _folders(), time.time() - asked.days * 86400, 0
    for path in (*folders.exhibits.glob("*/*"), *folders.previews.glob("[!.]*.mp4")):
        with contextlib.suppress(FileNotFoundError):  # an analysis is being deleted
            size = path.stat().st_size
            if _last_used(path) < before and folders.store.size(path) == size:
                path.unlink()
                bytes_ += size
    for folder in (*folders.analyses.glob("[!.]*"), *folders.comparisons.glob("[!.]*")):
        with contextlib.suppress(FileNotFoundError):
            files = [path for path in folder.rglob("*") if path.is_file()]
            if all(_last_used(path) < before for path in files) and folders.store.has_folder(folder):
                bytes_ += sum(path.stat().st_size for path in files)
                shutil.rmtree(folder, ignore_errors=True)
    print(f"{bytes_ / 1e6:,.0f} MB removed; the store has them.")


def _is_done(table: type[JobRow]) -> ColumnElement[bool]:
    return table.state == State.DONE


def _last_used(path: Path) -> float:
    """When a file was last written or, where the file system notes that, read."""
    return max(path.stat().st_mtime, path.stat().st_atime)


def _models(folders: Folders) -> Iterator[Path]:
    """Files of added models; cards last, since who sees one must find its weights."""
    for ending in (*WEIGHTS, ".json"):
        yield from sorted(folders.models.glob(f"[!.]*/*{ending}"))


def _folders() -> Folders:
    settings = read_settings()
    if settings.store is None:
        raise SettingError("REELPROOF_STORE names no store.")
    return Folders.of(settings)
