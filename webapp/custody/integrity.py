"""Scheduled checks: the custody log itself, and the bytes of stored exhibits.

The check of the log covers the chain and its MACs; ``verify-log`` also compares everything stored with the
entries. Exhibits are also checked before each report. On the schedule they are read slowly, and dropped from
the system's page cache: a terabyte of exhibits must not slow down pages or analyses.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from detector import timestamps
from detector.errors import ReelproofError
from language.translation import gettext
from reports.custody.chain import check_log
from reports.inputs.input_files import ExhibitCheck
from webapp.custody import custody_log
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import CUSTODY_KEY, Database
from webapp.storage.key_files import CustodyKey
from webapp.storage.object_store import NO_STORE, Store
from webapp.storage.tables import Condition, Exhibit, Milestone, now

log = logging.getLogger(__name__)

LOG_CHECK_INTERVAL = timedelta(days=1)
READ_RATE = 32_000_000  # bytes per second at most, on the schedule
_FITS, _DAMAGED = "custody log fits", "custody log damaged"
_CHUNK = 1 << 20
_POLL_INTERVAL = 60.0  # seconds
_NICENESS = 15


class DamagedExhibit(ReelproofError):
    """The stored file of an exhibit is not the file that was uploaded."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "The stored file no longer has the bytes that were uploaded, so there is no result. "
                "Its custody log says more."
            )
        )


@dataclass(frozen=True)
class LastLogCheck:
    """When the log was last found intact, and since when it is damaged; None: never."""

    fits: datetime | None
    damaged: datetime | None


def record_log_check(session: Session, *, fits: bool) -> None:
    """Store the result of a check of the log."""
    milestone = session.get(Milestone, _FITS if fits else _DAMAGED)
    if fits:
        if (damaged := session.get(Milestone, _DAMAGED)) is not None:
            session.delete(damaged)
        if milestone is not None:
            milestone.reached = now()
    if milestone is None:
        session.add(Milestone(name=_FITS if fits else _DAMAGED, reached=now()))


def last_log_check(session: Session) -> LastLogCheck:
    """Return the results of the latest checks of the log."""
    fits, damaged = session.get(Milestone, _FITS), session.get(Milestone, _DAMAGED)
    return LastLogCheck(fits.reached if fits else None, damaged.reached if damaged else None)


def check_log_if_due(database: Database) -> None:
    """Check the log unless this was done within a day; write what is wrong to the terminal's log."""
    with database.begin() as session:
        last = last_log_check(session)
        # A damaged log needs a person: verify-log shows what is wrong, and notices when it is intact again.
        if last.damaged is not None:
            return
        # A check that lies in the future was made by a clock that ran fast, and is ignored.
        if last.fits is not None and timedelta() <= now() - last.fits < LOG_CHECK_INTERVAL:
            return
        key: CustodyKey = session.info[CUSTODY_KEY]
        problem = next(iter(check_log(custody_log.iter_rows(session), key.read(), [])), None)
    if problem is not None:
        log.error("the custody log is not as it was written: %s Run python -m webapp verify-log.", problem)
    with database.begin() as session:
        record_log_check(session, fits=problem is None)


