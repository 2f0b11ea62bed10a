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


class _Subfolder:
    """A folder directly below the data folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folders: Folders, _owner: type[Folders]) -> Path:
        return folders.data / self._name


@dataclass(frozen=True)
class Folders:
    """Paths below the data folder.

    Paths are never built from names that users chose, except for names of models, which are checked to be
    letters, digits and hyphens.
    """

    data: Path
    store: Store

    incoming = _Subfolder("incoming")  # uploads in progress; emptied at start
    uploads = _Subfolder("uploads")  # incomplete resumable uploads by id, which survive a restart
    exhibits = _Subfolder("exhibits")  # read-only, by SHA-256
    analyses = _Subfolder("analyses")  # finished results, one folder each; dot names are unfinished
    findings = _Subfolder("findings")  # results whose pictures follow, one folder each
    comparisons = _Subfolder("comparisons")  # finished comparisons with a reference, one folder each
    thumbnails = _Subfolder("thumbnails")  # for lists; derived from results, not part of them
    previews = _Subfolder("previews")  # playback information by SHA-256: JSON and, where needed, a preview
    # Rendered reports, one folder per analysis, rendered again when missing. Released versions named it so.
    reports = _Subfolder("reviews")
    heatmaps = _Subfolder("heatmaps")  # animated ones, one folder per analysis; computed again when missing
    models = _Subfolder("models")  # added models, one folder each; dot names are being added or removed
    validations = _Subfolder("validations")  # the laboratory's own, one folder each
    live = _Subfolder("live")  # files that live sessions write for the pages, one folder each
    ready = _Subfolder("ready")  # files of engine processes that wait for an analysis
    broker = _Subfolder("broker")  # messages of the embedded broker: only ids, which may be lost
    deletions = _Subfolder("deletions")  # a small file for each deletion in progress, by analysis

    @staticmethod
    def of(settings: Settings) -> Folders:
        """Return the folders of a running app or worker, with its store."""
        return Folders(settings.data, open_store(settings))

    @staticmethod
    def local(data: Path) -> Folders:
        """Return the folders of this machine without the store: for paths, and for files never in a store."""
        return Folders(data, NO_STORE)

    def exhibit(self, sha256: str) -> Path:
        """Return the path of an exhibit."""
        return self.exhibits / sha256[:2] / sha256

    def result(self, analysis_id: str) -> Path:
        """Return the folder of a finished analysis."""
        return self.analyses / analysis_id

    def finding(self, analysis_id: str) -> Path:
        """Return the folder of a finding whose pictures are still to come."""
        return self.findings / analysis_id

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

    def heatmaps_of(self, analysis_id: str) -> Path:
        """Return the folder of an analysis's animated heatmaps, with a subfolder per segment."""
        return self.heatmaps / analysis_id

    def create(self) -> None:
        """Create the folders for this user alone, and withdraw other users' access to the database.

        Raises :class:`SettingError` if they cannot be created or written.
        """
        subfolders = (name for name, value in vars(Folders).items() if isinstance(value, _Subfolder))
        for folder in (self.data, *(getattr(self, name) for name in subfolders)):
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
        for path in self.findings.iterdir():
            if self.result(path.name).exists():  # complete, and this was to be removed
                shutil.rmtree(path, ignore_errors=True)
        of_analyses = (*self.reports.glob("*/.*"), *self.heatmaps.glob("*/.*"))
        for path in (*self.models.glob(".*"), *self.validations.glob(".*"), *of_analyses):
            shutil.rmtree(path, ignore_errors=True)

    def forget(self, analysis_id: str, sha256: str) -> None:
        """Remove an analysis's files from a machine that only runs workers; the store has them."""
        for path in (self.thumbnail(analysis_id), self.playback(sha256), self.preview(sha256)):
            path.unlink(missing_ok=True)
        for folder in (self.result(analysis_id), self.finding(analysis_id)):
            shutil.rmtree(folder, ignore_errors=True)

    def remove_abandoned(self) -> None:
        """Remove files that killed workers left half-written more than a day ago."""
        self._remove_unfinished(time.time() - _ABANDONED_AFTER)

    def _remove_unfinished(self, latest: float) -> None:
        unfinished = (*self.analyses.glob(".*"), *self.findings.glob(".*"), *self.ready.glob(".*"))
        for path in _modified_before(unfinished, latest):
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
