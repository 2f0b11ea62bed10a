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

_NO_PLACE = (errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS)
_ABANDONED = 24 * 3600  # seconds; no analysis and no preview takes so long


@dataclass(frozen=True)
class Folders:
    """Paths under the data folder.

    None is ever built from a name a user chose, but for names of models, which are checked to be letters,
    digits and hyphens.
    """

    data: Path
    store: Store

    @staticmethod
    def of(settings: Settings) -> Folders:
        """Those of a running app or worker, with its store."""
        return Folders(settings.data, open_store(settings))

    @staticmethod
    def local(data: Path) -> Folders:
        """Those of this machine, as if there were no store: for paths, and for what no store has."""
        return Folders(data, NO_STORE)

    @property
    def incoming(self) -> Path:
        """Uploads on their way in; anything here at start is left over and removed."""
        return self.data / "incoming"

    @property
    def ready(self) -> Path:
        """What processes that wait for an analysis keep beside them (:mod:`webapp.worker.ready_engine`)."""
        return self.data / "ready"

    @property
    def exhibits(self) -> Path:
        """Exhibits, read-only, by SHA-256."""
        return self.data / "exhibits"

    @property
    def analyses(self) -> Path:
        """Finished results, one folder each; names starting with a dot are unfinished."""
        return self.data / "analyses"

    @property
    def comparisons(self) -> Path:
        """Finished comparisons with a reference, one folder each."""
        return self.data / "comparisons"

    @property
    def thumbnails(self) -> Path:
        """Small pictures for the list, derived from results and not part of them."""
        return self.data / "thumbnails"

    @property
    def broker(self) -> Path:
        """Messages of the embedded broker; they carry ids only and may be lost."""
        return self.data / "broker"

    @property
    def models(self) -> Path:
        """Added models, one folder each by name; folders starting with a dot are on their way in or out."""
        return self.data / "models"

    @property
    def deletions(self) -> Path:
        """One small file for each deletion that has begun, by analysis (:mod:`webapp.analyses.deletion`)."""
        return self.data / "deletions"

    @property
    def uploads(self) -> Path:
        """Files that come in parts, by upload id, until they are whole; they outlive a restart."""
        return self.data / "uploads"

    @property
    def previews(self) -> Path:
        """What plays of each exhibit, by SHA-256: a small JSON file and, where needed, a preview."""
        return self.data / "previews"

    @property
    def reports(self) -> Path:
        """Rendered reports, one folder an analysis; made again whenever they are missing.

        In ``reviews``, as in the data folders of released versions.
        """
        return self.data / "reviews"

    @property
    def validations(self) -> Path:
        """The laboratory's own validations, one folder each (:mod:`webapp.validations.store`)."""
        return self.data / "validations"

    @property
    def live(self) -> Path:
        """What live sessions write for pages, one folder each (:mod:`webapp.live.sessions`)."""
        return self.data / "live"

    def exhibit(self, sha256: str) -> Path:
        """The exhibit of this SHA-256."""
        return self.exhibits / sha256[:2] / sha256

    def result(self, analysis_id: str) -> Path:
        """The finished result of one analysis."""
        return self.analyses / analysis_id

    def comparison(self, comparison_id: str) -> Path:
        """The finished result of one comparison."""
        return self.comparisons / comparison_id

    def validation(self, validation_id: str) -> Path:
        """One validation."""
        return self.validations / validation_id

    def unfinished(self, job_id: str, attempt: str) -> Path:
        """Where one attempt writes its result, of an analysis or a comparison, until it is whole."""
        return self.analyses / f".{job_id}.{attempt}"

    def fetched(self, job_id: str, attempt: str) -> Path:
        """Where one attempt has its exhibits if only the store has them."""
        return self.analyses / f".{job_id}.{attempt}.fetched"

    def upload(self, upload_id: str) -> Path:
        """What came so far of one file that comes in parts."""
        return self.uploads / upload_id

    def thumbnail(self, analysis_id: str) -> Path:
        """The small picture of one analysis."""
        return self.thumbnails / f"{analysis_id}.jpg"

    def playback(self, sha256: str) -> Path:
        """What plays of one exhibit."""
        return self.previews / f"{sha256}.json"

    def preview(self, sha256: str) -> Path:
        """The preview of one exhibit: H.264 in mp4 whatever the exhibit was, or of a photo a JPEG."""
        return self.previews / f"{sha256}.mp4"

    def reports_of(self, analysis_id: str) -> Path:
        """Rendered reports of one analysis, a folder for each state of what goes into them."""
        return self.reports / analysis_id

    def create(self) -> None:
        """Make the folders, for this user alone, and let nobody else read a database that is there.

        Raises :class:`SettingError` where there is no place for them.
        """
        kept = (
            self.exhibits,
            self.analyses,
            self.comparisons,
            self.thumbnails,
            self.models,
            self.previews,
            self.reports,
            self.validations,
        )
        for folder in (
            self.data,
            self.incoming,
            self.ready,
            self.uploads,
            self.broker,
            self.deletions,
            self.live,
            *kept,
        ):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as problem:
                if problem.errno not in _NO_PLACE:
                    raise
                raise unusable_folder_error(
                    self.data, f"{folder} cannot be made ({problem.strerror})"
                ) from None
            if not os.access(folder, os.W_OK | os.X_OK):  # read-only, or of a user that ran this before
                raise unusable_folder_error(self.data, f"nothing can be written to {folder}")
        for end in ("", "-wal", "-shm"):
            _withhold(self.data / f"{DATABASE}{end}")

    def remove_leftovers(self, *, alone: bool = True) -> None:
        """Remove what an app that was killed left half-written.

        Where workers on other machines share the folder (not ``alone``), what they may be at work on
        stays until it is a day old; uploads are this process's own.
        """
        newest = math.inf if alone else time.time() - _ABANDONED  # the clock may have been set back
        derived = (*self.previews.glob(".*"), *self.thumbnails.glob(".*"))
        for path in (*self.incoming.iterdir(), *_older(derived, newest)):
            path.unlink(missing_ok=True)
        self._remove_unfinished(newest)
        half = (*self.models.glob(".*"), *self.validations.glob(".*"), *self.reports.glob("*/.*"))
        for path in half:
            shutil.rmtree(path, ignore_errors=True)

    def forget(self, analysis_id: str, sha256: str) -> None:
        """Remove what was made for an analysis on a machine that only works; the store has it."""
        for path in (self.thumbnail(analysis_id), self.playback(sha256), self.preview(sha256)):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.result(analysis_id), ignore_errors=True)

    def remove_abandoned(self) -> None:
        """Remove what workers that were killed left half-written, once it is a day old."""
        self._remove_unfinished(time.time() - _ABANDONED)

    def _remove_unfinished(self, newest: float) -> None:
        for path in _older((*self.analyses.glob(".*"), *self.ready.glob(".*")), newest):
            shutil.rmtree(path, ignore_errors=True)


def lock_data_folder(data: Path) -> TextIO:
    """Keep other apps from a data folder until the file that is returned is closed, or this process ends.

    Raises :class:`SettingError` if another one has it, and where there can be no lock.
    """
    place = data / "lock"
    try:
        file = place.open("a+")
    except OSError as problem:  # of another user, who ran this before
        raise unusable_folder_error(data, f"{place} cannot be opened ({problem.strerror})") from None
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
    """What to say of a data folder that cannot be used, and what to do about it."""
    return SettingError(
        f"REELPROOF_DATA={data} cannot be the data folder: {why}. Name a folder that this user may write to."
    )


def _withhold(path: Path) -> None:
    """Take from others what they may do with a file; hashes of passwords are in it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(mode & 0o700)
    except FileNotFoundError:
        pass
    except OSError as problem:  # of another user, or on a disk without modes
        log.warning(
            "other users of this machine may read the database, and that cannot be changed (%s). "
            "As its owner, run: chmod 600 %s",
            problem.strerror,
            path,
        )


def _older(paths: Iterable[Path], newest: float) -> Iterator[Path]:
    for path in paths:
        with contextlib.suppress(OSError):  # finished or removed meanwhile
            if path.stat().st_mtime <= newest:
                yield path
