"""Zip archives written in one canonical way, so that every byte can be checked."""

from __future__ import annotations

import bisect
import hashlib
import io
import lzma
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from reports.errors import ReportError, WrongFileError
from reports.untrusted_input import escapes_folder

CHUNK = 1 << 20
UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    EOFError,
    ValueError,
    OSError,
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name
_MODE = 0o100644 << 16
_MOST_FILES = 20_000
_RATIO = 250  # analysis.json, the most repetitive, stays below 30 where it is compressed
# How much larger all files together may be than the zip: those that shrink are text, and not so long.
_EXPANSION = 256_000_000
_RECORD = b"PK\x01\x02"


class BundleError(ReportError):
    """A bundle cannot be used: it is damaged or was changed."""


class NoBundleError(BundleError, WrongFileError):
    """A zip is not a bundle."""


def new_entry(name: str, size: int) -> zipfile.ZipInfo:
    """Return the zip entry of a file of ``size`` bytes."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system, entry.external_attr = 3, _MODE
    entry.compress_type, entry.file_size = zipfile.ZIP_STORED, size
    return entry


def add_entry(archive: zipfile.ZipFile, name: str, size: int, content: Iterable[bytes]) -> None:
    """Add a file of ``size`` bytes to ``archive`` in the canonical form."""
    with archive.open(new_entry(name, size), "w") as target:
        for chunk in content:
            target.write(chunk)


def chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of ``stream`` in pieces."""
    while chunk := stream.read(CHUNK):
        yield chunk


def hashed_entry(archive: zipfile.ZipFile, name: str) -> tuple[int, str]:
    """Return bytes and SHA-256 of a file in a zip; raise one of ``UNREADABLE``, or KeyError without it."""
    with archive.open(name) as stream:
        digest = hashlib.file_digest(stream, "sha256")  # type: ignore[arg-type]  # it has what is needed
        return stream.tell(), digest.hexdigest()


def is_zip(path: Path) -> bool:
    """Return whether a file starts like a zip."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the zip at ``path``; raise :class:`BundleError` if it is damaged or unlike any bundle."""
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_hostile(archive, path.stat().st_size)
            yield archive
    except UNREADABLE as problem:
        raise BundleError("The zip is damaged or was copied only in part. Copy it again.") from problem


def _refuse_hostile(archive: zipfile.ZipFile, size: int) -> None:
    """Raise :class:`BundleError` for an archive unlike any bundle, before reading its files."""
    entries = archive.infolist()
    if len(entries) > _MOST_FILES:
        raise BundleError(f"The zip holds more than {_MOST_FILES:,} files; it is not a bundle.")
    for name, count in Counter(entry.filename for entry in entries).items():
        if escapes_folder(name):
            raise BundleError(f"The zip names a file outside itself, {name[:80]!r}; it is not a bundle.")
        if count > 1:
            raise BundleError(f"The zip holds {name[:80]} twice; it is not a bundle.")
    if any(entry.flag_bits & 1 for entry in entries):
        raise BundleError("The zip has a password. Pack it without one.")
    if sum(entry.file_size for entry in entries) > min(_RATIO * size, size + _EXPANSION):
        raise BundleError("The zip claims to hold far more than fits into it; it is not a bundle.")


def lists_whole(path: Path, archive: zipfile.ZipFile) -> bool:
    """Return whether ``archive`` has all entries of its directory: one wrong length hides the others."""
    with path.open("rb") as stream:
        stream.seek(archive.start_dir)
        return stream.read().count(_RECORD) == len(archive.infolist())


def differences(path: Path, names: Sequence[str]) -> list[tuple[str, str]]:
    """Compare the zip at ``path`` byte by byte with the canonical zip of its files ``names``, in order.

    Each difference is a file's name, empty for the zip as a whole, and a description. Contents are taken from
    the zip itself; the caller checks their SHA-256. Raises the errors of :mod:`zipfile` if the zip cannot be
    read.
    """
    with path.open("rb") as original, zipfile.ZipFile(path) as archive:
        own = _Comparing(original)
        with zipfile.ZipFile(own, "w") as rewritten:
            for name in names:
                with archive.open(name) as stream:
                    add_entry(rewritten, name, archive.getinfo(name).file_size, chunks(stream))
            starts = [entry.header_offset for entry in rewritten.infolist()]
            directory = rewritten.start_dir
        records = [at for at in own.records if at >= directory]
        size = original.seek(0, io.SEEK_END)
    problems = []
    for at in sorted(own.different):
        if at < directory:
            problems.append((names[bisect.bisect(starts, at) - 1], f"its header in the zip, at byte {at:,}"))
        elif at < own.last_record_end:
            problems.append(
                (names[bisect.bisect(records, at) - 1], f"its line in the zip's list, at byte {at:,}")
            )
        else:
            problems.append(("", f"the end of the zip's list of files, at byte {at:,}"))
    if size != own.length:
        problems.append(("", f"the zip has {size:,} bytes, where its files make {own.length:,}"))
    return problems


class _Comparing(io.RawIOBase):
    """A file object that compares what is written with an existing file and records where they differ."""

    def __init__(self, given: IO[bytes]) -> None:
        self._given = given
        self._at = 0
        self.length = 0
        self._different: dict[int, int] = {}  # by where a write began: zipfile writes a header twice
        self.records: list[int] = []  # where those of the central directory begin
        self.last_record_end = 0

    @property
    def different(self) -> list[int]:
        """Return the first differing byte of each write that differs."""
        return list(self._different.values())

    def write(self, data: object) -> int:
        new = bytes(data)  # type: ignore[call-overload]
        if not new:
            return 0
        self._given.seek(self._at)
        actual = self._given.read(len(new))
        self._different.pop(self._at, None)
        if actual != new:
            offset = next(
                (i for i, (a, b) in enumerate(zip(new, actual, strict=False)) if a != b), len(actual)
            )
            self._different[self._at] = self._at + offset
        if new.startswith(_RECORD):
            self.records.append(self._at)
        if not new.startswith((b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07")):
            self.last_record_end = self._at + len(new)
        self._at += len(new)
        self.length = max(self.length, self._at)
        return len(new)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset if whence == io.SEEK_SET else self._at + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True
