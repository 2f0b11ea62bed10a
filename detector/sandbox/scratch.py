"""Folders for the temporary files of a process, and the end of those whose makers were killed.

Workers in several containers or on several machines may share the place, and the number of a process means
nothing outside its PID namespace. So a folder's name has its maker's: only there is it known to be gone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = ".reelproof-"  # then the maker: its namespace, its number, and when it started
_FORGOTTEN = 24 * 3600  # seconds without a change after which a maker elsewhere is taken to be gone


def folder_of_this_process(scratch: Path | None) -> Path:
    """A new folder for temporary files below ``scratch``; those that killed processes left are removed."""
    remove_abandoned(scratch)
    number = os.getpid()
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_namespace()}-{number}-{_started(number)}-", dir=scratch))


def remove_abandoned(scratch: Path | None) -> None:
    """Remove the folders for temporary files below ``scratch`` whose makers are gone.

    Those of other machines, containers and starts of the system go when nothing has changed for a day.
    """
    here = _namespace()
    for folder in Path(scratch or tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        namespace, *maker = folder.name.removeprefix(_PREFIX).split("-")
        if _is_gone(maker) if here and namespace == here else _is_forgotten(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _namespace() -> str:
    """The PID namespace of this process, on this machine since it was started; empty where it has no name.

    It begins with a letter: earlier versions, which may still run beside this one, take what begins with a
    figure for the number of a process.
    """
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text()
        return "n" + hashlib.sha256(f"{booted}{os.readlink('/proc/self/ns/pid')}".encode()).hexdigest()[:12]
    except OSError:
        return ""


def _started(number: int | str) -> str:
    """When a process started, in ticks since the system did; empty when it is gone.

    Another process may have got its number since.
    """
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _is_gone(maker: list[str]) -> bool:
    number, started, *_ = maker
    return _started(number) != started


def _is_forgotten(folder: Path) -> bool:
    try:
        return time.time() - max(each.stat().st_mtime for each in (folder, *folder.iterdir())) > _FORGOTTEN
    except OSError:  # it is being removed
        return False
