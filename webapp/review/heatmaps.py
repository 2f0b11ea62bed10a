"""Animated heatmaps: those of all sampled frames of a segment, computed on request and kept.

A process of its own computes them, one segment at a time, so that the web process imports neither torch nor
a decoder. What runs and what failed is known to this process alone: after a restart a segment is requested
again. MACs under the key of the custody log show whether a file was changed since; what was is not served.
"""

from __future__ import annotations

import errno
import hmac
import json
import logging
import os
import secrets
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from flask import Response
from pydantic import Field

from detector.errors import ModelError
from detector.files import ROOT, hash_file, publish_folder
from detector.process.signals import environment_of_child
from detector.schema.analysis import Box, Probability, Seconds, Value
from detector.schema.causes.cause import Cause, render
from detector.schema.frame_maps import INDEX, SegmentMaps
from language.translation import N_, gettext, translated
from reports.file_names import ANALYSIS
from webapp import context
from webapp.accounts.permissions import current
from webapp.custody.job_records import AlteredRecord
from webapp.errors import UserError
from webapp.exhibits.results import load_result, refuse_altered_files
from webapp.installed_models import service as model_service
from webapp.review.heatmaps_process import NOT_COMPUTED
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.key_files import mac, read_key
from webapp.storage.tables import AnalysisRow

log = logging.getLogger(__name__)

_MOST_WAITING, _MOST_OF_ACCOUNT = 8, 2
_MACS = "macs.json"
_CHANGED = N_("The heatmaps of this segment were changed after they were computed. Have them computed again.")
_TYPES = {"jpg": "image/jpeg", "png": "image/png"}
_LOOK_EVERY = 0.2  # seconds
_COMPUTING = threading.Lock()  # it takes a core and more than 1 GB, so one segment at a time


class ShownFrame(Value):
    """One sampled frame of a segment."""

    time: Seconds
    pts: int
    probability: Probability = Field(description="of this frame alone; the higher, the brighter is the map")
    heat: Probability = Field(description="strength relative to the strongest heatmap of the segment")
    part: Box = Field(description="what both pictures show, in pixels of the exhibit")
    frame: str = Field(description="address of the head alone (JPEG)")
    map: str = Field(description="address of its heatmap (PNG, transparent where cold)")


class AnimatedHeatmap(Value):
    """The heatmaps of a segment's sampled frames, or how far they are."""

    segment: str
    state: Literal["absent", "waiting", "computing", "done", "failed", "cancelled"]
    progress: float = Field(default=0.0, ge=0, le=1)
    error: str = Field(default="", description="why they were not computed")
    frames: tuple[ShownFrame, ...] = Field(default=(), description="those that exist, in every state")


class TooManyHeatmaps(UserError):
    """Other segments are waiting already, or two of this account."""

    retry_after = 60

    def __init__(self) -> None:
        super().__init__(
            503,
            gettext("The heatmaps of other segments are being computed."),
            gettext("Try again in a minute."),
        )


@dataclass
class _Job:
    """The state of a requested segment; ``error`` is set when it failed."""

    account: int | None  # who requested it; None without login
    unfinished: Path  # the folder of the pictures until they are in their place
    progress: float | None = None  # None while it waits
    error: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        """Whether it failed or was cancelled; one that succeeded is forgotten."""
        return bool(self.error) or self.progress == _CANCELLED


_CANCELLED = -1.0


_JOBS: dict[Path, _Job] = {}  # by the place of the pictures
_CHANGING = threading.Lock()


def animated_heatmap(
    row: AnalysisRow, folder: Path, segment: str, address: Callable[[str], str]
) -> AnimatedHeatmap:
    """Return the state of a segment's heatmaps; ``address`` makes the address of a picture's file name.

    ``folder`` is that of the analysis's result. Raises :class:`UserError` (404) for an unknown segment.
    """
    place = _place(row, folder, segment)
    with _CHANGING:  # a job leaves after its pictures have come into their place
        job = _JOBS.get(place)
    kept = _stored(place)
    if kept is not None and not _is_unaltered(place, INDEX):
        if job is None or job.ended:
            return AnimatedHeatmap(segment=segment, state="failed", error=gettext(_CHANGED))
        kept = None
    maps = kept if kept is not None or job is None else _listed(job.unfinished)
    frames = tuple(
        ShownFrame(**dict(frame) | {"frame": address(frame.frame), "map": address(frame.map)})
        for frame in (maps.frames if maps else ())
    )
    if job is None and maps is not None and maps.complete:
        return AnimatedHeatmap(segment=segment, state="done", progress=1.0, frames=frames)
    if job is None:
        # Those of a part remain after a restart.
        return AnimatedHeatmap(segment=segment, state="absent", frames=frames)
    if job.error:
        return AnimatedHeatmap(segment=segment, state="failed", error=translated(job.error), frames=frames)
    if job.ended:
        return AnimatedHeatmap(segment=segment, state="cancelled", frames=frames)
    if job.progress is None:
        return AnimatedHeatmap(segment=segment, state="waiting", frames=frames)
    return AnimatedHeatmap(segment=segment, state="computing", progress=job.progress, frames=frames)


