"""Finished results, read back from their folders. They never change, so they are remembered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from detector.analysis import Analysis, Box
from detector.hashing import hashed
from reports import manifest
from reports.collecting import without_collecting
from webapp import custody
from webapp.database import Database
from webapp.folders import Folders

if TYPE_CHECKING:
    from reports.view import ReportView

_ROOM = 1.5  # side of a close-up, in sizes of the face


@dataclass(frozen=True)
class Result:
    """What a result page shows, and the SHA-256 of the ``analysis.json`` it was read from."""

    analysis: Analysis
    view: ReportView
    sha256: str


def result_folder(database: Database, folders: Folders, analysis_id: str) -> Path:
    """The folder of a finished result, fetched from the store if only that has it.

    Raises :class:`~webapp.store.StoreError` where it cannot be had, or is not what the custody log says.
    """
    folder = folders.result(analysis_id)
    if not folder.exists():
        with database.begin() as session:
            made = custody.manifest_of(session, analysis_id)
        folders.store.fetch_folder(folder, lambda fetched: refuse_damaged(fetched, made))
    return folder


def refuse_damaged(folder: Path, made: str | None = None) -> None:
    """Raise ``ValueError`` or ``FileNotFoundError`` where a file is not what the result's manifest says.

    ``made`` is the SHA-256 that the manifest is known to have.
    """
    text = (folder / manifest.NAME).read_bytes()
    if made is not None and hashlib.sha256(text).hexdigest() != made:
        raise ValueError("the manifest is not the one that was made")
    try:
        entries = manifest.read_manifest(text).files
    except manifest.ManifestError as problem:
        raise ValueError(str(problem)) from problem
    for entry in entries:
        if hashed(folder / entry.path) != (entry.bytes, entry.sha256):
            raise ValueError(f"{entry.path} is not what the manifest says")


@lru_cache(maxsize=4)
def load(folder: Path) -> Result:
    """The finished result in a folder."""
    from reports.view import report_view  # brings OpenCV; only result pages need it

    text = (folder / "analysis.json").read_bytes()
    with without_collecting():
        analysis = Analysis.from_json(text)
        view = report_view(analysis, folder)
    return Result(analysis, view, hashlib.sha256(text).hexdigest())


def close_up(box: Box) -> str:
    """The square around a face with some room, as an SVG view box in frame pixels."""
    left, top, right, bottom = box
    side = _ROOM * max(right - left, bottom - top)
    return f"{(left + right - side) / 2:.1f} {(top + bottom - side) / 2:.1f} {side:.1f} {side:.1f}"


@lru_cache(maxsize=64)
def picture_names(folder: Path) -> frozenset[str]:
    """Paths of the pictures the analysis names, relative to its folder; nothing else may be served."""
    analysis = Analysis.from_json((folder / "analysis.json").read_bytes())
    peaks = [peak for segment in analysis.segments for peak in segment.peaks]
    return frozenset(path for peak in peaks for path in (peak.frame, peak.overlay, peak.map) if path)
