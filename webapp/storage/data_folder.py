"""The layout of the data folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import math
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from webapp.settings import DATABASE, SettingError, Settings
from webapp.storage.object_store import NO_STORE, Store, open_store

log = logging.getLogger(__name__)

_UNUSABLE = (errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS)
_ABANDONED_AFTER = 24 * 3600  # seconds; no analysis and no preview takes this long


@dataclass(frozen=True)
class Folders:
    """Paths below the data folder.

    Paths are never built from names that users chose, except for names of models, which are checked to be
    letters, digits and hyphens.
    """

    data: Path
    store: Store

    @staticmethod
    def of(settings: Settings) -> Folders:
        """Return the folders of a running app or worker, with its store."""
        return Folders(settings.data, open_store(settings))

    @staticmethod
    def local(data: Path) -> Folders:
        """Return the folders of this machine without the store: for paths, and for files never in a store."""
        return Folders(data, NO_STORE)

    @property
    def incoming(self) -> Path:
        """Uploads in progress; files left over from the last run are removed at start."""
        return self.data / "incoming"

    @property
    def ready(self) -> Path:
        """Files of engine processes that wait for an analysis (:mod:`webapp.worker.ready_engine`)."""
        return self.data / "ready"

    @property
    def exhibits(self) -> Path:
        """Exhibits, read-only, by SHA-256."""
        return self.data / "exhibits"

    @property
    def analyses(self) -> Path:
        """Finished results, one folder each. Names starting with a dot are unfinished."""
        return self.data / "analyses"

    @property
    def comparisons(self) -> Path:
        """Finished comparisons with a reference, one folder each."""
        return self.data / "comparisons"

    @property
    def thumbnails(self) -> Path:
        """Thumbnails for lists, derived from results and not part of them."""
        return self.data / "thumbnails"

    @property
    def broker(self) -> Path:
        """Messages of the embedded broker. They hold only ids and may be lost."""
        return self.data / "broker"

    @property
    def models(self) -> Path:
        """Added models, one folder each by name. Folders starting with a dot are being added or removed."""
        return self.data / "models"

    @property
    def deletions(self) -> Path:
        """A small file for each deletion in progress, by analysis (:mod:`webapp.analyses.deletion`)."""
        return self.data / "deletions"

    @property
    def uploads(self) -> Path:
        """Incomplete resumable uploads, by upload id. They survive a restart."""
        return self.data / "uploads"

    @property
    def previews(self) -> Path:
        """Playback information of exhibits, by SHA-256: a JSON file and, where needed, a preview."""
        return self.data / "previews"

    @property
    def reports(self) -> Path:
        """Rendered reports, one folder per analysis, rendered again when missing.

        The folder is named ``reviews`` for compatibility with data folders of released versions.
        """
        return self.data / "reviews"

    @property
    def validations(self) -> Path:
        """The laboratory's own validations, one folder each (:mod:`webapp.validations.store`)."""
        return self.data / "validations"

    @property
    def live(self) -> Path:
        """Files that live sessions write for the pages, one folder each (:mod:`webapp.live.sessions`)."""
        return self.data / "live"

    def exhibit(self, sha256: str) -> Path:
        """Return the path of an exhibit."""
        return self.exhibits / sha256[:2] / sha256

    def result(self, analysis_id: str) -> Path:
        """Return the folder of a finished analysis."""
        return self.analyses / analysis_id

    def comparison(self, comparison_id: str) -> Path:
        """Return the folder of a finished comparison."""
        return self.comparisons / comparison_id

    def validation(self, validation_id: str) -> Path:
        """Return the folder of a validation."""
        return self.validations / validation_id

    def unfinished(self, job_id: str, attempt: str) -> Path:
        """Return the folder in which one attempt at a job writes its result until it is complete."""
        return self.analyses / f".{job_id}.{attempt}"

    def fetched(self, job_id: str, attempt: str) -> Path:
        """Return the folder for exhibits that one attempt fetches from the store."""
        return self.analyses / f".{job_id}.{attempt}.fetched"

    def upload(self, upload_id: str) -> Path:
        """Return the path of an incomplete resumable upload."""
        return self.uploads / upload_id

    def thumbnail(self, analysis_id: str) -> Path:
        """Return the path of the thumbnail of an analysis."""
        return self.thumbnails / f"{analysis_id}.jpg"

    def playback(self, sha256: str) -> Path:
        """Return the path of an exhibit's playback information."""
        return self.previews / f"{sha256}.json"

    def preview(self, sha256: str) -> Path:
        """Return the path of an exhibit's preview: H.264 in MP4 for a video, a JPEG for a photo."""
        return self.previews / f"{sha256}.mp4"

    def reports_of(self, analysis_id: str) -> Path:
        """Return the folder of an analysis's rendered reports, with a subfolder per state of their inputs."""
        return self.reports / analysis_id

    def create(self) -> None:
        """Create the folders for this user alone, and withdraw other users' access to the database.

        Raises :class:`SettingError` if they cannot be created or written.
        """
        for folder in (
            self.data,
            self.incoming,
            self.ready,
            self.uploads,
            self.broker,
            self.deletions,
            self.live,
            self.exhibits,
            self.analyses,
            self.comparisons,
            self.thumbnails,
            self.models,
            self.previews,
            self.reports,
            self.validations,
        ):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as problem:
                if problem.errno not in _UNUSABLE:
                    raise
                raise unusable_folder_error(
                    self.data, f"{folder} cannot be made ({problem.strerror})"
                ) from None
            if not os.access(folder, os.W_OK | os.X_OK):  # read-only, or owned by another user
                raise unusable_folder_error(self.data, f"nothing can be written to {folder}")
        for suffix in ("", "-wal", "-shm"):
            _make_private(self.data / f"{DATABASE}{suffix}")

    def remove_leftovers(self, *, alone: bool = True) -> None:
        """Remove files that a killed app left half-written.

        If workers on other machines share the folder (not ``alone``), files they may still be writing are
        removed only after a day. Uploads belong to this process.
        """
        latest = (
            math.inf if alone else time.time() - _ABANDONED_AFTER
        )  # inf: the clock may have been set back
        derived = (*self.previews.glob(".*"), *self.thumbnails.glob(".*"))
        for path in (*self.incoming.iterdir(), *_modified_before(derived, latest)):
            path.unlink(missing_ok=True)
        self._remove_unfinished(latest)
        for path in (*self.models.glob(".*"), *self.validations.glob(".*"), *self.reports.glob("*/.*")):
            shutil.rmtree(path, ignore_errors=True)

    def forget(self, analysis_id: str, sha256: str) -> None:
        """Remove an analysis's files from a machine that only runs workers; the store has them."""
        for path in (self.thumbnail(analysis_id), self.playback(sha256), self.preview(sha256)):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.result(analysis_id), ignore_errors=True)

    def remove_abandoned(self) -> None:
        """Remove files that killed workers left half-written more than a day ago."""
        self._remove_unfinished(time.time() - _ABANDONED_AFTER)

    def _remove_unfinished(self, latest: float) -> None:
        for path in _modified_before((*self.analyses.glob(".*"), *self.ready.glob(".*")), latest):
            shutil.rmtree(path, ignore_errors=True)