def picture_response(row: AnalysisRow, result: Path, segment: str, name: str) -> Response:
    """Send a picture of a segment's heatmaps by its file name, also while others are computed.

    Raises :class:`UserError`: 404 if there is no such picture, 500 if it was changed.
    """
    place = _place(row, result, segment)
    with _CHANGING:
        job = _JOBS.get(place)
    kept = _stored(place)
    maps, folder = (
        (kept, place) if kept is not None or job is None else (_listed(job.unfinished), job.unfinished)
    )
    if maps is None or not any(name in (frame.frame, frame.map) for frame in maps.frames):
        raise UserError(
            404,
            gettext("There is no such picture of this segment."),
            gettext("The list of its heatmaps names them."),
        )
    if kept is not None and not (_is_unaltered(place, INDEX) and _is_unaltered(place, name)):
        raise AlteredRecord(gettext(_CHANGED))
    return Response(_read_regular(folder / name), mimetype=_TYPES[name.rpartition(".")[2]])


def request_heatmaps(row: AnalysisRow, folder: Path, segment: str) -> None:
    """Start computing the heatmaps of a segment unless they are there or under way.

    Raises :class:`UserError` for an unknown segment, if the exhibit is not here, or if many others wait.
    """
    place = _place(row, folder, segment)
    maps = _stored(place)
    if maps is not None and maps.complete and all(_is_unaltered(place, name) for name in _files(maps)):
        return
    refuse_altered_files(folder)
    settings, database, folders = context.settings(), context.database(), context.folders()
    exhibit = folders.data / row.exhibit.path
    if not folders.store.fetch(exhibit, row.exhibit.sha256):
        raise UserError(
            409,
            gettext("The file of this exhibit is not here, so no heatmaps can be computed."),
            gettext("Upload the same file again."),
        )
    try:
        card = model_service.card_path(folders, load_result(folder).analysis.model.name)
    except ModelError as problem:
        raise UserError(409, translated(str(problem)), "") from None
    with _CHANGING:
        known = _JOBS.get(place)
        if known is not None and not known.ended:
            return
        account = current().user_id
        under_way = [job.account for job in _JOBS.values() if not job.ended]
        if len(under_way) >= _MOST_WAITING or (
            account is not None and under_way.count(account) >= _MOST_OF_ACCOUNT
        ):
            raise TooManyHeatmaps
        job = _JOBS[place] = _Job(account, place.parent / f".{segment}.{secrets.token_hex(8)}")
    task = _Task(settings, database, folders, row.id, exhibit, folder / ANALYSIS, segment, card, place)
    threading.Thread(target=_compute, args=(task, job), name="heatmaps", daemon=True).start()


def cancel_heatmaps(row: AnalysisRow, folder: Path, segment: str) -> None:
    """Stop computing the heatmaps of a segment; those that exist stay. Raises :class:`UserError` (404)."""
    place = _place(row, folder, segment)
    with _CHANGING:
        job = _JOBS.get(place)
    if job is not None and not job.ended:
        job.cancelled.set()


@dataclass(frozen=True)
class _Task:
    """What is computed, from which files, and where to."""

    settings: Settings
    database: Database
    folders: Folders
    analysis_id: str
    exhibit: Path
    analysis: Path
    segment: str
    card: Path
    place: Path


def _place(row: AnalysisRow, folder: Path, segment: str) -> Path:
    analysis = load_result(folder).analysis
    if analysis.media.still or segment not in {known.id for known in analysis.segments}:
        raise UserError(
            404,
            gettext("This analysis has no segment of this name with an animated heatmap."),
            gettext("Its page lists the segments."),
        )
    return context.folders().heatmaps_of(row.id) / segment


