"""Send reports and exports, with the annotations, case details and custody log as of now."""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from contextvars import copy_context
from pathlib import Path

from flask import send_file
from werkzeug.wrappers import Response

from detector.files import ROOT
from detector.process.signals import environment_of_child
from reports.errors import ReportError
from reports.exports.formats import FORMATS, suited
from reports.file_names import CUSTODY
from reports.language.languages import DEFAULT
from reports.language.translation import gettext, translated
from reports.wording.lengths import FULL, SUMMARY, Length
from webapp import context
from webapp.accounts.permissions import current
from webapp.analyses.downloads import kept_reports
from webapp.analyses.downloads.kept_reports import KeptReport
from webapp.analyses.results import download_name, load_result, refuse_altered_files
from webapp.comparisons import reference_comparisons
from webapp.custody import disclosure
from webapp.custody.disclosure import record_download
from webapp.errors import UserError
from webapp.http.responses import ConcurrencyLimit, send_and_forget
from webapp.http.security import REPORT_POLICY
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow

REPORTS = ("report.pdf", "report.html")
# The files that `send_report` sends.
MEDIA_TYPES = {
    "report.pdf": "application/pdf",
    "report.html": "text/html",
    "analysis.json": "application/json",
    "manifest.json": "application/json",
}

log = logging.getLogger(__name__)

_TIME_LIMIT = (
    1800  # seconds; a report of a few pages takes five on a busy machine, minutes on an overloaded one
)
_ANSWER_WITHIN = 120  # seconds; then the request is answered, and rendering goes on
# Seconds to wait while another report is rendered; less than clients wait for a response.
_PATIENCE = 30
# Each waiting request holds a thread of the server (webapp/server.py).
_MAX_WAITING, _MAX_PER_ACCOUNT = 8, 2
_RENDERING = threading.Lock()  # rendering takes a core and 250 MB, so one report at a time


class ReportInProgress(UserError):
    """The report, or another one, is being rendered."""

    retry_after = 5

    def __init__(self, error: str) -> None:
        super().__init__(503, error, gettext("Try again in a minute."))


def _being_made() -> ReportInProgress:
    return ReportInProgress(gettext("The report of this analysis is being made at the moment."))


_LINE = ConcurrencyLimit(
    _MAX_WAITING,
    _MAX_PER_ACCOUNT,
    lambda: ReportInProgress(gettext("Other reports are being rendered at the moment.")),
)


def current_report(
    database: Database,
    folders: Folders,
    row: AnalysisRow,
    *,
    with_log: bool,
    language_code: str,
    length: Length = FULL,
    in_line: bool = True,
) -> Path:
    """Return the folder of the current ``report.html`` and ``report.pdf``, rendering them if necessary.

    It also holds the ``custody.json`` in them, unless ``with_log`` is False. Raises :class:`UserError` if
    they cannot be rendered, or not soon. ``in_line`` limits how many such requests wait; pass False if the
    caller limits them in another way.
    """
    compared = reference_comparisons.comparisons_for_report(row.exhibit_id)
    key = context.settings().custody_key
    report = KeptReport(
        database, folders, key, row, tuple(other.id for other in compared), with_log, language_code, length
    )
    if folder := report.kept():
        return folder
    with ExitStack() as waiting, ExitStack() as locks:
        if in_line:
            waiting.enter_context(_LINE.slot(current().user_id))
        if not locks.enter_context(kept_reports.hold_report_lock(folders, row.id, _PATIENCE)):
            raise _being_made()
        if folder := report.kept():
            return folder
        if not _RENDERING.acquire(timeout=_PATIENCE):
            raise ReportInProgress(gettext("Other reports are being rendered at the moment."))
        waiting.close()
        locks.callback(_RENDERING.release)
        for comparison in compared:
            # This also fetches results that only the store has.
            reference_comparisons.load_result(comparison).refuse_altered()
        made = _make_in_background(report, locks.pop_all())
        try:
            return made.result(_ANSWER_WITHIN if in_line else None)
        except TimeoutError:
            log.warning(
                "the report of analysis %s is not ready after %d s and is rendered on: load average %.1f on "
                "%d processors",
                row.id,
                _ANSWER_WITHIN,
                os.getloadavg()[0],
                os.cpu_count() or 1,
            )
            raise _being_made() from None


