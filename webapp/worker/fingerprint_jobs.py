"""Compute the fingerprint of an exhibit during its analysis, or later where it is missing."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded

from detector.errors import ReelproofError
from detector.fingerprint.fingerprint import Fingerprint
from detector.progress import Progress
from detector.sandbox import UnexpectedError
from webapp.comparisons import fingerprints
from webapp.errors import DamagedFile
from webapp.jobs import queue as job_queue
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.worker import store_transfer

log = logging.getLogger(__name__)

FINGERPRINT = "fingerprint.bin"  # in the folder of an unfinished result, from which it is taken away
_MOST_BYTES = 64 * 1024 * 1024
_AT_A_TIME = 60.0  # seconds of making those that are missing; then others have a turn


class FingerprintKeeper:
    """Stores the fingerprint that an analysis leaves in the folder of its unfinished result.

    It is given to the engine in the place of ``progress``, looks at each call and passes the call on.
    """

    def __init__(self, database: Database, sha256: str, folder: Path, progress: Progress) -> None:
        self._database, self._sha256, self._progress = database, sha256, progress
        self._place = folder / FINGERPRINT

    def __call__(self, stage: str, fraction: float) -> None:
        """Report progress, and keep the fingerprint if it is there."""
        self._progress(stage, fraction)
        self.take()

    def take(self) -> None:
        """Keep the fingerprint if it is there, and take it out of the folder."""
        if not self._place.is_file() or self._place.is_symlink():
            return
        try:
            if self._place.stat().st_size <= _MOST_BYTES:
                fingerprints.store_and_match(
                    self._database, self._sha256, Fingerprint.from_bytes(self._place.read_bytes())
                )
        except SoftTimeLimitExceeded:
            raise
        except Exception as problem:
            log.warning("exhibit %s is not remembered: %s", self._sha256, problem, exc_info=problem)
        finally:
            self._place.unlink(missing_ok=True)


def make_missing(settings: Settings, database: Database) -> bool:
    """Make fingerprints that are missing for a while, unless a job waits; True if more are to be made."""
    folders, until = Folders.of(settings), time.monotonic() + _AT_A_TIME
    while job_queue.next_job_id(database, settings.queues) is None:
        with database.begin() as session:
            sha256 = fingerprints.next_missing(session)
        if sha256 is None:
            return False
        if time.monotonic() >= until:
            return True
        _make_one(settings, database, folders, sha256)
    return False  # the end of that job begins it again


def _make_one(settings: Settings, database: Database, folders: Folders, sha256: str) -> None:
    place = folders.unfinished(sha256[:32], f"fingerprint.{time.time_ns():x}")
    made, folder = None, place / "made"
    try:
        folder.mkdir(mode=0o700, parents=True)
        exhibit = folders.exhibit(sha256)
        if folders.store.elsewhere:
            exhibit = store_transfer.fetch_exhibit(settings, sha256, place, lambda: None)
        made = fingerprint(exhibit, folder, settings)
    except (ReelproofError, UnexpectedError, DamagedFile, OSError) as problem:
        log.warning("exhibit %s has no fingerprint: %s", sha256, problem)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    fingerprints.store_and_match(database, sha256, made)


def fingerprint(exhibit: Path, folder: Path, settings: Settings) -> Fingerprint | None:
    """The fingerprint of a file, made in a confined process."""
    from detector.fingerprint.fingerprint import fingerprint_confined

    return fingerprint_confined(exhibit, folder, settings.limits)
