"""Making files survive a power cut: flush the bytes, then the name, then rename."""

from __future__ import annotations

import os
from pathlib import Path


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
