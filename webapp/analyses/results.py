"""Load finished results from their folders. Results never change, so they are cached."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from detector.process.resources import gc_paused
from detector.schema.analysis import Analysis
from reports.bundle import manifest
from reports.file_names import ANALYSIS, MANIFEST
from reports.language import translation
from reports.language.translation import gettext
from webapp import context
from webapp.analyses import queries as analysis_queries
from webapp.custody import custody_log, job_records
from webapp.custody.job_records import AlteredRecord
from webapp.errors import NotReady, UserError
from webapp.review.blinding import Disclosure
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State

if TYPE_CHECKING:
    from reports.report_view import ReportView


_MOST_CACHED = 12_000_000  # bytes of analysis.json; in memory they are four times as many


@dataclass(frozen=True)
class LoadedResult:
    """What a result page shows, and the SHA-256 of the ``analysis.json`` it was read from."""

    analysis: Analysis
    view: ReportView
    sha256: str


def result_folder(database: Database, folders: Folders, row: AnalysisRow) -> Path:
    """The folder of a finished result, fetched from the store if only that has it.

    Its manifest and the row are those of the custody log; else
    :class:`~webapp.custody.job_records.AlteredRecord` is raised. Raises :class:`~webapp.errors.StoreError`
    where it cannot be had.
    """
    folder = folders.result(row.id)
    with database.begin() as session:
        told = job_records.refuse_altered_analysis(session, row)
    if not folder.exists():
        folders.store.fetch_folder(folder, lambda fetched: refuse_damaged(fetched, told))
    if problem := job_records.manifest_problem(folder, told):
        raise AlteredRecord(problem)
    return folder


def refuse_altered_row(row: AnalysisRow) -> None:
    """Before a verdict is told: raise :class:`AlteredRecord` where a finished row is not the log's."""
    if row.state == State.DONE:
        with context.database().begin() as session:
            job_records.refuse_altered_analysis(session, row)


def refuse_altered_files(folder: Path) -> None:
    """Before a hand-out: raise :class:`AlteredRecord` where a file is not what the manifest says."""
    for problem in job_records.result_problems(folder):
        raise AlteredRecord(problem)


def read_analysis_json(folder: Path) -> bytes:
    """The ``analysis.json`` of a result as it was made; raises :class:`AlteredRecord` for another one."""
    text = (folder / ANALYSIS).read_bytes()
    _refuse_unlike(_sums(folder), ANALYSIS, hashlib.sha256(text).hexdigest())
    return text


def _sums(folder: Path) -> dict[str, str]:
    try:
        return job_records.result_sums(folder)
    except manifest.ManifestError as problem:
        raise AlteredRecord(str(problem)) from None


def _refuse_unlike(sums: Mapping[str, str], path: str, sha256: str) -> None:
    if sums and sums.get(path) != sha256:
        raise AlteredRecord(gettext("%(path)s of this analysis is not the one that was made.", path=path))


def refuse_damaged(folder: Path, told: job_records.FinishedAnalysis | None = None) -> None:
    """Of what the store handed out: raise ``ValueError`` where it is not as made, by log and manifest.

    ``told`` is what the log says where that is known. Raises ``FileNotFoundError`` without a manifest.
    """
    if not (folder / MANIFEST).exists():
        raise FileNotFoundError(MANIFEST)
    if told is not None and (problem := job_records.manifest_problem(folder, told)):
        raise ValueError(problem)
    for problem in job_records.result_problems(folder):
        raise ValueError(problem)


_Key = tuple[Path, str]  # the folder of a result, and the language of its words


class _ResultCache:
    """The results used last, by their bytes: an hour of video weighs as much as hundreds of short clips."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: OrderedDict[_Key, tuple[LoadedResult, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: _Key) -> LoadedResult | None:
        with self._lock:
            if key not in self._results:
                return None
            self._results.move_to_end(key)
            return self._results[key][0]

    def add(self, key: _Key, result: LoadedResult, size: int) -> None:
        with self._lock:
            if key in self._results:  # another thread was quicker
                return
            self._results[key] = result, size
            self._bytes += size
            while self._bytes > _MOST_CACHED and len(self._results) > 1:
                _, (_, dropped) = self._results.popitem(last=False)
                self._bytes -= dropped

    def clear(self) -> None:
        with self._lock:
            self._results.clear()
            self._bytes = 0


result_cache = _ResultCache()


def load_result(folder: Path) -> LoadedResult:
    """The finished result in a folder."""
    from reports.report_view import (
        ReportInputs,
        report_view,  # brings OpenCV; only result pages need it
    )

    spoken = translation.current()
    if (known := result_cache.get((folder, spoken))) is not None:
        return known
    text = read_analysis_json(folder)
    with gc_paused():
        analysis = Analysis.from_json(text)
        view = report_view(analysis, folder, ReportInputs(language_code=spoken))
    result = LoadedResult(analysis, view, hashlib.sha256(text).hexdigest())
    result_cache.add((folder, spoken), result, len(text))
    return result


@lru_cache(maxsize=64)
def picture_sums(folder: Path) -> dict[str, str | None]:
    """The pictures the analysis names: SHA-256 by path in its folder; nothing else may be served."""
    analysis, sums = Analysis.from_json(read_analysis_json(folder)), _sums(folder)
    peaks = [peak for segment in analysis.every_segment for peak in segment.peaks]
    named = (
        analysis.picture,
        analysis.boxed,
        *(path for each in peaks for path in each.pictures),
    )
    names = {path for path in named if path}
    return {name: sums.get(name) for name in names}


def read_picture(folder: Path, name: str) -> bytes | None:
    """A picture the analysis names, None for other names; raises :class:`AlteredRecord` for a changed one."""
    sums = picture_sums(folder)
    if name not in sums:
        return None
    content = (folder / name).read_bytes()
    if sums[name] not in (None, hashlib.sha256(content).hexdigest()):
        raise AlteredRecord(gettext("%(name)s of this analysis is not the one that was made.", name=name))
    return content


def get_finished(analysis_id: str, discloses: Disclosure = Disclosure.JUDGEMENTS) -> tuple[AnalysisRow, Path]:
    """The row of a finished analysis and the folder of its result.

    ``discloses`` as of :func:`webapp.analyses.queries.get_or_404`, which raises for an analysis that is not
    there. Raises :class:`UserError` (404) for one that failed or was cancelled, :class:`NotReady` (409) for
    one that has not ended, and what :func:`result_folder` raises.
    """
    row = analysis_queries.get_or_404(analysis_id, discloses)
    state = State(row.state)
    match state:
        case State.DONE:
            return row, result_folder(context.database(), context.folders(), row)
        case State.FAILED | State.CANCELLED:
            ended = gettext("failed") if state is State.FAILED else gettext("was cancelled")
            raise UserError(
                404,
                gettext("This analysis %(ended)s, so it has no report.", ended=ended),
                gettext("Its page says what to do."),
            )
        case State.QUEUED | State.RUNNING | State.PAUSED:
            raise NotReady(
                gettext("This analysis is not finished."), gettext("Its page shows how far it is.")
            )
        case _:
            assert_never(state)


def download_name(row: AnalysisRow, file: str) -> str:
    """A name to save under that says what it belongs to, in plain ASCII."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", row.file.rsplit(".", 1)[0]).strip("-")[:60] or "exhibit"
    return f"reelproof-{stem}-{row.exhibit.sha256[:8]}-{file}"


def record_view(row: AnalysisRow) -> None:
    """Record that somebody looks at an analysis; once for a while."""
    with context.database().begin() as session:
        custody_log.append_view(session, row.exhibit.sha256, row.id)
