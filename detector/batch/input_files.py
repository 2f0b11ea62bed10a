"""Collect the input files of ``python -m detector score``: files, folders and zip archives."""

from __future__ import annotations

import lzma
import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath

from detector.errors import MediaError
from detector.files import open_file
from detector.media.acceptance import (
    HEAD_BYTES,
    PHOTO_ENDINGS,
    PHOTOS_IN_WORDS,
    VIDEO_ENDINGS,
    is_accepted,
    open_exhibit,
)

IMAGES = PHOTO_ENDINGS
# Programs and translations end in .ts too: of these the first bytes are asked.
VIDEOS = VIDEO_ENDINGS - {".ts"}
_ZIP = ".zip"
LINKED_FOLDER = "linked folder"  # in place of an ending

# A zip entry larger than this is no face crop or photo.
_LARGEST_ENTRY = 256 * 1024 * 1024
_MOST_ENTRIES = 200_000
_LARGEST_RATIO, _SMALL = 1000, 1000  # photos are compressed already; below so many bytes nothing is said

UNREADABLE_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # such as a version of the format that is not known
    UnicodeDecodeError,  # a name that is said to be UTF-8
)
"""What :mod:`zipfile` raises for a zip, or for what is read of one, that is damaged or of a kind not read."""


@dataclass(frozen=True)
class File:
    """One file to score, or with ``error`` one that cannot be.

    ``name`` is what its line calls it, ``path`` where its bytes are, ``source`` what was given or
    found: for a zip's entry the zip, else the same as ``path``. ``sha256`` is that of its bytes, where
    whoever asks has hashed them: it is then known by them, wherever it lies. A zip may hold several
    entries of one name: ``number`` tells them apart, in their order from one.
    """

    name: str
    path: Path
    source: Path
    error: str = ""
    sha256: str = ""
    number: int = 1

    @property
    def unpacked(self) -> bool:
        """Whether ``path`` is a copy made for this run, which whoever has read it removes."""
        return self.path != self.source


@dataclass
class InputFiles:
    """Files and folders given by name; iterate once. Entries of zips are unpacked below ``folder``.

    A folder is searched with all folders below it, in order of names. Taken from there are files
    whose ending is known and those whose first bytes are a video's or photo's (with ``only_images``,
    a photo's ending and zips alone), from zips photos by their ending. The rest is counted in
    ``left_out``, by ending, and so are links to folders, which are not followed. What a name that
    starts with a dot stands for is left out too, in zips also what a Mac adds to them (of zips
    neither is counted). A file given by name is always taken.
    """

    given: Sequence[Path]
    folder: Path
    only_images: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=count)

    def __iter__(self) -> Iterator[File]:
        for path in self.given:
            if path.is_dir():
                yield from self._within(path)
            else:
                yield from self._one(path)

    def _within(self, folder: Path) -> Iterator[File]:
        closed: list[OSError] = []
        taken = 0
        for place, below, names in os.walk(folder, onerror=closed.append):
            below[:] = sorted(name for name in below if not name.startswith("."))
            # They are not walked into: a link may lead up, or anywhere.
            self.left_out.update(LINKED_FOLDER for name in below if os.path.islink(Path(place, name)))
            for name in sorted(names):
                path = Path(place, name)
                if self._takes(path):
                    taken += 1
                    yield from self._one(path)
                else:
                    self._leave_out([path])
        for problem in closed:
            where = Path(str(problem.filename))
            yield File(str(where), where, where, f"The folder cannot be opened: {problem.strerror}.")
        if not taken and not closed:
            what = "photo" if self.only_images else "video or photo"
            yield File(str(folder), folder, folder, f"The folder holds no {what}.")

    def _leave_out(self, files: Iterable[Path]) -> None:
        self.left_out.update(file.suffix.lower() or "without ending" for file in files)

    def _takes(self, path: Path) -> bool:
        if path.name.startswith("."):
            return False
        if self.only_images:
            return path.suffix.lower() in IMAGES | {_ZIP}
        return path.suffix.lower() == _ZIP or is_video_or_photo(path)

    def _one(self, path: Path) -> Iterator[File]:
        try:
            with open_exhibit(path):  # is there, and is a file
                pass
            if path.suffix.lower() != _ZIP:
                yield File(str(path), path, path)
                return
            with zipfile.ZipFile(path) as archive:
                _refuse_tricks(archive, path.stat().st_size)
                held = [each for each in archive.infolist() if not (each.is_dir() or _hidden(each.filename))]
                entries = [each for each in held if Path(each.filename).suffix.lower() in IMAGES]
                names = (Path(each.filename) for each in held)
                self._leave_out(name for name in names if name.suffix.lower() not in IMAGES)
                if not entries:
                    raise MediaError(f"The zip holds no images ({PHOTOS_IN_WORDS}).")
                numbers: Counter[str] = Counter()  # of the entries of each name
                for entry in entries:
                    numbers[entry.filename] += 1
                    # A number, and never the entry's own name, which could lead elsewhere.
                    to = self.folder / f"{next(self._numbers)}{Path(entry.filename).suffix.lower()}"
                    error = _unpack(archive, entry, to)
                    yield File(entry.filename, to, path, error, number=numbers[entry.filename])
        except UNREADABLE_ZIP:
            yield File(str(path), path, path, "The zip is damaged or of a kind not read here.")
        except (MediaError, OSError) as error:
            yield File(str(path), path, path, str(error))


def is_video_or_photo(path: Path) -> bool:
    """Whether a file of a folder is taken for one: by a known ending, else by its first bytes."""
    return path.suffix.lower() in IMAGES | VIDEOS or _looks_accepted(path)


def _looks_accepted(path: Path) -> bool:
    try:
        file = open_file(path)
    except OSError:
        return False
    with file:
        return is_accepted(file.read(HEAD_BYTES))


def _refuse_tricks(archive: zipfile.ZipFile, size: int) -> None:
    """Raise :class:`MediaError` for a zip made to unpack to far more than it holds."""
    entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise MediaError(f"The zip has more than {_MOST_ENTRIES:,} entries. Split it into several.")
    if sum(entry.compress_size for entry in entries) > size:
        raise MediaError("The zip's entries overlap, so it unpacks to more than it holds. Make it anew.")


def _hidden(name: str) -> bool:
    """Whether an entry is no file of its own: hidden, or one of the shadows that a Mac puts beside files."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") and part != ".." for part in parts)


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path) -> str:
    """Unpack one entry to a name of our own; returns what went wrong, or nothing."""
    if entry.file_size > _LARGEST_ENTRY:
        return "The entry is too large for a photo."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "The entry is a link to another file, not a photo."
    if entry.file_size > _LARGEST_RATIO * max(entry.compress_size, _SMALL):
        return "The entry unpacks to a thousand times its size, which no photo does."
    try:
        to.write_bytes(archive.read(entry))
    # Encrypted; at a place that no file can have; the disk of the copy.
    except (*UNREADABLE_ZIP, RuntimeError, ValueError, OSError) as error:
        return f"The entry cannot be unpacked: {error}"
    return ""