def _read_regular(path: Path) -> bytes:
    """Read a file that a confined process may still be writing, and that therefore may be anything."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))
        return file.read()


def _stored(place: Path) -> SegmentMaps | None:
    """Return the heatmaps in their place; None without any, or without MACs, as development versions left."""
    try:
        return _listed(place) if (place / _MACS).exists() else None
    except OSError:
        return None


def _listed(folder: Path) -> SegmentMaps | None:
    try:
        return SegmentMaps.model_validate_json(_read_regular(folder / INDEX))
    except (OSError, ValueError):
        return None


def _files(maps: SegmentMaps) -> list[str]:
    return [INDEX, *(name for frame in maps.frames for name in (frame.frame, frame.map))]


def _is_unaltered(place: Path, name: str) -> bool:
    """Return whether a file of a segment's heatmaps is as it was computed."""
    key = read_key(context.settings().custody_key)
    try:
        known = json.loads((place / _MACS).read_bytes())[name]
        return hmac.compare_digest(known, _mac(key, place.parent.name, place.name, place / name))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _mac(key: bytes, analysis_id: str, segment: str, file: Path) -> str:
    """Return the MAC of a file's content, valid in its place alone."""
    return mac(key, "heatmap", f"{analysis_id}/{segment}/{file.name}/{hash_file(file)[1]}")


def _compute(task: _Task, job: _Job) -> None:
    """Compute the heatmaps in a process of their own, and put them into their place."""
    error = ""
    try:
        while not _COMPUTING.acquire(timeout=_LOOK_EVERY):
            if job.cancelled.is_set():
                return
        try:
            job.progress = 0.0
            job.unfinished.mkdir(mode=0o700, parents=True)
            error = _run(task, job.unfinished, job)
        finally:
            _COMPUTING.release()
    except Exception as problem:
        log.warning("heatmaps of analysis %s: %s", task.analysis_id, problem, exc_info=problem)
        error = NOT_COMPUTED
    finally:
        _end(task, job, error)


def _end(task: _Task, job: _Job, error: str) -> None:
    """Put the pictures that exist into their place, unless more are there, and note how it ended."""
    try:
        made, before = _listed(job.unfinished), _stored(task.place)
        if made is not None and len(made.frames) >= len(before.frames if before else ()):
            _seal(task, job.unfinished, made)
            shutil.rmtree(task.place, ignore_errors=True)
            publish_folder(job.unfinished, task.place)
            _remove_if_deleted(task)
        is_complete = made is not None and made.complete
    except Exception as problem:
        log.warning("heatmaps of analysis %s: %s", task.analysis_id, problem, exc_info=problem)
        error, is_complete = NOT_COMPUTED, False
    finally:
        shutil.rmtree(job.unfinished, ignore_errors=True)
    with _CHANGING:
        if is_complete:
            del _JOBS[task.place]
        elif job.cancelled.is_set():
            job.progress = _CANCELLED
        else:
            job.error = error or NOT_COMPUTED


def _seal(task: _Task, unfinished: Path, made: SegmentMaps) -> None:
    """Write the MACs of the listed pictures, and remove what else the process left."""
    names, key = _files(made), read_key(task.settings.custody_key)
    for path in unfinished.iterdir():
        if path.name not in names:
            path.unlink()
    for name in names:
        _read_regular(unfinished / name)
    macs = {name: _mac(key, task.analysis_id, task.segment, unfinished / name) for name in names}
    (unfinished / _MACS).write_text(json.dumps(macs))


def _run(task: _Task, out: Path, job: _Job) -> str:
    """Return the message about a failure, empty without one."""
    request: dict[str, Any] = {
        "exhibit": str(task.exhibit),
        "analysis": str(task.analysis),
        "segment": task.segment,
        "out": str(out),
        "card": str(task.card),
        "limits": asdict(task.settings.limits),
    }
    command = [sys.executable, "-m", "webapp.review.heatmaps_process"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment_of_child(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        ended = threading.Event()
        threading.Thread(target=_kill_if_cancelled, args=(process, job, ended), daemon=True).start()
        error = ""
        try:
            for line in process.stdout:
                message = json.loads(line)
                job.progress = message.get("progress", job.progress)
                if "error" in message:
                    error = render(Cause.model_validate(message["error"]))
        finally:
            ended.set()
    return error or (NOT_COMPUTED if process.returncode else "")


def _kill_if_cancelled(process: subprocess.Popen[bytes], job: _Job, ended: threading.Event) -> None:
    """End the process, and with it the confined one that computes, once its job is cancelled."""
    while not ended.is_set():
        if job.cancelled.wait(_LOOK_EVERY):
            process.terminate()
            return


def _remove_if_deleted(task: _Task) -> None:
    """Remove the pictures if the analysis was deleted meanwhile, because nothing else does."""
    with task.database.begin() as session:
        if session.get(AnalysisRow, task.analysis_id) is None:
            shutil.rmtree(task.place.parent, ignore_errors=True)
