"""Compute the fingerprint of an exhibit during its analysis, or later where it is missing."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded

from detector.errors import ReelproofError, SoundOnlyError
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

FINGERPRINT = "fingerprint.bin"  # in the folder of an unfinished result, from which it is removed
_MAX_BYTES = 64 * 1024 * 1024
_TURN = 60.0  # seconds of making missing fingerprints before other tasks have a turn


class FingerprintKeeper:
    """A progress callback that stores the fingerprint as soon as the engine has written it.

    It looks for the file at each call and passes the call on.
    """

    def __init__(self, database: Database, sha256: str, folder: Path, progress: Progress) -> None:
        self._database, self._sha256, self._progress = database, sha256, progress
        self._file = folder / FINGERPRINT

    def __call__(self, stage: str, fraction: float) -> None:
        self._progress(stage, fraction)
        self.take()

    def take(self) -> None:
        """Store the fingerprint if it is there, and remove it from the folder."""
        if not self._file.is_file() or self._file.is_symlink():
            return
        try:
            if self._file.stat().st_size <= _MAX_BYTES:
                fingerprints.store_and_match(
                    self._database, self._sha256, Fingerprint.from_bytes(self._file.read_bytes())
                )
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            log.warning("exhibit %s is not remembered: %s", self._sha256, error, exc_info=error)
        finally:
            self._file.unlink(missing_ok=True)


def make_missing(settings: Settings, database: Database) -> bool:
    """Make missing fingerprints for a while, unless a job waits; return whether more are missing."""
    folders, until = Folders.of(settings), time.monotonic() + _TURN
    while job_queue.next_job_id(database, settings.queues) is None:
        with database.begin() as session:
            sha256 = fingerprints.next_missing(session)
        if sha256 is None:
            return False
        if time.monotonic() >= until:
            return True
        _make_missing(settings, database, folders, sha256)
    return False  # the end of that job starts this again


def _make_missing(settings: Settings, database: Database, folders: Folders, sha256: str) -> None:
    scratch = folders.unfinished(sha256[:32], f"fingerprint.{time.time_ns():x}")
    result, folder = None, scratch / "made"
    try:
        folder.mkdir(mode=0o700, parents=True)
        exhibit = folders.exhibit(sha256)
        if folders.store.elsewhere:
            exhibit = store_transfer.fetch_exhibit(settings, sha256, scratch, lambda: None)
        result = fingerprint(exhibit, folder, settings)
    except SoundOnlyError:
        log.debug("exhibit %s has no picture, so it has no fingerprint", sha256)
    except (ReelproofError, UnexpectedError, DamagedFile, OSError) as error:
        log.warning("exhibit %s has no fingerprint: %s", sha256, error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    fingerprints.store_and_match(database, sha256, result)  # None: it is not tried again


def fingerprint(exhibit: Path, folder: Path, settings: Settings) -> Fingerprint | None:
    """Compute the fingerprint of a file in a confined process."""
    from detector.fingerprint.confined import fingerprint_confined

    return fingerprint_confined(exhibit, folder, settings.limits)
