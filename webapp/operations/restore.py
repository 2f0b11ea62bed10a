"""Restore a backup into an empty data folder and, with PostgreSQL, an empty database."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path, PurePosixPath

from sqlalchemy import delete

from detector.files import flush_file, flush_folder, hash_file
from webapp.accounts import users
from webapp.accounts.passwords import Passwords, generate_password
from webapp.custody import custody_log
from webapp.custody import startup as custody_startup
from webapp.errors import UserError
from webapp.operations.backup import (
    CUSTODY_KEY,
    DATA,
    DATABASE,
    KEYS,
    MANIFEST_FILE,
    BackupManifest,
    iter_problems,
    locate_file,
    read_manifest,
)
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import REVISION, Database, connect, has_tables, open_copy, restore_rows
from webapp.storage.tables import SessionRow, SignInFailure, UploadRow, WorkerRow

_MAX_PROBLEMS = 20
_EXHIBITS = f"{DATA}/exhibits/"


def restore(
    settings: Settings, folder: Path, keys: Path | None = None, *, require_reset: bool = False
) -> BackupManifest:
    """Check a backup and restore it; the rows come last, so an interrupted restore is no data folder.

    Passwords, second factors and API tokens are those of the backup, also if they were changed or revoked
    since; with ``require_reset`` none of them works any more.

    Raises :class:`UserError`, before anything is written, if the backup is damaged, or the data folder or the
    database is in use.
    """
    manifest = read_manifest(folder)
    _refuse_newer_backup(manifest)
    _refuse_used(settings, manifest)
    database = connect(settings)
    try:
        if settings.postgresql is not None and has_tables(database):
            raise UserError(
                409, "The database has tables already.", "Name an empty one in REELPROOF_DATABASE."
            )
        problems = list(itertools.islice(iter_problems(folder, manifest, keys), _MAX_PROBLEMS + 1))
        if problems:
            more = " And more." if len(problems) > _MAX_PROBLEMS else ""
            remedy = "Use another backup."
            if keys is None and all(problem.startswith(f"{KEYS}/") for problem in problems):
                remedy = "If its key files are kept apart, name their folder: --keys DIR."
            raise UserError(
                422, f"{' '.join(problems[:_MAX_PROBLEMS])}{more}", f"{remedy} Nothing was put back."
            )
        Folders.local(settings.data).create()
        for file in manifest.files:
            if file.path != DATABASE:
                source, target = locate_file(folder, file, keys), _target(settings, file.path)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                # Set explicitly: the disk of a backup may not support modes.
                target.chmod(0o440 if file.path.startswith(_EXHIBITS) else 0o600)
                flush_file(target)
        _restore_rows(folder, database, settings, manifest, require_reset=require_reset)
    finally:
        database.close()
    return manifest


def _refuse_newer_backup(manifest: BackupManifest) -> None:
    if manifest.revision > REVISION:
        raise UserError(
            409,
            f"This backup was made by a newer Reelproof ({manifest.version}, tables {manifest.revision}).",
            f"Use that version; this one knows tables up to {REVISION}.",
        )


def _refuse_used(settings: Settings, manifest: BackupManifest) -> None:
    if settings.data.exists() and not (settings.data.is_dir() and not any(settings.data.iterdir())):
        raise UserError(
            409,
            f"{settings.data} is no empty folder, and nothing there is overwritten.",
            "Set REELPROOF_DATA to a new folder, or move this one away.",
        )
    if settings.custody_key.exists():
        raise UserError(
            409,
            f"There is a key at {settings.custody_key} already, and it is not overwritten.",
            "Move it away, or set REELPROOF_CUSTODY_KEY to another file.",
        )
    if manifest.store not in (None, settings.store):
        raise UserError(
            409,
            f"This backup holds no files: they are in {manifest.store}.",
            f"Put that bucket back, and set REELPROOF_STORE={manifest.store}.",
        )


def _target(settings: Settings, path: str) -> Path:
    folder, *rest = PurePosixPath(path).parts
    if folder == KEYS:
        return settings.custody_key if path == CUSTODY_KEY else settings.data / rest[0]
    return settings.data.joinpath(*rest)


def _restore_rows(
    folder: Path, database: Database, settings: Settings, manifest: BackupManifest, *, require_reset: bool
) -> None:
    """Migrate the rows in a temporary copy and put them in place in one step."""
    with tempfile.TemporaryDirectory(dir=Folders.local(settings.data).incoming) as temporary:
        rows = Path(temporary, DATABASE)
        shutil.copyfile(folder / DATABASE, rows)
        with closing(open_copy(rows, settings)) as copied:
            copied.migrate()
            custody_startup.check_key(copied, settings)
            _record_restore(copied, hash_file(folder / MANIFEST_FILE)[1], manifest)
            if require_reset:
                _reset_accounts(copied)
        if settings.postgresql is not None:
            restore_rows(rows, database)
            return
        with closing(sqlite3.connect(rows)) as connection:  # the mode is stored in the file
            connection.execute("PRAGMA journal_mode=WAL")
        flush_file(rows)
        rows.rename(str(settings.database_url.database))
    flush_folder(settings.data)


def _record_restore(copied: Database, sha256: str, manifest: BackupManifest) -> None:
    """Remove sessions, unfinished uploads and workers of that time, and record the restore."""
    with copied.alone() as session:
        for table in (SessionRow, SignInFailure, UploadRow, WorkerRow):
            session.execute(delete(table))
        details: custody_log.EntryDetails = {
            "made": manifest.made,
            "files": len(manifest.files),
            "missing": len(manifest.missing),
            "manifest sha256": sha256,
            "log count": manifest.entries,
        }
        custody_log.append(session, "restore", details)


def _reset_accounts(copied: Database) -> None:
    """Give every account a password that nobody knows, and remove second factors and API tokens."""
    with copied.alone() as session:
        for user in users.list_users(session):
            users.reset_password(session, Passwords(), user, generate_password(), one_time=True)
            if user.factor_secret is not None:
                users.reset_second_factor(session, user)
