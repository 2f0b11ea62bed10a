"""Back up everything while the app runs: the rows at one moment, then the files they refer to."""

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
from webapp.custody import custody_log as custody_custody_log
from webapp.custody.startup import refuse_lost
from webapp.errors import DamagedFile, UserError
from webapp.settings import Settings
from webapp.storage import database as storage_database
from webapp.storage.data_folder import Folders
from webapp.storage.database import REVISION, Database
from webapp.storage.object_store import NO_STORE
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, State, now
from webapp.validations import quoted_extract
from webapp.validations.quoted_extract import ChosenExtract

MANIFEST_FILE, SUMS_FILE = "backup.json", "sha256sums.txt"
DATABASE, DATA, KEYS = "database.sqlite3", "data", "keys"
CUSTODY_KEY = f"{KEYS}/custody.key"


def _below(text: str) -> str:
    path = PurePosixPath(text)
    if (
        text != path.as_posix()
        or ".." in path.parts
        or (text != DATABASE and path.parts[0] not in (DATA, KEYS))
    ):
        raise ValueError("is no file of a backup")
    return text


class ListedFile(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True)

    path: Annotated[str, AfterValidator(_below)]
    bytes: int
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BackupManifest(BaseModel):
    """``backup.json``."""

    model_config = ConfigDict(frozen=True)

    reelproof_backup: Literal["1.0"] = "1.0"
    made: str  # when the rows were copied
    version: str  # of Reelproof
    revision: str  # of the tables
    store: str | None  # of older versions: the bucket with the files, which they did not copy
    entries: int  # of the custody log
    head: str  # SHA-256 of its last one
    missing: tuple[str, ...]  # what rows speak of and was not there, in words
    files: tuple[ListedFile, ...]

    def write(self, place: Path) -> None:
        """Put it into the folder of the backup, last of all: without it there is none."""
        sums = "".join(f"{each.sha256}  {each.path}\n" for each in self.files)
        write_atomically(place / SUMS_FILE, sums.encode())
        write_atomically(place / MANIFEST_FILE, self.model_dump_json(indent=1).encode())


def read_manifest(place: Path) -> BackupManifest:
    """The manifest of a backup; raises :class:`UserError` where there is none that can be used."""
    try:
        return BackupManifest.model_validate_json((place / MANIFEST_FILE).read_bytes())
    except FileNotFoundError:
        raise UserError(
            404,
            f"There is no whole backup in {place}: it has no {MANIFEST_FILE}.",
            "Name the folder of a backup.",
        ) from None
    except ValidationError as problem:
        raise UserError(
            422,
            f"{place / MANIFEST_FILE} cannot be read: {problem.errors()[0]['msg']}.",
            "Use the version of Reelproof that made it, or a newer one.",
        ) from None


def locate_file(place: Path, listed: ListedFile, keys: Path | None) -> Path:
    """Where a file of a backup lies; ``keys`` is the folder of the key files, if they are kept apart."""
    path = PurePosixPath(listed.path)
    return keys / path.name if keys is not None and path.parts[0] == KEYS else place / path


def iter_problems(place: Path, manifest: BackupManifest, keys: Path | None) -> Iterator[str]:
    """What is not as it was written, in words.

    Which key is the custody log's is said by the log: backups of versions before may hold an older one.
    """
    head = None
    for each in manifest.files:  # the database is the first
        path = locate_file(place, each, keys)
        try:
            found = hash_file(path)
        except FileNotFoundError:
            yield f"{each.path} is missing."
        except OSError as problem:
            yield f"{each.path} cannot be read: {problem.strerror}."
        else:
            if each.path == CUSTODY_KEY and head is not None:
                if mac(path.read_bytes(), head.sha256) != head.mac:
                    yield f"{each.path} is not the key that the backup's custody log was written with."
            elif found != (each.bytes, each.sha256):
                yield f"{each.path} is not what was written: it has {found[0]:,} bytes, SHA-256 {found[1]}."
            elif each.path == DATABASE and manifest.entries:
                head = _head(path)