def _make_in_background(report: KeptReport, locks: ExitStack) -> Future[Path]:
    """Make a report in a thread that goes on if its request is answered before, then release the locks."""
    made: Future[Path] = Future()

    def make() -> None:
        try:
            with locks:
                folder = report.make(_render)
        except BaseException as problem:
            log.warning("the report of analysis %s was not made: %s", report.row.id, problem)
            made.set_exception(problem)
        else:
            made.set_result(folder)

    # With the language and the account of the request.
    threading.Thread(target=copy_context().run, args=(make,), name="report", daemon=True).start()
    return made


def _render(analysis: Path, inputs: dict[str, object], log_text: bytes | None, place: Path) -> None:
    command = [sys.executable, "-m", "webapp.analyses.downloads.report_process", str(analysis)]
    with kept_reports.unfinished_folder(log_text, place) as folder:
        try:
            status = subprocess.run(
                [*command, str(folder)],
                cwd=ROOT,
                env=environment_of_child(),
                input=json.dumps(inputs).encode(),
                timeout=_TIME_LIMIT,
            ).returncode
        except subprocess.TimeoutExpired:
            log.warning("rendering %s was ended after %d s", analysis.parent.name, _TIME_LIMIT)
            raise ReportInProgress(
                gettext("The machine was too busy to render the report in time.")
            ) from None
        if status == errno.ENOSPC:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if status:
            raise UserError(
                500,
                gettext("The report could not be rendered."),
                gettext(
                    "The terminal Reelproof runs in may say why. Nothing is lost: annotations and findings "
                    "are on the page, and the machine's findings in analysis.json."
                ),
            )


def send_report(
    row: AnalysisRow, folder: Path, name: str, language_code: str = DEFAULT, length: Length = FULL
) -> Response:
    """Send one of :data:`MEDIA_TYPES` of a finished analysis and record the download.

    ``folder`` is that of the result. Reports include the annotations as of now. The custody log calls a
    summary ``summary.pdf`` or ``summary.html``.
    """
    refuse_altered_files(folder)
    log = None
    if name in REPORTS:
        folders = context.folders()
        with context.database().begin() as session:
            with_log = not disclosure.hidden_analyses(session, current(), row.exhibit.sha256)
        folder = current_report(
            context.database(), folders, row, with_log=with_log, language_code=language_code, length=length
        )
        log = (folder / CUSTODY).read_bytes() if with_log else None
    page = name == "report.html"
    saved = name if length == FULL else name.replace("report", SUMMARY)
    response = send_file(
        folder / name,
        mimetype=MEDIA_TYPES[name],
        as_attachment=not page,
        download_name=download_name(row, saved),
    )
    record_download(row, saved, folder / name, log=log, answer=response)
    if page:
        response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


def export_links(still: bool) -> dict[str, str]:
    """Return the exports that the page of an analysis offers: translated texts of links by name."""
    links = {format.name: format.photo_link if still else format.link for format in suited(still)}
    return {name: translated(link) for name, link in links.items() if link is not None}


def send_export(row: AnalysisRow, folder: Path, name: str) -> Response:
    """Send a finished analysis in the format of this name.

    Raises :class:`~webapp.errors.UserError` for an unknown name, or if the format cannot hold the analysis.
    """
    if name not in FORMATS:
        raise UserError(
            404,
            gettext("There is no export of this name."),
            gettext("There are %(names)s; docs/exports.md says more.", names=", ".join(FORMATS)),
        )
    refuse_altered_files(folder)
    format = FORMATS[name]
    path = context.folders().incoming / secrets.token_hex(16)
    try:
        with path.open("xb") as out:
            format.write(load_result(folder).analysis, folder, out)
        record_download(row, format.ending, path)
        mimetype = format.mimetype.partition(";")[0]  # the response adds the charset of texts
        response = send_and_forget(path, mimetype)
    except ReportError as problem:
        raise UserError(
            409,
            translated(str(problem)),
            gettext("Choose another export: those of scores and of segments as a table always work."),
        ) from None
    finally:
        path.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=download_name(row, format.ending))
    return response
