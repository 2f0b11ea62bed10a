"""Render the first report of an analysis as soon as its result is shown."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links
from webapp.downloads import kept_reports
from webapp.jobs import queue as job_queue
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, ComparisonRow, State

log = logging.getLogger(__name__)

_LOCK_PATIENCE = 0.5  # seconds; a process that only tests the lock holds it for an instant
_QUEUE_INTERVAL = 0.1  # seconds between two looks at the queue
_LIMITS = Limits(wall=300.0)
_NICE = 10  # more than the worker's own: the page of the result is just being opened


@contextlib.contextmanager
def prepared(settings: Settings, database: Database, folders: Folders, analysis_id: str) -> Iterator[None]:
    """Show the report as being made while the block marks the analysis done, and render it after the block.

    Errors of the report are logged and otherwise ignored.
    """
    with contextlib.ExitStack() as stack:
        is_locked = False
        # A full disk or a database that restarts must not cost the findings.
        with contextlib.suppress(OSError, OperationalError):
            if not folders.store.elsewhere and not _is_job_waiting(database, settings):
                is_locked = stack.enter_context(
                    kept_reports.hold_report_lock(folders, analysis_id, _LOCK_PATIENCE)
                )
        yield
        if is_locked:
            try:
                _prepare(settings, database, folders, analysis_id)
            except (InterruptedError, _JobWaits):
                log.info(
                    "the report of analysis %s is rendered when it is asked for: a job waits", analysis_id
                )
            except Exception as error:
                log.warning("no report of analysis %s was prepared: %s", analysis_id, error)


class _JobWaits(Exception):
    """A job waits, and its findings come first."""


def _prepare(settings: Settings, database: Database, folders: Folders, analysis_id: str) -> None:
    with database.begin() as session:
        row = session.get_one(AnalysisRow, analysis_id)
        done = (ComparisonRow.exhibit_id == row.exhibit_id, ComparisonRow.state == State.DONE)
        if session.scalars(select(ComparisonRow.id).where(*done).limit(1)).first() is not None:
            return  # whoever downloads the report chooses the comparisons in it
    last_look = time.monotonic()

    def is_job_waiting() -> bool:
        nonlocal last_look
        if time.monotonic() - last_look < _QUEUE_INTERVAL:
            return False
        last_look = time.monotonic()
        return _is_job_waiting(database, settings)

    def look(_stage: str, _fraction: float) -> None:
        if is_job_waiting():
            raise _JobWaits

    def render(analysis: Path, inputs: dict[str, object], log_text: bytes | None, place: Path) -> None:
        with kept_reports.unfinished_folder(log_text, place) as folder:
            _render_confined(analysis, inputs, folder, look)

    kept_reports.KeptReport(database, folders, settings.custody_key, row).make(render, is_job_waiting)


def _is_job_waiting(database: Database, settings: Settings) -> bool:
    return job_queue.next_job_id(database, settings.queues) is not None


def _render_confined(analysis: Path, inputs: dict[str, object], out: Path, progress: Progress) -> None:
    places = AllowedPaths(readable=(analysis.parent,), writable=(out,))
    call = (_render, analysis, json.dumps(inputs), out)
    with Sandbox(*call, limits=_LIMITS, places=places, scratch=out, nice=_NICE) as sandbox:
        sandbox.result(progress)
    refuse_links(out)


def _render(analysis: Path, inputs: str, out: Path, _progress: Any) -> None:
    from webapp.downloads.report_process import render_report  # imports WeasyPrint

    render_report(analysis, json.loads(inputs), out)