def _head(database: Path) -> custody_log.Head | None:
    """Where the custody log of a backup stands; None where that cannot be read."""
    try:
        with closing(storage_database.open_copy(database)) as rows, rows.begin() as session:
            return custody_log.head(session)
    except SQLAlchemyError:
        return None


_CHUNK = 1 << 20
_TRIES = 20  # deletions that may come between; each try copies only what is not there yet
_Kept = type[Exhibit] | type[AnalysisRow] | type[ComparisonRow]


class _Unreadable(Exception):
    """A file is there and cannot be read."""


@dataclass(frozen=True)
class _Wanted:
    """A file or folder below the data folder, and the row that speaks of it."""

    path: Path
    of: tuple[_Kept, int | str]
    name: str
    sha256: str | None = None  # that it must have
    derived: bool = False  # can be made again: it does not matter if it is not there
    folder: bool = False
    here: bool = False  # never in a store


def make_backup(
    database: Database, settings: Settings, place: Path, earlier: Path | None = None
) -> BackupManifest:
    """Write a backup to a new or empty folder, and note it in the custody log.

    Files that an ``earlier`` backup on the same disk has as well, sound, become links to its own. Raises
    :class:`~webapp.errors.UserError` where the folder is not empty, or too much was deleted meanwhile, and
    :class:`~webapp.custody.startup.LostDatabaseError` where the rows were lost.
    """
    if place.exists() and any(place.iterdir()):
        raise UserError(409, f"{place} is not empty.", "Name a new folder for each backup.")
    storage_database.refuse_other_version(database)
    with database.begin() as session:
        refuse_lost(session, settings)
    known = {each.path: each for each in read_manifest(earlier).files} if earlier else {}
    with _whole_or_nothing(place):
        manifest = _written(database, settings, place, earlier, known)
    details: custody_log.EntryDetails = {
        "files": len(manifest.files),
        "bytes": sum(each.bytes for each in manifest.files),
        "missing": len(manifest.missing),
        "manifest sha256": hash_file(place / MANIFEST_FILE)[1],
        "log count": manifest.entries,
        "log head": manifest.head,
    }
    with database.begin() as session:
        custody_log.append(session, "backup", details)
    return manifest


def _written(
    database: Database, settings: Settings, place: Path, earlier: Path | None, known: dict[str, ListedFile]
) -> BackupManifest:
    """Write the backup; ``known`` is what the ``earlier`` one has, by its path there."""
    copying, copied = _Copying(Folders.of(settings), place, earlier, known), place / DATABASE
    moment = _copy_consistently(database, settings, copying, copied)
    with closing(storage_database.open_copy(copied)) as rows, rows.begin() as session:
        head = custody_custody_log.head(session)
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
    manifest.write(place)
    return manifest


@contextmanager
def _whole_or_nothing(place: Path) -> Iterator[None]:
    """Make the folder that the block fills, and empty it where that fails.

    On a full disk another half of a backup would otherwise come to those there are every night.
    """
    new = not place.exists()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in place.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if new:
                place.rmdir()
        raise


def _copy_consistently(database: Database, settings: Settings, copying: _Copying, copied: Path) -> datetime:
    """Copy the rows to ``copied``, the keys and every file that these rows speak of; of when the rows are.

    What is deleted meanwhile has all of it tried anew.
    """
    for _ in range(_TRIES):
        copied.unlink(missing_ok=True)
        moment = now()
        storage_database.copy_rows(database, copied)
        copying.keys(settings)
        if copying.all_of(copied, database):
            return moment
    raise UserError(409, "Too much was deleted meanwhile.", "Try again when nobody deletes analyses.")


