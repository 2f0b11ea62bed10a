"""Render the first report of an analysis as soon as its result is shown."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links
from webapp.analyses.downloads import kept_reports
from webapp.analyses.downloads import kept_reports as downloads_kept_reports
from webapp.analyses.downloads.kept_reports import KeptReport
from webapp.jobs import queue as job_queue
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, ComparisonRow, State

log = logging.getLogger(__name__)

_PATIENCE = 0.5  # seconds to wait for the lock; who only asks whether it is held has it for an instant
_LOOK_EVERY = 0.1  # seconds between two looks at the queue
_LIMITS = Limits(wall=300.0)
_NICE = 10  # more than the worker's own: the page of the result is just being opened


@contextlib.contextmanager
def prepared(settings: Settings, database: Database, folders: Folders, analysis_id: str) -> Iterator[None]:
    """The block marks an analysis done. Its report is then shown as being made, and is made after the block.

    What goes wrong with the report is logged and nothing else.
    """
    with contextlib.ExitStack() as held:
        mine = False
        # A full disk: then the findings may be all there is; a database that restarts: they come first.
        with contextlib.suppress(OSError, OperationalError):
            if not folders.store.elsewhere and not _a_job_waits(database, settings):
                mine = held.enter_context(
                    downloads_kept_reports.hold_report_lock(folders, analysis_id, _PATIENCE)
                )
        yield
        if mine:
            try:
                _prepare(settings, database, folders, analysis_id)
            except (InterruptedError, _JobWaits):
                log.info(
                    "the report of analysis %s is rendered when it is asked for: a job waits", analysis_id
                )
            except Exception as problem:
                log.warning("no report of analysis %s was prepared: %s", analysis_id, problem)


class _JobWaits(Exception):
    """Somebody waits for findings, which comes first."""


def _prepare(settings: Settings, database: Database, folders: Folders, analysis_id: str) -> None:
    with database.begin() as session:
        row = session.get_one(AnalysisRow, analysis_id)
        own = (ComparisonRow.exhibit_id == row.exhibit_id, ComparisonRow.state == State.DONE)
        if session.scalars(select(ComparisonRow.id).where(*own).limit(1)).first() is not None:
            return  # who asks decides which of them go in
    waits = _Throttled(lambda: _a_job_waits(database, settings))

    def look(_stage: str, _fraction: float) -> None:
        if waits():
            raise _JobWaits

    def render(analysis: Path, given: dict[str, object], log_text: bytes | None, place: Path) -> None:
        with kept_reports.unfinished_folder(log_text, place) as aside:
            _render_confined(analysis, given, aside, look)

    KeptReport(database, folders, settings.custody_key, row).make(render, waits)


class _Throttled:
    """Asks a costly question at most a few times a second; in between the answer is no."""

    def __init__(self, question: Callable[[], bool]) -> None:
        self._question, self._last = question, time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() - self._last < _LOOK_EVERY:
            return False
        self._last = time.monotonic()
        return self._question()


def _a_job_waits(database: Database, settings: Settings) -> bool:
    return job_queue.next_job_id(database, settings.queues) is not None


def _render_confined(analysis: Path, given: dict[str, object], out: Path, look: Progress) -> None:
    places = AllowedPaths(readable=(analysis.parent,), writable=(out,))
    what = (_render, analysis, json.dumps(given), out)
    with Sandbox(*what, limits=_LIMITS, places=places, scratch=out, nice=_NICE) as confined:
        confined.result(look)
    refuse_links(out)


def _render(analysis: Path, given: str, out: Path, _progress: Any) -> None:
    from webapp.analyses.downloads.report_process import render_report  # brings WeasyPrint

    render_report(analysis, json.loads(given), out)
