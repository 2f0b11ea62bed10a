"""What every check works with: the files, in a folder or a zip, and the results it adds to."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from reports.bundle.archive import UNREADABLE, hashed_entry

ProblemKind = Literal["changed", "missing", "not listed", "cannot be read", "does not fit", "not repeated"]


@dataclass(frozen=True)
class FileProblem:
    """One file, its problem in one to three words, and the reason."""

    file: str
    kind: ProblemKind
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.kind}: {self.why}"


@dataclass
class CheckResults:
    """Results of a verification, which fits if there are no problems."""

    problems: list[FileProblem] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)  # by name, in the order they were learnt
    notes: list[str] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)  # names of files with a signature that holds
    files: int = 0  # whose SHA-256 was compared

    def add(self, file: str, kind: ProblemKind, why: str) -> None:
        """Record a problem once."""
        problem = FileProblem(file, kind, why)
        if problem not in self.problems:
            self.problems.append(problem)

    @property
    def only_not_repeated(self) -> bool:
        """Return whether the only problems come from another engine or other arithmetic."""
        return all(problem.kind == "not repeated" for problem in self.problems)

    def wrong(self, file: str) -> bool:
        """Return whether a file has a problem so far."""
        return any(problem.file == file for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """Return the results for programs."""
        return {
            "fits": not self.problems,
            "files": self.files,
            "problems": [{"file": p.file, "kind": p.kind, "why": p.why} for p in self.problems],
            "facts": self.facts,
            "signed": self.signed,
            "notes": self.notes,
        }


LARGEST = 512_000_000  # of a file that is taken into memory: two hours of scores are a tenth of it


class Unreadable(Exception):
    """A file cannot be read."""


class Source(Protocol):
    """Files by name, with / between folders."""

    names: frozenset[str]

    def measured(self, name: str) -> tuple[int, str]:
        """Return size and SHA-256 of a file; raise :class:`Unreadable`."""

    def read(self, name: str) -> bytes:
        """Return a whole file; raise :class:`Unreadable`."""


def read_checked(source: Source, name: str, results: CheckResults) -> bytes | None:
    """Read a file; None if it is missing, or unreadable, which is recorded once."""
    if name not in source.names:
        return None
    try:
        return source.read(name)
    except Unreadable as error:
        if not results.wrong(name):
            results.add(name, "cannot be read", str(error))
        return None


class Folder:
    """The files below a folder, hidden ones too.

    Links are not followed because their targets could change.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = frozenset(
            (Path(top) / name).relative_to(path).as_posix()
            for top, folders, files in os.walk(path)
            for name in (
                *files,
                *(folder_name for folder_name in folders if (Path(top) / folder_name).is_symlink()),
            )
        )

    def _open(self, name: str) -> IO[bytes]:
        place = self._path / name
        if not stat.S_ISREG(place.lstat().st_mode):
            raise OSError(0, "it is a link or no plain file")
        return place.open("rb")

    def measured(self, name: str) -> tuple[int, str]:
        """Return size and SHA-256 of a file; raise :class:`Unreadable`."""
        try:
            with self._open(name) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
                return stream.tell(), digest
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None

    def read(self, name: str) -> bytes:
        """Return a whole file; raise :class:`Unreadable`."""
        try:
            with self._open(name) as stream:
                return _bounded(stream)
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None


class Zip:
    """The files in an open zip."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = frozenset(entry.filename for entry in archive.infolist() if not entry.is_dir())

    def measured(self, name: str) -> tuple[int, str]:
        """Return size and SHA-256 of a file; raise :class:`Unreadable`."""
        try:
            return hashed_entry(self._archive, name)
        except UNREADABLE_IN_ZIP as error:
            raise Unreadable(_reason(error)) from None

    def read(self, name: str) -> bytes:
        """Return a whole file; raise :class:`Unreadable`."""
        try:
            with self._archive.open(name) as stream:
                return _bounded(stream)
        except UNREADABLE_IN_ZIP as error:
            raise Unreadable(_reason(error)) from None


# A flipped bit in a header can ask for a password (RuntimeError) or for a codec that fails as it likes.
UNREADABLE_IN_ZIP = (*UNREADABLE, RuntimeError, KeyError)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:160]
    if "CRC" in text:
        return "its bytes or its checksum in the zip were changed"
    return f"the zip is damaged there ({text})"


def _bounded(stream: IO[bytes]) -> bytes:
    data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Unreadable("it is too large for what it is")
    return data
