"""Where files lie that are verified: a folder, or a zip read where it is."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from pathlib import Path
from typing import IO, Protocol

from reports.bundle.archive import UNREADABLE, hashed_entry

LARGEST = 512_000_000  # of a file that is taken into memory: two hours of scores are a tenth of it


class Unreadable(Exception):
    """A file cannot be read; the message says why."""


class Source(Protocol):
    """Files by name, with / between folders."""

    names: frozenset[str]

    def measured(self, name: str) -> tuple[int, str]:
        """Bytes and SHA-256 of a file; raises :class:`Unreadable`."""

    def read(self, name: str) -> bytes:
        """A whole file; raises :class:`Unreadable`."""


class Folder:
    """A :class:`Source`: the files below a folder, hidden ones too.

    Links are not followed: they would lead elsewhere later.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = frozenset(
            (Path(top) / name).relative_to(path).as_posix()
            for top, folders, files in os.walk(path)
            for name in (*files, *(each for each in folders if (Path(top) / each).is_symlink()))
        )

    def _open(self, name: str) -> IO[bytes]:
        place = self._path / name
        if not stat.S_ISREG(place.lstat().st_mode):
            raise OSError(0, "it is a link or no plain file")
        return place.open("rb")

    def measured(self, name: str) -> tuple[int, str]:
        """Bytes and SHA-256 of a file; raises :class:`Unreadable`."""
        try:
            with self._open(name) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
                return stream.tell(), digest
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None

    def read(self, name: str) -> bytes:
        """A whole file; raises :class:`Unreadable`."""
        try:
            with self._open(name) as stream:
                return _bounded(stream)
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None


class Zip:
    """A :class:`Source`: the files in an opened zip."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = frozenset(entry.filename for entry in archive.infolist() if not entry.is_dir())

    def measured(self, name: str) -> tuple[int, str]:
        """Bytes and SHA-256 of a file; raises :class:`Unreadable`."""
        try:
            return hashed_entry(self._archive, name)
        except UNREADABLE_IN_ZIP as error:
            raise Unreadable(_reason(error)) from None

    def read(self, name: str) -> bytes:
        """A whole file; raises :class:`Unreadable`."""
        try:
            with self._archive.open(name) as stream:
                return _bounded(stream)
        except UNREADABLE_IN_ZIP as error:
            raise Unreadable(_reason(error)) from None


# A flipped bit in a header can ask for a password (RuntimeError) or for a codec that fails as it likes.
UNREADABLE_IN_ZIP = (*UNREADABLE, RuntimeError, KeyError)


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split())[:160]
    if "CRC" in said:
        return "its bytes or its checksum in the zip were changed"
    return f"the zip is damaged there ({said})"


def _bounded(stream: IO[bytes]) -> bytes:
    data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Unreadable("it is too large for what it is")
    return data
