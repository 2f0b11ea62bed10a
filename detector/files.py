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
"""The folder of ``detector``, ``reports`` and ``webapp``, in the sources or an installed wheel."""

_INSTALLED = ROOT / "reelproof_files"  # in a wheel, by pyproject.toml
FILES = _INSTALLED if _INSTALLED.is_dir() else ROOT
"""The folder of ``templates``, ``static``, ``models``, ``requirements.txt`` and the bundle verifier."""

_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG})
_LONGEST_NAME = 255  # bytes, on Linux file systems


def is_disk_full(problem: BaseException) -> bool:
    """Return whether an error means that the disk or a quota is full."""
    return isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT)


def hash_file(path: Path) -> tuple[int, str]:
    """Return the size in bytes and the SHA-256 of a regular file; raise ``OSError`` for anything else."""
    with open_file(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def open_file(path: Path) -> io.BufferedReader:
    """Open a regular file for reading.

    Raises ``IsADirectoryError`` for a folder and ``shutil.SpecialFileError`` for a device or pipe, which
    might never end; other errors are ``OSError`` as well.
    """
    # O_NONBLOCK: opening a named pipe without a writer would block.
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
    """Move a complete folder into place atomically, unless a complete one is there already.

    Readers see the folder complete or not at all, even after a crash.
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
    """Write ``data`` to ``path`` atomically; ``durable`` as in :func:`atomic_path`."""
    with atomic_path(path, durable=durable) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears at ``path`` when the block ends, but not if the block raises."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        yield stream


@contextlib.contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it when the block ends, remove it if the block raises.

    With ``durable`` its bytes are forced to disk first, so that a power cut leaves no empty file. Errors name
    ``path``. :func:`resolve_target` handles links and devices.
    """
    target = resolve_target(path)
    if target is None:
        with tempfile.TemporaryDirectory(prefix="reelproof-") as folder:
            temporary = Path(folder, path.name)
            yield temporary
            move_into_place(temporary, path)
        return
    # Random, not the process id: containers that share the folder may have the same ids.
    temporary = target.with_name(append_ending(f".{target.name}", f".{secrets.token_hex(8)}.part"))
    try:
        yield temporary
        if durable:
            flush_file(temporary)
        os.replace(temporary, target)
    except BaseException as problem:
        with contextlib.suppress(OSError):  # it is missing, or its folder is read-only
            temporary.unlink()
        if isinstance(problem, OSError) and _concerns(problem, temporary):
            raise _with_path(problem, path) from problem
        raise


@contextlib.contextmanager
def temporary_folder(prefix: str, where: Path | None, output: Path) -> Iterator[str]:
    """Create a temporary folder in ``where`` for writing ``output``, which write errors name instead."""
    folder = None
    try:
        with tempfile.TemporaryDirectory(prefix=prefix, dir=where) as folder:
            yield folder
    except OSError as problem:
        if folder is None or _concerns(problem, Path(folder)):
            raise _with_path(problem, output) from problem
        raise


def _concerns(problem: OSError, temporary: Path) -> bool:
    """Return whether an error is about writing ``temporary`` or into it; such an error may name no path."""
    if not isinstance(problem.filename, str | bytes):
        return problem.errno in _WRITE_ERRORS
    return Path(os.fsdecode(problem.filename)).is_relative_to(temporary)


def _with_path(problem: OSError, path: Path) -> OSError:
    # A new exception, because the file name of PyAV's errors cannot be changed.
    return OSError(problem.errno, problem.strerror, str(path))


def append_ending(name: str, ending: str) -> str:
    """Append ``ending`` to ``name``, which is shortened if both exceed the 255 bytes of file systems."""
    left = _LONGEST_NAME - len(os.fsencode(ending))
    while len(os.fsencode(name)) > left:
        name = name[:-1]
    return name + ending


def resolve_target(path: Path) -> Path | None:
    """Return the path that writing to ``path`` replaces, which is the target of a link.

    Returns None for a device, a pipe or an open file (``/dev/stdout``), which must be written into instead.
    Raises ``OSError`` for circular links.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return None
    if not path.is_symlink():
        return path
    step = path
    while step.is_symlink():
        if step.parent.resolve().is_relative_to("/proc"):  # an open file, which may have been renamed since
            return None
        step = step.parent / step.readlink()
    return step


def move_into_place(finished: Path, path: Path) -> None:
    """Move a finished file to ``path`` atomically, or write into a device (:func:`resolve_target`)."""
    target = resolve_target(path)
    if target is not None:
        os.replace(finished, target)
        return
    # Append, because an open file may already contain what others wrote.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        with finished.open("rb") as source, os.fdopen(descriptor, "wb") as out:
            shutil.copyfileobj(source, out)
    except OSError as problem:  # without a file name if the device is full
        raise _with_path(problem, path) from problem
