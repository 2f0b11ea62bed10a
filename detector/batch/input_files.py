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
    SOUND_ENDINGS,
    VIDEO_ENDINGS,
    Container,
    container_of,
    open_exhibit,
)

IMAGES = PHOTO_ENDINGS
# .ts is also an extension of programs and translations, so check the first bytes.
VIDEOS = VIDEO_ENDINGS - {".ts"}
_ZIP = ".zip"
LINKED_FOLDER = "linked folder"  # in place of a file extension

# A larger zip entry is no face crop or photo.
_LARGEST_ENTRY = 256 * 1024 * 1024
_MOST_ENTRIES = 200_000
_LARGEST_RATIO, _SMALL = 1000, 1000  # photos are compressed already; smaller entries are not checked

UNREADABLE_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # such as an unknown version of the format
    UnicodeDecodeError,  # a name declared as UTF-8
)
"""What :mod:`zipfile` raises for a zip, or for what is read of one, that is damaged or of a kind not read."""


@dataclass(frozen=True)
class File:
    """One file to score, or one that cannot be scored, with ``error``.

    ``name`` appears in its result line, ``path`` is where its bytes are, ``source`` the file given or found:
    the zip archive of an entry, otherwise the same as ``path``. ``sha256`` identifies it by its bytes, if
    they were hashed. ``number`` distinguishes entries of one name in a zip archive, from one.
    """

    name: str
    path: Path
    source: Path
    error: str = ""
    sha256: str = ""
    number: int = 1

    @property
    def unpacked(self) -> bool:
        """Whether ``path`` is a temporary copy, which its reader removes."""
        return self.path != self.source


@dataclass
class InputFiles:
    """Files and folders given by name; iterate once. Entries of zip archives are unpacked below ``folder``.

    Folders are searched recursively in order of names. Files in them are taken by known extension or by the
    first bytes of a video or photo (with ``only_images`` photos and zip archives by extension only), and
    photos in zip archives by extension. Other files and links to folders are counted in ``left_out`` by
    extension. Hidden files, and files that macOS adds to archives, are ignored. A file given by name is
    always taken.
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
        count = 0
        for place, below, names in os.walk(folder, onerror=closed.append):
            below[:] = sorted(name for name in below if not name.startswith("."))
            # Links to folders are not followed, because they may lead anywhere.
            self.left_out.update(LINKED_FOLDER for name in below if os.path.islink(Path(place, name)))
            for name in sorted(names):
                path = Path(place, name)
                if self._takes(path):
                    count += 1
                    yield from self._one(path)
                else:
                    self._leave_out([path])
        for problem in closed:
            unreadable = Path(str(problem.filename))
            error = f"The folder cannot be opened: {problem.strerror}."
            yield File(str(unreadable), unreadable, unreadable, error)
        if not count and not closed:
            noun = "photo" if self.only_images else "video, photo or sound recording"
            yield File(str(folder), folder, folder, f"The folder holds no {noun}.")

    def _leave_out(self, files: Iterable[Path]) -> None:
        self.left_out.update(file.suffix.lower() or "without ending" for file in files)

    def _takes(self, path: Path) -> bool:
        if path.name.startswith("."):
            return False
        if self.only_images:
            return path.suffix.lower() in IMAGES | {_ZIP}
        return path.suffix.lower() == _ZIP or is_exhibit(path)

    def _one(self, path: Path) -> Iterator[File]:
        try:
            with open_exhibit(path):  # exists and is a file
                pass
            if path.suffix.lower() != _ZIP:
                yield File(str(path), path, path)
                return
            with zipfile.ZipFile(path) as archive:
                _refuse_tricks(archive, path.stat().st_size)
                members = [
                    entry for entry in archive.infolist() if not (entry.is_dir() or _hidden(entry.filename))
                ]
                entries = [entry for entry in members if Path(entry.filename).suffix.lower() in IMAGES]
                names = (Path(entry.filename) for entry in members)
                self._leave_out(name for name in names if name.suffix.lower() not in IMAGES)
                if not entries:
                    raise MediaError(f"The zip holds no images ({PHOTOS_IN_WORDS}).")
                numbers: Counter[str] = Counter()  # number of entries by name
                for entry in entries:
                    numbers[entry.filename] += 1
                    # Use a number, because the entry's own name could lead elsewhere.
                    to = self.folder / f"{next(self._numbers)}{Path(entry.filename).suffix.lower()}"
                    error = _unpack(archive, entry, to)
                    yield File(entry.filename, to, path, error, number=numbers[entry.filename])
        except UNREADABLE_ZIP:
            yield File(str(path), path, path, "The zip is damaged or of a kind not read here.")
        except (MediaError, OSError) as error:
            yield File(str(path), path, path, str(error))


def is_exhibit(path: Path) -> bool:
    """Check whether a file is a video, photo or sound recording, by known extension or by its first bytes."""
    return path.suffix.lower() in IMAGES | VIDEOS | SOUND_ENDINGS or _container(path) is not None


def is_recording(path: Path) -> bool:
    """Check whether an exhibit is a sound recording, by its first bytes or by known extension."""
    container, by_name = _container(path), path.suffix.lower() in SOUND_ENDINGS
    if container is None:
        return by_name
    return container.is_sound or (by_name and not container.is_photo)  # containers of video may hold sound


def _container(path: Path) -> Container | None:
    try:
        file = open_file(path)
    except OSError:
        return None
    with file:
        return container_of(file.read(HEAD_BYTES))


def _refuse_tricks(archive: zipfile.ZipFile, size: int) -> None:
    """Raise :class:`MediaError` for a zip archive that unpacks to far more than it holds."""
    entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise MediaError(f"The zip has more than {_MOST_ENTRIES:,} entries. Split it into several.")
    if sum(entry.compress_size for entry in entries) > size:
        raise MediaError("The zip's entries overlap, so it unpacks to more than it holds. Make it anew.")


def _hidden(name: str) -> bool:
    """Check whether an entry is hidden or a resource fork of macOS."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") and part != ".." for part in parts)


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path) -> str:
    """Unpack one entry to a numbered file; return an error message or nothing."""
    if entry.file_size > _LARGEST_ENTRY:
        return "The entry is too large for a photo."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "The entry is a link to another file, not a photo."
    if entry.file_size > _LARGEST_RATIO * max(entry.compress_size, _SMALL):
        return "The entry unpacks to a thousand times its size, which no photo does."
    try:
        to.write_bytes(archive.read(entry))
    # Encrypted; an impossible offset; an error of the disk.
    except (*UNREADABLE_ZIP, RuntimeError, ValueError, OSError) as error:
        return f"The entry cannot be unpacked: {error}"
    return ""
