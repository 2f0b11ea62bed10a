"""Files: their size and SHA-256, and writing them whole or not at all, also through a power cut."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def hashed(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file, read a piece at a time; raises ``OSError`` where it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


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


def publish(unfinished: Path, finished: Path) -> None:
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
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        if durable:
            flush_file(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
