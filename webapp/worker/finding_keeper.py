"""Publish the finding of an analysis while the engine, in its confined process, still makes the pictures."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from detector.progress import Progress
from detector.sandbox import CrashError

FINDING = "finding"  # folder in that of an unfinished result, from which it is taken


class FindingKeeper:
    """A progress callback that calls ``publish`` with the finding's folder once the engine has written it.

    It looks for the folder at each call, and passes the call on first.
    """

    def __init__(self, publish: Callable[[Path], None], folder: Path, progress: Progress) -> None:
        self._publish, self._folder, self._progress = publish, folder, progress

    def __call__(self, stage: str, fraction: float) -> None:
        self._progress(stage, fraction)
        written = self._folder / FINDING
        if not written.is_dir() or written.is_symlink():
            return
        # Beside the folder that the process may write to: it can neither open nor make files there.
        taken, copy = (self._folder.with_name(f"{self._folder.name}.{name}") for name in ("taken", FINDING))
        try:
            written.rename(taken)
            copy_untrusted(taken, copy)
            self._publish(copy)
        finally:
            for folder in (taken, copy):
                shutil.rmtree(folder, ignore_errors=True)


def copy_untrusted(folder: Path, out: Path) -> None:
    """Copy what a confined process wrote to ``folder``, since the process may still have files open in it.

    Raises ``CrashError`` for anything but files and folders: without Landlock the process could make links.
    """
    out.mkdir(mode=0o700)
    for root, folders, files, descriptor in os.fwalk(folder):
        place = out / Path(root).relative_to(folder)
        for name in folders:
            if not stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                raise CrashError()
            (place / name).mkdir(mode=0o700)
        for name in files:
            try:
                source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
            except OSError:
                raise CrashError() from None
            with open(source, "rb") as reading:
                if not stat.S_ISREG(os.fstat(source).st_mode):
                    raise CrashError()
                with (place / name).open("wb") as writing:
                    shutil.copyfileobj(reading, writing)
