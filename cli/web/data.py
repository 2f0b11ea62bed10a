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

from sqlalchemy import Select, select
from sqlalchemy.exc import SQLAlchemyError

from cli.commands import AddCommand
from detector.files import hash_file, is_disk_full
from detector.models.model_files import WEIGHTS
from webapp.errors import UserError
from webapp.operations import backup, restore
from webapp.settings import SettingError, Settings, read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, explain_unusable, open_database, refuse_other_version
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, JobRow, State

_MAX_PROBLEMS = 50  # that are printed
DONE, DAMAGED, UNUSABLE = 0, 1, 2


@contextmanager
def open_existing(settings: Settings) -> Iterator[Database]:
    """Open the database without migrating it.

    Raises :class:`SettingError` if SQLite's file is missing, and :class:`~webapp.errors.UserError` if the
    tables are those of another version.
    """
    if settings.postgresql is None and not Path(str(settings.database_url.database)).is_file():
        raise SettingError(f"There is no database in {settings.data}. Set REELPROOF_DATA to the data folder.")
    with open_database(settings) as database:
        refuse_other_version(database)
        yield database


@contextmanager
def open_existing_or_new(settings: Settings) -> Iterator[Database]:
    """Open the database, or create it, for commands that may run before the first start of the app."""
    Folders.local(settings.data).create()
    with open_database(settings) as database:
        if database.revision() is None:
            database.migrate()
    with open_existing(settings) as database:
        yield database


