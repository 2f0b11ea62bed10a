"""Who renders the reports of an analysis: one process at a time, and whether one does now.

It holds a lock of the operating system meanwhile, which goes with it however it ends. So whether a report is
being made is never written down: what a killed process left behind is nothing but a report that is not there,
and is rendered when it is asked for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import Literal

from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, State

_LOOK_EVERY = 0.05  # seconds


@contextlib.contextmanager
def hold(folders: Folders, analysis_id: str, patience: float) -> Iterator[bool]:
    """Hold the lock for rendering reports of an analysis; False if another had it for ``patience`` seconds.

    Where the file system knows no locks of folders everybody gets it: then a report may be rendered twice.
    """
    place = folders.reports_of(analysis_id)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock, until = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), time.monotonic() + patience
    try:
        while not (mine := _locked(lock, fcntl.LOCK_EX)) and time.monotonic() < until:
            time.sleep(_LOOK_EVERY)
        yield mine
    finally:
        os.close(lock)


def status(folders: Folders, row: AnalysisRow) -> Literal["being made", "available"] | None:
    """How the report of an analysis stands, for programs and pages; None before the analysis is done.

    One that is not kept is available too: it is rendered when somebody asks for it.
    """
    if row.state != State.DONE:
        return None
    return "being made" if being_made(folders, row.id) else "available"


def being_made(folders: Folders, analysis_id: str) -> bool:
    """Whether a report of an analysis is rendered now, on this machine or one that shares its locks."""
    try:
        lock = os.open(folders.reports_of(analysis_id), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def _locked(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