def hash_stored_file(
    path: Path,
    rate: float | None = None,
    stopping: Callable[[], bool] = lambda: False,
    store: Store = NO_STORE,
) -> ExhibitCheck:
    """Hash a stored file, reading at most ``rate`` bytes per second.

    If there is a store, its copy is hashed. Raises ``OSError`` if the file cannot be read,
    :class:`~webapp.errors.StoreError` if the store cannot be reached, and ``InterruptedError`` as soon as
    ``stopping`` returns true.
    """
    digest, size, start = hashlib.sha256(), 0, time.monotonic()
    with store.opened(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if stopping():
                raise InterruptedError
            if rate is not None:
                time.sleep(max(0.0, size / rate - (time.monotonic() - start)))
        if rate is not None and not store.elsewhere and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return ExhibitCheck(digest.hexdigest(), size, now())


def check_exhibit(
    database: Database,
    folders: Folders,
    exhibit: Exhibit,
    rate: float | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> ExhibitCheck:
    """Hash an exhibit's stored file and store the result; failures and changes go into the custody log."""
    reason = ""
    try:
        result = hash_stored_file(folders.data / exhibit.path, rate, stopping, folders.store)
        fits = result.fits(exhibit.sha256, exhibit.bytes)
        condition = Condition.FITS if fits else Condition.CHANGED
    except InterruptedError:
        raise
    except OSError as problem:
        condition = Condition.MISSING if isinstance(problem, FileNotFoundError) else Condition.UNREADABLE
        result, reason = ExhibitCheck("", 0, now()), problem.strerror or ""
    with database.alone() as session:
        row = session.get(Exhibit, exhibit.id)
        if row is None:  # deleted meanwhile, so the file is gone too
            return result
        before = row.condition
        row.checked, row.condition = result.checked, condition
        if condition != Condition.FITS or before not in (None, Condition.FITS):
            details = {
                "result": str(condition),
                "sha256 found": result.sha256 or None,
                "bytes found": result.bytes if result.sha256 else None,
                "problem": reason or None,
            }
            custody_log.append(session, "integrity check", details, exhibit=row.sha256)
    if condition != Condition.FITS:
        log.error("exhibit %s: its kept file is %s", exhibit.sha256, condition)
    return result


def check_due_exhibits(
    database: Database, settings: Settings, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Check every exhibit that is due, one after another, and return how many were checked.

    One entry of the custody log summarises the run. An interrupted run continues where it stopped: exhibits
    it has checked are no longer due.
    """
    assert settings.integrity_every is not None
    begun = now()
    due = or_(
        Exhibit.checked.is_(None),
        Exhibit.checked < begun - settings.integrity_every / 2,
        Exhibit.checked > begun,  # by a clock that ran fast
    )
    with database.begin() as session:
        ids = session.scalars(select(Exhibit.id).where(due).order_by(Exhibit.checked, Exhibit.id)).all()
    counts = dict.fromkeys(Condition, 0)
    for exhibit_id in ids:
        with database.begin() as session:
            exhibit = session.get(Exhibit, exhibit_id)
        if exhibit is None:
            continue
        check_exhibit(database, Folders.of(settings), exhibit, READ_RATE, stopping)
        with database.begin() as session:
            condition = session.scalar(select(Exhibit.condition).where(Exhibit.id == exhibit_id))
        if condition is not None:
            counts[Condition(condition)] += 1
    with database.begin() as session:
        details = {"exhibits": sum(counts.values())} | {str(name): n for name, n in counts.items()}
        custody_log.append(session, "integrity check", details | {"begun": timestamps.readable(begun)})
    return sum(counts.values())


def is_exhibit_check_due(session: Session, settings: Settings) -> bool:
    """Return whether the last run is long enough ago, and there are exhibits to check."""
    if settings.integrity_every is None:
        return False
    last = custody_log.latest_integrity_check(session)
    # A check that lies in the future was made by a clock that ran fast, and is ignored.
    if last is not None and timedelta() <= now() - custody_log.entry_time(last) < settings.integrity_every:
        return False
    return session.scalar(select(Exhibit.id).limit(1)) is not None


def keep_checking(database: Database, settings: Settings, stopping: threading.Event) -> None:
    """Check exhibits whenever due, and the log daily, until ``stopping`` is set.

    To be run in a thread of its own, which gets a low priority.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    while not stopping.wait(_POLL_INTERVAL):
        try:
            with database.begin() as session:
                due = is_exhibit_check_due(session, settings)
            if due:
                check_due_exhibits(database, settings, stopping.is_set)
            check_log_if_due(database)
        except InterruptedError:
            return
        except Exception as problem:  # tried again at the next poll
            log.warning("checking exhibits failed, trying again: %s", problem)