def add_backup_commands(add: AddCommand) -> None:
    """Add the commands for backups, which open the database themselves (``by_itself``)."""

    def add_folder_command(name: str, act: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        parser = add(name)
        parser.set_defaults(by_itself=lambda args: _run(act, args))
        parser.add_argument("folder", type=Path, metavar="DIR")
        return parser

    add_folder_command("backup", _backup).add_argument(
        "--earlier", type=Path, metavar="DIR", help="an earlier backup on the same disk, to link equal files"
    )
    restoring = add_folder_command("restore", _restore)
    restoring.add_argument(
        "--require-reset",
        action="store_true",
        help="let no password, second factor or API token of the backup work any more",
    )
    for parser in (add_folder_command("check-backup", _check), restoring):
        parser.add_argument("--keys", type=Path, metavar="DIR", help="its key files, if they are kept apart")


def _run(act: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Return the exit status: 0 for success, 1 for missing or damaged files, 2 for failure."""
    try:
        return act(args)
    except (UserError, SettingError, OSError) as error:
        print(f"reelproof: {error}", file=sys.stderr)
    except SQLAlchemyError as error:
        print(f"reelproof: {explain_unusable(read_settings(), error)}", file=sys.stderr)
    return UNUSABLE


@contextmanager
def _explain_full_disk(folder: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise UserError(507, f"The disk of {folder} is full.", remedy) from error


def _backup(args: argparse.Namespace) -> int:
    folder: Path = args.folder
    settings = read_settings()
    remedy = "Make room on it, then make the backup again. Nothing of this one was kept."
    with open_existing(settings) as database, _explain_full_disk(folder, remedy):
        manifest = backup.make_backup(database, settings, folder, args.earlier)
    size = sum(file.bytes for file in manifest.files)
    print(f"{folder}: {len(manifest.files):,} files, {size / 1e6:,.1f} MB, as of {manifest.made}")
    print(f"Keys are in {folder / backup.KEYS}: keep them apart from the rest.")
    for missing in manifest.missing[:_MAX_PROBLEMS]:
        print(f"reelproof: {missing}", file=sys.stderr)
    return DAMAGED if manifest.missing else DONE


def _check(args: argparse.Namespace) -> int:
    manifest = backup.read_manifest(args.folder)
    problems = list(itertools.islice(backup.iter_problems(args.folder, manifest, args.keys), _MAX_PROBLEMS))
    print(*problems, sep="\n", end="\n" if problems else "")
    if args.keys is None and any(problem.startswith(f"{backup.KEYS}/") for problem in problems):
        print("If its key files are kept apart, name their folder: --keys DIR.", file=sys.stderr)
    print(f"{len(manifest.files):,} files of {manifest.made}: {'damaged' if problems else 'all as written'}.")
    return DAMAGED if problems else DONE


def _restore(args: argparse.Namespace) -> int:
    settings = read_settings()
    remedy = f"Make room on it, remove {settings.data}, which is not whole, and begin again."
    with _explain_full_disk(settings.data, remedy):
        manifest = restore.restore(settings, args.folder, args.keys, require_reset=args.require_reset)
    print(f"{settings.data}: {len(manifest.files):,} files of {manifest.made}. Everybody signs in anew.")
    for missing in manifest.missing[:_MAX_PROBLEMS]:
        print(f"It was missing when the backup was made: {missing}", file=sys.stderr)
    if args.require_reset:
        print("Nobody can sign in until python -m webapp reset-password NAME gives a new password.")
    if settings.store is not None and manifest.store is None:
        print("Next: python -m webapp fill-store, which puts the files into the store.")
    print("Next: python -m webapp verify-log, then start the app.")
    return DONE


def add_store_commands(add: AddCommand) -> None:
    """Add the commands for the object store, called with an open database (``with_database``)."""
    fill = add("fill-store")
    fill.set_defaults(with_database=_fill)
    clear = add("clear-cache")
    clear.set_defaults(with_database=_clear)
    clear.add_argument("--days", type=float, default=7, help="only files unused for so many days (7)")


def _fill(database: Database, _args: argparse.Namespace) -> None:
    """Copy everything in the data folder into the store unless it is there."""
    folders = _folders()
    with database.begin() as session:
        exhibits = session.scalars(select(Exhibit).order_by(Exhibit.id)).all()
        results = [
            *map(folders.result, session.scalars(_done_ids(AnalysisRow))),
            *map(folders.comparison, session.scalars(_done_ids(ComparisonRow))),
        ]
    count = 0
    for row in exhibits:
        path = folders.exhibit(row.sha256)
        if folders.store.size(path) == row.bytes:
            continue
        if not path.exists() or hash_file(path)[1] != row.sha256:
            print(f"{row.name}: {path} is missing or damaged, not put", file=sys.stderr)
            continue
        folders.store.put(path, path)
        count += 1
    for folder in results:
        if folder.exists() and not folders.store.has_folder(folder):
            folders.store.put_folder(folder)
            count += 1
    previews = sorted(folders.previews.glob("[!.]*.mp4")) + sorted(folders.previews.glob("[!.]*.json"))
    for path in (*previews, *folders.thumbnails.glob("*.jpg"), *_models(folders)):
        if folders.store.size(path) is None:
            folders.store.put(path, path)
            count += 1
    print(f"{count} put into the store.")


def _clear(_database: Database, args: argparse.Namespace) -> None:
    """Remove unused files from the data folder that the store has."""
    folders, before, removed = _folders(), time.time() - args.days * 86400, 0
    for path in (*folders.exhibits.glob("*/*"), *folders.previews.glob("[!.]*.mp4")):
        with contextlib.suppress(FileNotFoundError):  # an analysis is being deleted
            size = path.stat().st_size
            if _last_used(path) < before and folders.store.size(path) == size:
                path.unlink()
                removed += size
    for folder in (*folders.analyses.glob("[!.]*"), *folders.comparisons.glob("[!.]*")):
        with contextlib.suppress(FileNotFoundError):
            files = [path for path in folder.rglob("*") if path.is_file()]
            if all(_last_used(path) < before for path in files) and folders.store.has_folder(folder):
                removed += sum(path.stat().st_size for path in files)
                shutil.rmtree(folder, ignore_errors=True)
    print(f"{removed / 1e6:,.0f} MB removed; the store has them.")


def _done_ids(table: type[JobRow]) -> Select[str]:
    return select(table.id).where(table.state == State.DONE)


def _last_used(path: Path) -> float:
    """Return when a file was last written or, if the file system records it, read."""
    return max(path.stat().st_mtime, path.stat().st_atime)


def _models(folders: Folders) -> Iterator[Path]:
    """Yield the files of added models; cards last, so that whoever sees a card finds its weights."""
    for ending in (*WEIGHTS, ".json"):
        yield from sorted(folders.models.glob(f"[!.]*/*{ending}"))


def _folders() -> Folders:
    settings = read_settings()
    if settings.store is None:
        raise SettingError("REELPROOF_STORE names no store.")
    return Folders.of(settings)
