"""Back up everything while the app runs: the rows at one moment, then the files they refer to.

The folder of a backup contains:

``database.sqlite3``
    all rows, whatever server they came from
``data/``
    the files of the data folder, under the same names; with a store they are read from there
``keys/``
    the key files; they may be kept apart from the rest
``backup.json``
    size and SHA-256 of every file
``sha256sums.txt``
    the same checksums for the program sha256sum

Files are written before their rows and deleted after them (:mod:`webapp.exhibits.deletion`). So a missing
file was deleted after the rows were copied, and the rows are copied again. The same happens if the validation
that reports quote was changed meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, BinaryIO, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from detector.files import flush_file, hash_file, write_atomically
from detector.timestamps import iso_milliseconds
from detector.version import __version__
from reports.custody.format import mac
from webapp.custody import custody_log
from webapp.custody.startup import refuse_lost
from webapp.downloads import quoted_extract
from webapp.downloads.quoted_extract import ChosenExtract
from webapp.errors import DamagedFile, UserError
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import REVISION, Database, copy_rows, open_copy, refuse_other_version
from webapp.storage.object_store import NO_STORE
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, State, now

MANIFEST_FILE, SUMS_FILE = "backup.json", "sha256sums.txt"
DATABASE, DATA, KEYS = "database.sqlite3", "data", "keys"
CUSTODY_KEY = f"{KEYS}/custody.key"
_CHUNK = 1 << 20
_MAX_TRIES = 20  # after deletions; each try copies only files not copied yet
_Row = type[Exhibit] | type[AnalysisRow] | type[ComparisonRow]


def _validate_path(text: str) -> str:
    path = PurePosixPath(text)
    if (
        text != path.as_posix()
        or ".." in path.parts
        or (text != DATABASE and path.parts[0] not in (DATA, KEYS))
    ):
        raise ValueError("is no file of a backup")
    return text


class ListedFile(BaseModel):
    """A file of a backup."""

    model_config = ConfigDict(frozen=True)

    path: Annotated[str, AfterValidator(_validate_path)]
    bytes: int
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BackupManifest(BaseModel):
    """The content of ``backup.json``."""

    model_config = ConfigDict(frozen=True)

    reelproof_backup: Literal["1.0"] = "1.0"
    made: str  # when the rows were copied
    version: str  # of Reelproof
    revision: str  # of the tables
    store: str | None  # in backups of older versions: the bucket with the files, which they did not copy
    entries: int  # of the custody log
    head: str  # SHA-256 of its last entry
    missing: tuple[str, ...]  # messages about files that rows refer to and that were missing
    files: tuple[ListedFile, ...]

    def write(self, folder: Path) -> None:
        """Write the manifest last of all: a folder without one is no backup."""
        sums = "".join(f"{file.sha256}  {file.path}\n" for file in self.files)
        write_atomically(folder / SUMS_FILE, sums.encode())
        write_atomically(folder / MANIFEST_FILE, self.model_dump_json(indent=1).encode())


def read_manifest(folder: Path) -> BackupManifest:
    """Read the manifest of a backup; raise :class:`UserError` if it is missing or invalid."""
    try:
        return BackupManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    except FileNotFoundError:
        raise UserError(
            404,
            f"There is no whole backup in {folder}: it has no {MANIFEST_FILE}.",
            "Name the folder of a backup.",
        ) from None
    except ValidationError as problem:
        raise UserError(
            422,
            f"{folder / MANIFEST_FILE} cannot be read: {problem.errors()[0]['msg']}.",
            "Use the version of Reelproof that made it, or a newer one.",
        ) from None


def locate_file(folder: Path, file: ListedFile, keys: Path | None) -> Path:
    """Return where a file of a backup is; ``keys`` is the folder of the key files, if they are kept apart."""
    path = PurePosixPath(file.path)
    return keys / path.name if keys is not None and path.parts[0] == KEYS else folder / path


def iter_problems(folder: Path, manifest: BackupManifest, keys: Path | None) -> Iterator[str]:
    """Check all files of a backup and yield how they differ from the manifest.

    The custody log decides which key is right: backups of earlier versions may contain an older one.
    """
    head = None
    for file in manifest.files:  # the database is the first
        path = locate_file(folder, file, keys)
        try:
            size, sha256 = hash_file(path)
        except FileNotFoundError:
            yield f"{file.path} is missing."
        except OSError as problem:
            yield f"{file.path} cannot be read: {problem.strerror}."
        else:
            if file.path == CUSTODY_KEY and head is not None:
                if mac(path.read_bytes(), head.sha256) != head.mac:
                    yield f"{file.path} is not the key that the backup's custody log was written with."
            elif (size, sha256) != (file.bytes, file.sha256):
                yield f"{file.path} is not what was written: it has {size:,} bytes, SHA-256 {sha256}."
            elif file.path == DATABASE and manifest.entries:
                with suppress(SQLAlchemyError), closing(open_copy(path)) as rows, rows.begin() as session:
                    head = custody_log.head(session)


class _Unreadable(Exception):
    """A file exists and cannot be read."""


@dataclass(frozen=True)
class _Wanted:
    """A file or folder below the data folder that a row refers to."""

    path: Path
    row: tuple[_Row, int | str]
    name: str
    sha256: str | None = None  # the expected checksum
    derived: bool = False  # can be created again, so it may be missing
    is_folder: bool = False
    local: bool = False  # never in a store


def make_backup(
    database: Database, settings: Settings, folder: Path, earlier: Path | None = None
) -> BackupManifest:
    """Write a backup to a new or empty folder, and record it in the custody log.

    Intact files that an ``earlier`` backup on the same disk has as well become hard links to it. Raises
    :class:`UserError` if the folder is not empty or too much was deleted meanwhile, and
    :class:`LostDatabaseError` if the rows were lost.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(409, f"{folder} is not empty.", "Name a new folder for each backup.")
    refuse_other_version(database)
    with database.begin() as session:
        refuse_lost(session, settings)
    known = {file.path: file for file in read_manifest(earlier).files} if earlier else {}
    with _all_or_nothing(folder):
        copying = _Copying(Folders.of(settings), folder, earlier, known)
        moment = _copy_consistently(database, settings, copying, folder / DATABASE)
        with closing(open_copy(folder / DATABASE)) as rows, rows.begin() as session:
            head = custody_log.head(session)
        manifest = BackupManifest(
            made=iso_milliseconds(moment),
            version=__version__,
            revision=REVISION,
            store=None,
            entries=head.count,
            head=head.sha256,
            missing=tuple(copying.missing),
            files=tuple(copying.finish()),
        )
        manifest.write(folder)
    details: custody_log.EntryDetails = {
        "files": len(manifest.files),
        "bytes": sum(file.bytes for file in manifest.files),
        "missing": len(manifest.missing),
        "manifest sha256": hash_file(folder / MANIFEST_FILE)[1],
        "log count": manifest.entries,
        "log head": manifest.head,
    }
    with database.begin() as session:
        custody_log.append(session, "backup", details)
    return manifest


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Create the folder that the block fills, and empty it if the block fails.

    Otherwise every nightly backup to a full disk would leave another incomplete one.
    """
    is_new = not folder.exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if is_new:
                folder.rmdir()
        raise


def _copy_consistently(
    database: Database, settings: Settings, copying: _Copying, rows_copy: Path
) -> datetime:
    """Copy the rows, the keys and every file the rows refer to; return the moment of the rows.

    Starts again if something was deleted meanwhile.
    """
    for _ in range(_MAX_TRIES):
        rows_copy.unlink(missing_ok=True)
        moment = now()
        copy_rows(database, rows_copy)
        copying.copy_keys(settings)
        if copying.copy_files(rows_copy, database):
            return moment
    raise UserError(409, "Too much was deleted meanwhile.", "Try again when nobody deletes analyses.")


class _Copying:
    """The files of one backup."""

    def __init__(
        self, folders: Folders, target: Path, earlier: Path | None, known: dict[str, ListedFile]
    ) -> None:
        self.missing: list[str] = []
        self._folders, self._target, self._earlier, self._known = folders, target, earlier, known
        self._listed: dict[str, ListedFile] = {}
        self._current: set[str] = set()  # names in _listed that rows refer to in this try
        self._copied: dict[Path, set[str]] = {}  # names of complete copies, from earlier tries as well

    def copy_keys(self, settings: Settings) -> None:
        """Copy the key files, wherever they are."""
        self._copy(settings.custody_key, CUSTODY_KEY, anew=True)
        for path in sorted({*settings.data.glob("*.key")} - {settings.custody_key}):
            # A custody.key left there from before the key was moved elsewhere must not replace the right one.
            if (name := f"{KEYS}/{path.name}") != CUSTODY_KEY:
                self._copy(path, name, anew=True)

    def copy_files(self, rows_copy: Path, database: Database) -> bool:
        """Copy all files that the copied rows refer to; return False if some were deleted meanwhile."""
        self.missing, self._current = [], {name for name in self._listed if name.startswith(f"{KEYS}/")}
        with closing(open_copy(rows_copy)) as rows:
            wanted = list(_wanted_files(rows, self._folders))
            with rows.begin() as session:
                quoted = quoted_extract.chosen_extract(session, self._folders)
        for item in wanted:
            if not self._copy_wanted(item, database):
                return False
        for parent in (self._folders.models, self._folders.validations):
            for folder in sorted(parent.glob("[!.]*")):
                if not self._copy_folder(folder, anew=parent == self._folders.validations):
                    return False
        if quoted is not None and not self._has_extract(quoted):
            with database.alone() as session:  # an extract is moved into place just after its row is written
                if quoted_extract.chosen_extract(session, self._folders) != quoted:
                    return False
            path = quoted.path.relative_to(self._folders.data)
            self.missing.append(f"{path}, which reports quote, is missing or not the one that was chosen.")
        return True

    def _copy_wanted(self, item: _Wanted, database: Database) -> bool:
        """Copy a file or folder that a row refers to; return False if the row was deleted meanwhile."""
        relative = item.path.relative_to(self._folders.data)
        try:
            if item.path not in self._copied:
                store = NO_STORE if item.local else self._folders.store
                with store.held(item.path, folder=item.is_folder) as source:
                    self._copy_path(item.path, source)
            self._current |= self._copied[item.path]
        except (FileNotFoundError, DamagedFile, _Unreadable) as problem:
            if item.derived:
                return True
            table, key = item.row
            with database.begin() as session:
                if session.get(table, key) is None:
                    return False
            reason = "is missing" if isinstance(problem, FileNotFoundError) else "cannot be read"
            self.missing.append(f"{item.name}: {relative} {reason}.")
            return True
        if item.sha256 and item.sha256 != self._listed[f"{DATA}/{relative}"].sha256:
            self.missing.append(f"{item.name}: {relative} differs from the upload; copied as it is.")
        return True

    def _copy_folder(self, folder: Path, *, anew: bool) -> bool:
        """Copy a folder that no row refers to; return False if its files changed meanwhile."""
        try:
            self._copy_path(folder, folder, anew=anew)
            self._current |= self._copied[folder]
        except FileNotFoundError:
            return not folder.exists()
        except _Unreadable:
            self.missing.append(f"{folder.relative_to(self._folders.data)} cannot be read.")
        return True

    def _has_extract(self, quoted: ChosenExtract) -> bool:
        """Return whether the extract that reports quote was copied as it was chosen."""
        names = {f"{DATA}/{path.relative_to(self._folders.data)}" for path in quoted.paths}
        return any(self._listed[name].sha256 == quoted.sha256 for name in names & self._current)

    def finish(self) -> Iterator[ListedFile]:
        """Yield the files of the backup, and remove files that were deleted between two tries."""
        database = self._target / DATABASE
        flush_file(database)
        size, sha256 = hash_file(database)
        yield ListedFile(path=DATABASE, bytes=size, sha256=sha256)
        for name, file in sorted(self._listed.items()):
            if name in self._current:
                yield file
            else:
                (self._target / name).unlink()

    def _copy_path(self, path: Path, source: Path, *, anew: bool = False) -> None:
        """Copy a file, or all files of a folder, from ``source`` as ``path`` of the data folder.

        ``anew``: even if an earlier try did. Raises ``FileNotFoundError`` if there is none.
        """
        relative = path.relative_to(self._folders.data)
        files = sorted(_complete_files(source)) if source.is_dir() else [source]
        names = {f"{DATA}/{(relative / file.relative_to(source)).as_posix()}": file for file in files}
        for name, file in names.items():
            self._copy(file, name, anew=anew)
        if not source.exists():  # the folder was removed while its files were listed
            raise FileNotFoundError(path)
        self._copied[path] = set(names)

    def _copy(self, source: Path, name: str, *, anew: bool = False) -> None:
        if name in self._listed and not anew:
            return
        target = self._target / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # it may be a hard link to the earlier backup, so never write to it
        self._listed.pop(name, None)  # in case copying fails now
        self._listed[name] = self._link(source, name, target) or _copy_file(source, name, target)

    def _link(self, source: Path, name: str, target: Path) -> ListedFile | None:
        """Link to the earlier backup's file if both files still match its manifest."""
        before = self._known.get(name)
        if before is None or self._earlier is None or name.startswith(f"{KEYS}/"):
            return None
        try:
            earlier, expected = self._earlier / name, (before.bytes, before.sha256)
            # The earlier file is checked too: one that decayed must not end up in all later backups.
            if hash_file(source) != expected or hash_file(earlier) != expected:
                return None
            os.link(earlier, target)
        except OSError:  # another disk, a file system without links, or an unreadable file
            return None
        return before


