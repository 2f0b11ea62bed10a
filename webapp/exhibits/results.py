"""Load finished results from their folders. Results never change, so they are cached."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from detector.process.resources import gc_paused
from detector.schema.analysis import Analysis
from language import translation
from language.translation import gettext
from reports.bundle import manifest
from reports.file_names import ANALYSIS, MANIFEST
from webapp import context
from webapp.casework.blinding import Disclosure
from webapp.custody import custody_log, job_records
from webapp.custody.job_records import AlteredRecord
from webapp.errors import NotReady, UserError
from webapp.exhibits import queries as analysis_queries
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State

if TYPE_CHECKING:
    from reports.report_view import ReportView


_MAX_CACHED_BYTES = 12_000_000  # bytes of analysis.json; a loaded result takes four times as much memory


@dataclass(frozen=True)
class LoadedResult:
    """A result with its view, and the SHA-256 of the ``analysis.json`` it was read from."""

    analysis: Analysis
    view: ReportView
    sha256: str


def result_folder(database: Database, folders: Folders, row: AnalysisRow) -> Path:
    """Return the folder of a result or, while its pictures are made, of its finding.

    It is fetched from the object store if necessary.

    Raises :class:`~webapp.custody.job_records.AlteredRecord` if the manifest or the row differs from the
    custody log, and :class:`~webapp.errors.StoreError` if the folder cannot be fetched.
    """
    is_explaining = row.shown_state is State.EXPLAINING
    folder = folders.finding(row.id) if is_explaining else folders.result(row.id)
    with database.begin() as session:
        log_entry = job_records.refuse_altered_analysis(session, row)
    if not folder.exists() and not folders.store.fetch_folder(
        folder, lambda copy: refuse_damaged(copy, log_entry)
    ):
        with database.begin() as session:
            row = analysis_queries.reload_row(session, row.id)
        if is_explaining and row.state == State.DONE:  # its pictures are complete since the row was read
            return result_folder(database, folders, row)
    if problem := job_records.manifest_problem(folder, log_entry):
        raise AlteredRecord(problem)
    return folder


def refuse_altered_row(row: AnalysisRow) -> None:
    """Raise :class:`AlteredRecord` if a row with a finding differs from the log, before showing it."""
    if row.has_finding:
        with context.database().begin() as session:
            job_records.refuse_altered_analysis(session, row)


def refuse_altered_files(folder: Path) -> None:
    """Raise :class:`AlteredRecord` if a file differs from the manifest. Call before handing files out."""
    for problem in job_records.result_problems(folder):
        raise AlteredRecord(problem)


def read_analysis_json(folder: Path) -> bytes:
    """Read ``analysis.json``. Raises :class:`AlteredRecord` if it differs from the manifest."""
    text = (folder / ANALYSIS).read_bytes()
    sums = _sums(folder)
    if sums and sums.get(ANALYSIS) != hashlib.sha256(text).hexdigest():
        raise AlteredRecord(
            gettext("%(path)s of this analysis was changed after it was written.", path=ANALYSIS)
        )
    return text


def _sums(folder: Path) -> dict[str, str]:
    try:
        return job_records.result_sums(folder)
    except manifest.ManifestError as problem:
        raise AlteredRecord(str(problem)) from None


def refuse_damaged(folder: Path, logged: job_records.FinishedAnalysis | None = None) -> None:
    """Raise ``ValueError`` if a result from the store differs from its manifest or from the log's entry.

    Raises ``FileNotFoundError`` without a manifest.
    """
    if not (folder / MANIFEST).exists():
        raise FileNotFoundError(MANIFEST)
    if logged is not None and (problem := job_records.manifest_problem(folder, logged)):
        raise ValueError(problem)
    for problem in job_records.result_problems(folder):
        raise ValueError(problem)


_Key = tuple[Path, str]  # folder of the result and language of its view


class _ResultCache:
    """The most recently used results, limited by bytes; an hour of video equals hundreds of short clips."""

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
            if key in self._results:  # another thread was faster
                return
            self._results[key] = result, size
            self._bytes += size
            while self._bytes > _MAX_CACHED_BYTES and len(self._results) > 1:
                _, (_, old_size) = self._results.popitem(last=False)
                self._bytes -= old_size

    def clear(self) -> None:
        with self._lock:
            self._results.clear()
            self._bytes = 0


result_cache = _ResultCache()


def load_result(folder: Path) -> LoadedResult:
    """Load the finished result in a folder, with its view in the current language."""
    # Imported lazily: this loads OpenCV, which only result pages need.
    from reports.report_view import ReportInputs, report_view

    language = translation.current()
    if (cache_entry := result_cache.get((folder, language))) is not None:
        return cache_entry
    text = read_analysis_json(folder)
    with gc_paused():
        analysis = Analysis.from_json(text)
        view = report_view(analysis, folder, ReportInputs(language_code=language))
    result = LoadedResult(analysis, view, hashlib.sha256(text).hexdigest())
    result_cache.add((folder, language), result, len(text))
    return result


@lru_cache(maxsize=64)
def picture_sums(folder: Path) -> dict[str, str | None]:
    """Return the SHA-256 of the pictures the analysis names, by path. No other picture may be served."""
    analysis, sums = Analysis.from_json(read_analysis_json(folder)), _sums(folder)
    of_segments = (path for segment in analysis.every_segment for path in segment.pictures)
    of_voice = analysis.voice.pictures if analysis.voice else ()
    paths = (analysis.picture, analysis.boxed, *of_segments, *of_voice)
    return {path: sums.get(path) for path in paths if path}


def read_picture(folder: Path, name: str) -> bytes | None:
    """Read a picture the analysis names; None for other names. Raises :class:`AlteredRecord` if changed."""
    sums = picture_sums(folder)
    if name not in sums:
        return None
    content = (folder / name).read_bytes()
    if sums[name] not in (None, hashlib.sha256(content).hexdigest()):
        raise AlteredRecord(gettext("%(name)s of this analysis was changed after it was written.", name=name))
    return content


def get_finished(
    analysis_id: str, disclosure: Disclosure = Disclosure.JUDGEMENTS
) -> tuple[AnalysisRow, Path]:
    """Return the row of a finished analysis and the folder of its result.

    ``disclosure`` is passed to :func:`webapp.exhibits.queries.get_or_404`. Raises :class:`UserError` (404)
    for a failed or cancelled analysis, :class:`NotReady` (409) for an unfinished one, and the errors of
    :func:`result_folder`.
    """
    row = analysis_queries.get_or_404(analysis_id, disclosure)
    state = row.shown_state
    match state:
        case State.DONE:
            return row, result_folder(context.database(), context.folders(), row)
        case State.FAILED | State.CANCELLED:
            outcome = gettext("failed") if state is State.FAILED else gettext("was cancelled")
            raise UserError(
                404,
                gettext("This analysis %(ended)s, so it has no report.", ended=outcome),
                gettext("Its page says what to do."),
            )
        case State.EXPLAINING:
            raise NotReady(
                gettext("The finding of this analysis is final, and its heatmaps are still being created."),
                gettext("Reports, bundles and exports are available when they are complete."),
            )
        case State.QUEUED | State.RUNNING | State.PAUSED:
            raise NotReady(
                gettext("This analysis is not finished."), gettext("Its page shows how far it is.")
            )
        case _:
            assert_never(state)


def get_with_finding(
    analysis_id: str, disclosure: Disclosure = Disclosure.JUDGEMENTS
) -> tuple[AnalysisRow, Path]:
    """Return what :func:`get_finished` does, also while the pictures of a published finding are made."""
    row = analysis_queries.get_or_404(analysis_id, disclosure)
    if row.shown_state is State.EXPLAINING:
        return row, result_folder(context.database(), context.folders(), row)
    return get_finished(analysis_id, disclosure)


def download_name(row: AnalysisRow, file: str) -> str:
    """Return an ASCII file name for a download that names the exhibit."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", row.file.rsplit(".", 1)[0]).strip("-")[:60] or "exhibit"
    return f"reelproof-{stem}-{row.exhibit.sha256[:8]}-{file}"


def record_view(row: AnalysisRow) -> None:
    """Record that somebody viewed an analysis; repeated views within a short time are recorded once."""
    with context.database().begin() as session:
        custody_log.append_view(session, row.exhibit.sha256, row.id)
