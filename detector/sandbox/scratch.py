"""Folders for the temporary files of a process, and the end of those whose makers were killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = ".reelproof-"  # then the number of the process that made it


def folder_of_this_process(scratch: Path | None) -> Path:
    """A new folder for temporary files below ``scratch``; those that killed processes left are removed."""
    remove_abandoned(scratch)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=scratch))


def remove_abandoned(scratch: Path | None) -> None:
    """Remove the folders for temporary files below ``scratch`` whose makers are gone."""
    for folder in Path(scratch or tempfile.gettempdir()).glob(f"{_PREFIX}[0-9]*-*"):
        maker = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if not os.path.exists(f"/proc/{maker}"):
            shutil.rmtree(folder, ignore_errors=True)
