"""What a backup holds: ``backup.json`` lists every file with its size and SHA-256, and checks them.

The folder of a backup:

``database.sqlite3``
    all rows, whatever server they came from
``data/``
    what the data folder keeps, under the same names
``keys/``
    the key files; they may be kept elsewhere, apart from the rest
``sha256sums.txt``
    the same sums for the program sha256sum
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from detector.files import hashed, write_atomically
from reports.custody.format import mac
from webapp.custody import log_queries
from webapp.errors import UserError
from webapp.storage import database_copy

NAME, SUMS = "backup.json", "sha256sums.txt"
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
        write_atomically(place / SUMS, sums.encode())
        write_atomically(place / NAME, self.model_dump_json(indent=1).encode())


def read(place: Path) -> BackupManifest:
    """The manifest of a backup; raises :class:`UserError` where there is none that can be used."""
    try:
        return BackupManifest.model_validate_json((place / NAME).read_bytes())
    except FileNotFoundError:
        raise UserError(
            404, f"There is no whole backup in {place}: it has no {NAME}.", "Name the folder of a backup."
        ) from None
    except ValidationError as problem:
        raise UserError(
            422,
            f"{place / NAME} cannot be read: {problem.errors()[0]['msg']}.",
            "Use the version of Reelproof that made it, or a newer one.",
        ) from None


def located(place: Path, listed: ListedFile, keys: Path | None) -> Path:
    """Where a file of a backup lies; ``keys`` is the folder of the key files, if they are kept apart."""
    path = PurePosixPath(listed.path)
    return keys / path.name if keys is not None and path.parts[0] == KEYS else place / path


def problems(place: Path, manifest: BackupManifest, keys: Path | None) -> Iterator[str]:
    """What is not as it was written, in words.

    Which key is the custody log's is said by the log: backups of versions before may hold an older one.
    """
    head = None
    for each in manifest.files:  # the database is the first
        path = located(place, each, keys)
        try:
            found = hashed(path)
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


def _head(database: Path) -> log_queries.Head | None:
    """Where the custody log of a backup stands; None where that cannot be read."""
    try:
        with closing(database_copy.file(database)) as rows, rows.begin() as session:
            return log_queries.head(session)
    except SQLAlchemyError:
        return None