class _Copying:
    """The files of one backup."""

    def __init__(
        self, folders: Folders, place: Path, earlier: Path | None, known: dict[str, ListedFile]
    ) -> None:
        self.missing: list[str] = []
        self._folders, self._place, self._earlier, self._known = folders, place, earlier, known
        self._listed: dict[str, ListedFile] = {}
        self._listed_now: set[str] = set()  # of those listed, what rows spoke of at this try
        self._taken: dict[Path, set[str]] = {}  # names of what was copied whole, at an earlier try as well

    def keys(self, settings: Settings) -> None:
        """Copy the key files, wherever they lie."""
        self._copy(settings.custody_key, CUSTODY_KEY, anew=True)
        for path in sorted({*settings.data.glob("*.key")} - {settings.custody_key}):
            # One that was the log's key before it was kept elsewhere is not the one to put back.
            if (name := f"{KEYS}/{path.name}") != CUSTODY_KEY:
                self._copy(path, name, anew=True)

    def all_of(self, copied: Path, database: Database) -> bool:
        """Copy all that the copied rows speak of; false where some of it was deleted meanwhile."""
        self.missing, self._listed_now = [], {name for name in self._listed if name.startswith(f"{KEYS}/")}
        with closing(storage_database.open_copy(copied)) as rows:
            wanted = list(_spoken_of(rows, self._folders))
            with rows.begin() as session:
                quoted = quoted_extract.chosen_extract(session, self._folders)
        for each in wanted:
            if not self._copy_wanted(each, database):
                return False
        for kept in (self._folders.models, self._folders.validations):
            for folder in sorted(kept.glob("[!.]*")):
                if not self._copy_folder(folder, anew=kept == self._folders.validations):
                    return False
        if quoted is not None and not self._holds(quoted):
            return self._note_quoted(quoted, database)
        return True

    def _copy_wanted(self, each: _Wanted, database: Database) -> bool:
        """Copy a file, or folder, that a row speaks of; false where the row was deleted meanwhile."""
        inside = each.path.relative_to(self._folders.data)
        try:
            if each.path not in self._taken:
                store = NO_STORE if each.here else self._folders.store
                with store.held(each.path, folder=each.folder) as there:
                    self._take(each.path, there)
            self._listed_now |= self._taken[each.path]
        except (FileNotFoundError, DamagedFile, _Unreadable) as problem:
            if each.derived:
                return True
            if not _row_is_there(database, each):
                return False
            what = "is missing" if isinstance(problem, FileNotFoundError) else "cannot be read"
            self.missing.append(f"{each.name}: {inside} {what}.")
            return True
        if each.sha256 and each.sha256 != self._listed[f"{DATA}/{inside}"].sha256:
            self.missing.append(f"{each.name}: {inside} is not what was handed in; copied as it is.")
        return True

    def _copy_folder(self, folder: Path, *, anew: bool) -> bool:
        """Copy a folder that no row speaks of; false where what is in it changed meanwhile."""
        try:
            self._take(folder, folder, anew=anew)
            self._listed_now |= self._taken[folder]
        except FileNotFoundError:
            return not folder.exists()
        except _Unreadable:
            self.missing.append(f"{folder.relative_to(self._folders.data)} cannot be read.")
        return True

    def _note_quoted(self, quoted: ChosenExtract, database: Database) -> bool:
        """Note that what reports quote was not copied as it was chosen; false where another was meanwhile."""
        with database.alone() as session:  # an extract is put in its place just after its row
            if quoted_extract.chosen_extract(session, self._folders) != quoted:
                return False
        inside = quoted.path.relative_to(self._folders.data)
        self.missing.append(f"{inside}, which reports quote, is missing or not the one that was chosen.")
        return True

    def _holds(self, quoted: ChosenExtract) -> bool:
        """Whether what reports quote was copied as it was chosen."""
        names = {f"{DATA}/{each.relative_to(self._folders.data)}" for each in quoted.paths}
        return any(self._listed[name].sha256 == quoted.sha256 for name in names & self._listed_now)

    def finish(self) -> Iterator[ListedFile]:
        """What is in the backup, without what was deleted between two tries."""
        database = self._place / DATABASE
        flush_file(database)
        size, sha256 = hash_file(database)
        yield ListedFile(path=DATABASE, bytes=size, sha256=sha256)
        for name, listed in sorted(self._listed.items()):
            if name in self._listed_now:
                yield listed
            else:
                (self._place / name).unlink()

    def _take(self, path: Path, there: Path, *, anew: bool = False) -> None:
        """Copy a file, or all files of a folder, that lies ``there``, as that of the data folder.

        ``anew``: also where an earlier try did. Raises ``FileNotFoundError`` where there is none.
        """
        inside = path.relative_to(self._folders.data)
        files = sorted(_whole(there)) if there.is_dir() else [there]
        names = {f"{DATA}/{(inside / each.relative_to(there)).as_posix()}": each for each in files}
        for name, each in names.items():
            self._copy(each, name, anew=anew)
        if not there.exists():  # the folder was removed while its files were listed
            raise FileNotFoundError(path)
        self._taken[path] = set(names)

    def _copy(self, source: Path, name: str, *, anew: bool = False) -> None:
        if name in self._listed and not anew:
            return
        target = self._place / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # perhaps a link to the earlier backup's, which is not written to
        self._listed.pop(name, None)  # until it is there again: it may have been removed since
        self._listed[name] = self._linked(source, name, target) or _copied(source, name, target)

    def _linked(self, source: Path, name: str, target: Path) -> ListedFile | None:
        """A link to the file of the earlier backup, where both still have the bytes that its list says."""
        before = self._known.get(name)
        if before is None or self._earlier is None or name.startswith(f"{KEYS}/"):
            return None
        try:
            earlier, said = self._earlier / name, (before.bytes, before.sha256)
            # A file that decayed in one backup must not be that of all later ones.
            if hash_file(source) != said or hash_file(earlier) != said:
                return None
            os.link(earlier, target)
        except OSError:  # another disk, a file system without links, or a file that cannot be read
            return None
        return before


