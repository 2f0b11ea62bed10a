"""Scheduled checks: the custody log itself, and the bytes of stored exhibits."""

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
from reports.custody.chain import check_log
from reports.inputs.input_files import ExhibitCheck
from reports.language.translation import gettext
from webapp.custody import custody_log
from webapp.custody import custody_log as custody_custody_log
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import CUSTODY_KEY, Database
from webapp.storage.key_files import CustodyKey
from webapp.storage.object_store import NO_STORE, Store
from webapp.storage.tables import Condition, Exhibit, Milestone, now

log = logging.getLogger(__name__)

LOG_CHECK_INTERVAL = timedelta(days=1)
_FITS, _DAMAGED = "custody log fits", "custody log damaged"


@dataclass(frozen=True)
class LastLogCheck:
    """When the log was last found whole, and since when it is not; none: never."""

    fits: datetime | None
    damaged: datetime | None


def record_log_check(session: Session, *, fits: bool) -> None:
    """Remember what a check just showed."""
    found = session.get(Milestone, _FITS if fits else _DAMAGED)
    if fits:
        if (damaged := session.get(Milestone, _DAMAGED)) is not None:
            session.delete(damaged)
        if found is not None:
            found.reached = now()
    if found is None:
        session.add(Milestone(name=_FITS if fits else _DAMAGED, reached=now()))


def last_log_check(session: Session) -> LastLogCheck:
    """What checks showed last."""
    fits, damaged = session.get(Milestone, _FITS), session.get(Milestone, _DAMAGED)
    return LastLogCheck(fits.reached if fits else None, damaged.reached if damaged else None)


def check_log_if_due(database: Database) -> None:
    """Check the log unless that was done within a day; what is wrong goes to the terminal's log."""
    with database.begin() as session:
        before = last_log_check(session)
        # Once it does not fit, somebody has to look: verify-log says what is wrong, and when it fits again.
        if before.damaged is not None:
            return
        # A check that lies ahead was made by a clock that ran ahead, and says nothing.
        if before.fits is not None and timedelta() <= now() - before.fits < LOG_CHECK_INTERVAL:
            return
        key: CustodyKey = session.info[CUSTODY_KEY]
        problem = next(iter(check_log(custody_log.iter_rows(session), key.read(), [])), None)
    if problem is not None:
        log.error("the custody log is not as it was written: %s Run python -m webapp verify-log.", problem)
    with database.begin() as session:
        record_log_check(session, fits=problem is None)


READ_RATE = 32_000_000  # bytes a second at most, on the schedule
_CHUNK = 1 << 20
_LOOK_EVERY = 60.0  # seconds
_NICE = 15


class DamagedExhibit(ReelproofError):
    """The kept file of an exhibit is not what was handed in."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "The kept file no longer has the bytes that were handed in, so there is no result. "
                "Its custody log says more."
            )
        )


def hash_stored_file(
    path: Path,
    rate: float | None = None,
    stopping: Callable[[], bool] = lambda: False,
    store: Store = NO_STORE,
) -> ExhibitCheck:
    """Hash a kept file, at most ``rate`` bytes a second. Raises ``OSError`` where it cannot be read.

    Where there is a store its copy is the kept one; :class:`~webapp.errors.StoreError` where it cannot be
    reached.

    Raises ``InterruptedError`` as soon as ``stopping`` says so.
    """
    digest, size, begun = hashlib.sha256(), 0, time.monotonic()
    with store.opened(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if stopping():
                raise InterruptedError
            if rate is not None:
                time.sleep(max(0.0, size / rate - (time.monotonic() - begun)))
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
    """Hash an exhibit's kept file and note what that showed; a failure and a change go into the log."""
    found = ""
    try:
        seen = hash_stored_file(folders.data / exhibit.path, rate, stopping, folders.store)
        fits = seen.fits(exhibit.sha256, exhibit.bytes)
        condition = Condition.FITS if fits else Condition.CHANGED
    except InterruptedError:
        raise
    except OSError as problem:
        condition = Condition.MISSING if isinstance(problem, FileNotFoundError) else Condition.UNREADABLE
        seen, found = ExhibitCheck("", 0, now()), problem.strerror or ""
    with database.alone() as session:
        row = session.get(Exhibit, exhibit.id)
        if row is None:  # deleted meanwhile, which is why it was not found
            return seen
        before = row.condition
        row.checked, row.condition = seen.checked, condition
        if condition != Condition.FITS or before not in (None, Condition.FITS):
            details = {
                "result": str(condition),
                "sha256 found": seen.sha256 or None,
                "bytes found": seen.bytes if seen.sha256 else None,
                "problem": found or None,
            }
            custody_log.append(session, "integrity check", details, exhibit=row.sha256)
    if condition != Condition.FITS:
        log.error("exhibit %s: its kept file is %s", exhibit.sha256, condition)
    return seen


def check_due_exhibits(
    database: Database, settings: Settings, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Check every exhibit that is due, one after another; the number checked.

    One entry of the log sums the run up. A run that was interrupted goes on where it was: what it
    has checked is not due any more.
    """
    assert settings.integrity_every is not None
    begun = now()
    due = or_(
        Exhibit.checked.is_(None),
        Exhibit.checked < begun - settings.integrity_every / 2,
        Exhibit.checked > begun,  # by a clock that ran ahead
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
    """Whether the last run is long enough ago, and there is something to check."""
    if settings.integrity_every is None:
        return False
    last = custody_custody_log.latest_integrity_check(session)
    # One that lies ahead was made by a clock that ran ahead, and says nothing.
    if (
        last is not None
        and timedelta() <= now() - custody_custody_log.entry_time(last) < settings.integrity_every
    ):
        return False
    return session.scalar(select(Exhibit.id).limit(1)) is not None


def keep_checking(database: Database, settings: Settings, stopping: threading.Event) -> None:
    """Check exhibits whenever that is due, and the log daily, until ``stopping`` is set.

    For a thread of its own, which gets low priority.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    while not stopping.wait(_LOOK_EVERY):
        try:
            with database.begin() as session:
                due = is_exhibit_check_due(session, settings)
            if due:
                check_due_exhibits(database, settings, stopping.is_set)
            check_log_if_due(database)
        except InterruptedError:
            return
        except Exception as problem:  # the next look tries again
            log.warning("checking exhibits failed, trying again: %s", problem)
