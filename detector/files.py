"""Files: locations of the program's own, hashes, and atomic writes that survive a power cut."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent.parent
"""The folder of ``detector``, ``reports`` and ``webapp``: the sources, or where a wheel was installed."""

_INSTALLED = ROOT / "reelproof_files"  # of a wheel: pyproject.toml puts them there
FILES = _INSTALLED if _INSTALLED.is_dir() else ROOT
"""The folder of ``templates``, ``static``, ``models``, ``requirements.txt`` and of the bundles' verifier."""


_OF_WRITING = frozenset({errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG})
_LONGEST_NAME = 255  # bytes, of Linux's file systems


def is_disk_full(problem: BaseException) -> bool:
    """Whether nothing more could be written since the disk, or somebody's share of it, is full."""
    return isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT)


def hash_file(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file, read a piece at a time; raises ``OSError`` where it cannot be read.

    So it does of a device or a pipe: these may never end.
    """
    with open_file(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def open_file(path: Path) -> io.BufferedReader:
    """The open file at ``path``, to be read; raises ``OSError`` where it cannot be opened.

    Of a folder it is ``IsADirectoryError``, of a device or a pipe ``shutil.SpecialFileError``.
    """
    # A named pipe that nobody writes to would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise shutil.SpecialFileError(errno.EINVAL, "It is a device or a pipe, not a file", str(path))


def flush_file(path: Path) -> None:
    """Force a file's bytes to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(path: Path) -> None:
    """Force a folder's names to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish_folder(unfinished: Path, finished: Path) -> None:
    """Move a whole folder into place in one step, unless something whole is there already.

    A reader sees the folder complete or not at all, before and after a crash.
    """
    for parent, _, names in os.walk(unfinished, topdown=False):
        for name in names:
            flush_file(Path(parent, name))
        flush_folder(Path(parent))
    try:
        os.rename(unfinished, finished)
    except OSError:
        if not finished.is_dir():
            raise
        return
    flush_folder(finished.parent)


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Put ``data`` at ``path`` in one step; ``durable`` as of :func:`atomic_path`."""
    with atomic_path(path, durable=durable) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """A file to write that appears at ``path``, whole, when the block ends; not at all if it raises."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        yield stream


@contextlib.contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside ``path``, which is renamed to it when the block ends, and removed if it raises.

    With ``durable`` its bytes are forced to disk first, so that a power cut leaves no empty file there.
    Errors name ``path``. Links and devices: :func:`replaced`.
    """
    target = resolve_target(path)
    if target is None:
        with tempfile.TemporaryDirectory(prefix="reelproof-") as folder:
            whole = Path(folder, path.name)
            yield whole
            move_into_place(whole, path)
        return
    # Not by the process's number: containers that share the folder may each have one of that number.
    temporary = target.with_name(append_ending(f".{target.name}", f".{secrets.token_hex(8)}.part"))
    try:
        yield temporary
        if durable:
            flush_file(temporary)
        os.replace(temporary, target)
    except BaseException as problem:
        with contextlib.suppress(OSError):  # it is not there, or its folder takes no changes
            temporary.unlink()
        if isinstance(problem, OSError) and _is_of(problem, temporary):
            raise _naming(path, problem) from problem
        raise


@contextlib.contextmanager
def temporary_folder(prefix: str, where: Path | None, asked: Path) -> Iterator[str]:
    """A temporary folder in ``where`` to make ``asked`` in, which errors of writing name in its place."""
    made = None
    try:
        with tempfile.TemporaryDirectory(prefix=prefix, dir=where) as made:
            yield made
    except OSError as problem:
        if made is None or _is_of(problem, Path(made)):
            raise _naming(asked, problem) from problem
        raise


def _is_of(problem: OSError, temporary: Path) -> bool:
    """Whether ``problem`` is of writing ``temporary`` or into it; one of writing may name no path."""
    if not isinstance(problem.filename, str | bytes):
        return problem.errno in _OF_WRITING
    return Path(os.fsdecode(problem.filename)).is_relative_to(temporary)


def _naming(path: Path, problem: OSError) -> OSError:
    """``problem`` as one of ``path``, the file that was asked for; PyAV's take no other name themselves."""
    return OSError(problem.errno, problem.strerror, str(path))


def append_ending(name: str, ending: str) -> str:
    """``name`` with ``ending``, a name cut where file systems would not take both (255 bytes)."""
    left = _LONGEST_NAME - len(os.fsencode(ending))
    while len(os.fsencode(name)) > left:
        name = name[:-1]
    return name + ending


def resolve_target(path: Path) -> Path | None:
    """What a file that is written to ``path`` replaces: of a link what it leads to.

    None where that is a device, a pipe or a file that is open here (``/dev/stdout``): it is written into,
    since a file in its place would not be what was asked for. Raises ``OSError`` for links in a circle.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return None
    if not path.is_symlink():
        return path
    step = path
    while step.is_symlink():
        if step.parent.resolve().is_relative_to("/proc"):  # an open file, whatever became of its name
            return None
        step = step.parent / step.readlink()
    return step


def move_into_place(made: Path, path: Path) -> None:
    """Move the finished file ``made`` to ``path`` in one step, or write it there (:func:`replaced`)."""
    target = resolve_target(path)
    if target is not None:
        os.replace(made, target)
        return
    # Appended: what an open file holds already was written by others.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        with made.open("rb") as source, os.fdopen(descriptor, "wb") as out:
            shutil.copyfileobj(source, out)
    except OSError as problem:  # of a device that is full, it names no file
        raise _naming(path, problem) from problem