def _complete_files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder except those being added or removed, which have dot names."""
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _copy_file(source: Path, name: str, target: Path) -> ListedFile:
    """Copy a file and hash it in one pass."""
    digest, size = hashlib.sha256(), 0
    try:
        reading = source.open("rb")
    except PermissionError as problem:
        raise _Unreadable from problem
    with reading, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as writing:
        while chunk := _read_chunk(reading):
            digest.update(chunk)
            writing.write(chunk)
            size += len(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return ListedFile(path=name, bytes=size, sha256=digest.hexdigest())


def _read_chunk(source: BinaryIO) -> bytes:
    try:
        return source.read(_CHUNK)
    except OSError as problem:  # a damaged disk; a full disk fails when writing
        raise _Unreadable from problem


def _wanted_files(rows: Database, folders: Folders) -> Iterator[_Wanted]:
    """Yield the files that rows refer to, without live pictures and unfinished uploads or results."""
    with rows.begin() as session:
        for exhibit in session.scalars(select(Exhibit).order_by(Exhibit.id)):
            exhibit_key, name = (Exhibit, exhibit.id), f"Exhibit {exhibit.sha256}"
            yield _Wanted(folders.data / exhibit.path, exhibit_key, name, exhibit.sha256)
            for path in (folders.playback(exhibit.sha256), folders.preview(exhibit.sha256)):
                yield _Wanted(path, exhibit_key, name, derived=True)
        analyses = select(AnalysisRow.id).where(AnalysisRow.state == State.DONE).order_by(AnalysisRow.id)
        for id_ in session.scalars(analyses):
            analysis_key, name = (AnalysisRow, id_), f"Analysis {id_}"
            yield _Wanted(folders.result(id_), analysis_key, name, is_folder=True)
            yield _Wanted(folders.thumbnail(id_), analysis_key, name, derived=True)
            yield _Wanted(
                folders.reports_of(id_), analysis_key, name, derived=True, is_folder=True, local=True
            )
        published = AnalysisRow.verdict.is_not(None) & (AnalysisRow.state != State.DONE)
        for id_ in session.scalars(select(AnalysisRow.id).where(published).order_by(AnalysisRow.id)):
            name = f"Finding of analysis {id_}"
            # It is removed when its pictures are complete, and made again where it is missing.
            yield _Wanted(folders.finding(id_), (AnalysisRow, id_), name, derived=True, is_folder=True)
        comparisons = select(ComparisonRow.id).where(ComparisonRow.state == State.DONE)
        for id_ in session.scalars(comparisons.order_by(ComparisonRow.id)):
            yield _Wanted(folders.comparison(id_), (ComparisonRow, id_), f"Comparison {id_}", is_folder=True)