def _whole(folder: Path) -> Iterator[Path]:
    """The files below a folder that are not on their way in or out."""
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _copied(source: Path, name: str, target: Path) -> ListedFile:
    """Copy a file, reading it once."""
    digest, size = hashlib.sha256(), 0
    with (
        _open(source) as reading,
        open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as writing,
    ):
        while chunk := _read(reading):
            digest.update(chunk)
            writing.write(chunk)
            size += len(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return ListedFile(path=name, bytes=size, sha256=digest.hexdigest())


def _open(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except PermissionError as problem:
        raise _Unreadable from problem


def _read(source: BinaryIO) -> bytes:
    try:
        return source.read(_CHUNK)
    except OSError as problem:  # a damaged disk; one that is full is noticed when writing
        raise _Unreadable from problem


def _spoken_of(rows: Database, folders: Folders) -> Iterator[_Wanted]:
    """What the rows speak of. Live pictures, unfinished uploads and results are not kept."""
    with rows.begin() as session:
        for exhibit in session.scalars(select(Exhibit).order_by(Exhibit.id)):
            of, name = (Exhibit, exhibit.id), f"Exhibit {exhibit.sha256}"
            yield _Wanted(folders.data / exhibit.path, of, name, exhibit.sha256)
            for path in (folders.playback(exhibit.sha256), folders.preview(exhibit.sha256)):
                yield _Wanted(path, of, name, derived=True)
        done = select(AnalysisRow.id).where(AnalysisRow.state == State.DONE).order_by(AnalysisRow.id)
        for id_ in session.scalars(done):
            of_analysis, name = (AnalysisRow, id_), f"Analysis {id_}"
            yield _Wanted(folders.result(id_), of_analysis, name, folder=True)
            yield _Wanted(folders.thumbnail(id_), of_analysis, name, derived=True)
            yield _Wanted(folders.reports_of(id_), of_analysis, name, derived=True, folder=True, here=True)
        compared = select(ComparisonRow.id).where(ComparisonRow.state == State.DONE)
        for id_ in session.scalars(compared.order_by(ComparisonRow.id)):
            compared_id = (ComparisonRow, id_)
            yield _Wanted(folders.comparison(id_), compared_id, f"Comparison {id_}", folder=True)


def _row_is_there(database: Database, wanted: _Wanted) -> bool:
    """Whether the row is there still, and so ought to be what it speaks of."""
    table, key = wanted.of
    with database.begin() as session:
        return session.get(table, key) is not None