def lock_data_folder(data: Path) -> TextIO:
    """Lock a data folder against other apps until the returned file is closed or this process ends.

    Raises :class:`SettingError` if another app holds the lock, or the file system supports none.
    """
    path = data / "lock"
    try:
        file = path.open("a+")
    except OSError as problem:  # owned by another user
        raise unusable_folder_error(data, f"{path} cannot be opened ({problem.strerror})") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise SettingError(
            f"Another Reelproof already uses {data}. Stop it, or set REELPROOF_DATA to another folder."
        ) from None
    except OSError as problem:
        file.close()
        raise SettingError(
            f"REELPROOF_DATA={data} cannot be the data folder: its file system keeps no locks "
            f"({problem.strerror}), so two Reelproofs could use it at once. Name a folder on a local disk, "
            "or mount the share with locks."
        ) from None
    return file


def unusable_folder_error(data: Path, why: str) -> SettingError:
    """Return the error for a data folder that cannot be used."""
    return SettingError(
        f"REELPROOF_DATA={data} cannot be the data folder: {why}. Name a folder that this user may write to."
    )


def _make_private(path: Path) -> None:
    """Withdraw other users' access to a file of the database: it holds password hashes."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(mode & 0o700)
    except FileNotFoundError:
        pass
    except OSError as problem:  # owned by another user, or on a disk without modes
        log.warning(
            "other users of this machine may read the database, and that cannot be changed (%s). "
            "As its owner, run: chmod 600 %s",
            problem.strerror,
            path,
        )


def _modified_before(paths: Iterable[Path], latest: float) -> Iterator[Path]:
    for path in paths:
        with contextlib.suppress(OSError):  # finished or removed meanwhile
            if path.stat().st_mtime <= latest:
                yield path
