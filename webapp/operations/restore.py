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
from webapp.custody import custody_log
from webapp.custody import startup as custody_startup
from webapp.errors import UserError
from webapp.operations import backup
from webapp.operations.backup import CUSTODY_KEY, DATA, DATABASE, KEYS, BackupManifest
from webapp.settings import Settings
from webapp.storage import database as storage_database
from webapp.storage.data_folder import Folders
from webapp.storage.database import REVISION, Database, connect
from webapp.storage.tables import SessionRow, SignInFailure, UploadRow, WorkerRow

_MOST = 20  # problems that are named
_EXHIBITS = f"{DATA}/exhibits/"  # what the paths of exhibits in a backup begin with


def restore(settings: Settings, place: Path, keys: Path | None = None) -> BackupManifest:
    """Check a backup and put it back; the rows last, so that what was interrupted is no data folder.

    Raises :class:`UserError` for a backup that is damaged, and for a data folder or database in use. Nothing
    is written then.
    """
    manifest = backup.read_manifest(place)
    _refuse_newer(manifest)
    _refuse_used(settings, manifest)
    database = connect(settings)
    try:
        if settings.postgresql is not None and storage_database.has_tables(database):
            raise UserError(
                409, "The database has tables already.", "Name an empty one in REELPROOF_DATABASE."
            )
        found = list(itertools.islice(backup.iter_problems(place, manifest, keys), _MOST + 1))
        if found:
            more = " And more." if len(found) > _MOST else ""
            remedy = "Use another backup."
            if keys is None and all(each.startswith(f"{KEYS}/") for each in found):
                remedy = "If its key files are kept apart, name their folder: --keys DIR."
            raise UserError(422, f"{' '.join(found[:_MOST])}{more}", f"{remedy} Nothing was put back.")
        Folders.local(settings.data).create()
        for each in manifest.files:
            if each.path != DATABASE:
                source, target = backup.locate_file(place, each, keys), _target(settings, each.path)
                # A disk of backups need not know modes.
                _put(source, target, read_only=each.path.startswith(_EXHIBITS))
        _rows(place, database, settings, manifest)
    finally:
        database.close()
    return manifest


def _refuse_newer(manifest: BackupManifest) -> None:
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


def _put(source: Path, target: Path, *, read_only: bool) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o440 if read_only else 0o600)
    flush_file(target)


def _rows(place: Path, database: Database, settings: Settings, manifest: BackupManifest) -> None:
    """Put the rows in place, in one step: with tables of this version, and what a restore changes in them."""
    with tempfile.TemporaryDirectory(dir=Folders.local(settings.data).incoming) as aside:
        rows = Path(aside, DATABASE)
        shutil.copyfile(place / DATABASE, rows)
        with closing(storage_database.open_copy(rows, settings)) as copied:
            copied.migrate()
            custody_startup.check_key(copied, settings)
            _forget(copied, hash_file(place / backup.MANIFEST_FILE)[1], manifest)
        if settings.postgresql is not None:
            storage_database.restore_rows(rows, database)
            return
        with closing(sqlite3.connect(rows)) as connection:  # the file remembers it
            connection.execute("PRAGMA journal_mode=WAL")
        flush_file(rows)
        rows.rename(str(settings.database_url.database))
    flush_folder(settings.data)


def _forget(copied: Database, sha256: str, manifest: BackupManifest) -> None:
    """Nobody stays signed in, and unfinished uploads and workers of that time are gone."""
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
