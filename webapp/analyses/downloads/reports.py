"""Send reports and exports, with the annotations, case details and custody log as of now."""

from __future__ import annotations

import errno
import json
import os
import secrets
import subprocess
import sys
import threading
from contextlib import ExitStack
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
from webapp import context
from webapp.accounts.permissions import current
from webapp.analyses.downloads import kept_reports
from webapp.analyses.downloads import kept_reports as downloads_kept_reports
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
# What :func:`send` hands out.
MEDIA_TYPES = {
    "report.pdf": "application/pdf",
    "report.html": "text/html",
    "analysis.json": "application/json",
    "manifest.json": "application/json",
}

_TIME_LIMIT = 300  # seconds; a report of a few pages takes five on a busy machine
# Seconds to wait for another report that is being rendered; less than clients wait for an answer.
_PATIENCE = 30
# Requests that wait so hold a thread of the server each (webapp/server.py).
_MOST_WAITING, _MOST_OF_ONE = 8, 2
_RENDERING = threading.Lock()  # it takes a core and a quarter of a gigabyte: one at a time


class ReportInProgress(UserError):
    """The report, or another one, is being made, and takes long."""

    retry_after = 5

    def __init__(self, error: str) -> None:
        super().__init__(503, error, gettext("Try again in a minute."))


_LINE = ConcurrencyLimit(
    _MOST_WAITING,
    _MOST_OF_ONE,
    lambda: ReportInProgress(gettext("Other reports are being rendered at the moment.")),
)


def current_report(
    database: Database,
    folders: Folders,
    row: AnalysisRow,
    *,
    with_log: bool,
    language_code: str,
    in_line: bool = True,
) -> Path:
    """The folder of ``report.html`` and ``report.pdf`` as they are to be handed out now.

    With them lies the ``custody.json`` they hold, unless they are to be without the log. Raises
    :class:`UserError` where they cannot be made, or not soon. ``in_line``: the request is one of those of
    which only a few may wait; of others something else limits the number.
    """
    compared = reference_comparisons.comparisons_for_report(row.exhibit_id)
    key = context.settings().custody_key
    report = KeptReport(
        database, folders, key, row, tuple(each.id for each in compared), with_log, language_code
    )
    if place := report.kept():
        return place
    with ExitStack() as waiting, ExitStack() as held:
        if in_line:
            waiting.enter_context(_LINE.place(current().user_id))
        if not held.enter_context(downloads_kept_reports.hold_report_lock(folders, row.id, _PATIENCE)):
            raise ReportInProgress(gettext("The report of this analysis is being made at the moment."))
        if place := report.kept():
            return place
        if not _RENDERING.acquire(timeout=_PATIENCE):
            raise ReportInProgress(gettext("Other reports are being rendered at the moment."))
        waiting.close()
        try:
            for each in compared:
                # This fetches it as well, where only the store has it.
                reference_comparisons.load_result(each).refuse_altered()
            return report.make(_render)
        finally:
            _RENDERING.release()


def _render(analysis: Path, given: dict[str, object], log_text: bytes | None, place: Path) -> None:
    with kept_reports.unfinished_folder(log_text, place) as aside:
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "webapp.analyses.downloads.report_process", str(analysis), str(aside)],
                cwd=ROOT,
                env=environment_of_child(),
                input=json.dumps(given).encode(),
                timeout=_TIME_LIMIT,
            )
        except subprocess.TimeoutExpired:
            raise _render_error() from None
        if ended.returncode == errno.ENOSPC:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if ended.returncode:
            raise _render_error()


def _render_error() -> UserError:
    return UserError(
        500,
        gettext("The report could not be rendered."),
        gettext(
            "The terminal Reelproof runs in may say why. Nothing is lost: annotations and findings "
            "are on the page, and the machine's findings in analysis.json."
        ),
    )


def send_report(row: AnalysisRow, folder: Path, name: str, language_code: str = DEFAULT) -> Response:
    """One of the files of :data:`MEDIA_TYPES` of a finished analysis; that it is handed out is recorded.

    ``folder`` is that of its result. Reports come with what reviewers said until now.
    """
    refuse_altered_files(folder)
    log = None
    if name in REPORTS:
        folders = context.folders()
        with context.database().begin() as session:
            with_log = not disclosure.hidden_analyses(session, current(), row.exhibit.sha256)
        folder = current_report(
            context.database(), folders, row, with_log=with_log, language_code=language_code
        )
        log = (folder / CUSTODY).read_bytes() if with_log else None
    page = name == "report.html"
    response = send_file(
        folder / name,
        mimetype=MEDIA_TYPES[name],
        as_attachment=not page,
        download_name=download_name(row, name),
    )
    record_download(row, name, folder / name, log=log, answer=response)
    if page:
        response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


def export_links(still: bool) -> dict[str, str]:
    """Exports that the page of an analysis offers: by name, words of the language spoken now."""
    words = {each.name: each.photo_link if still else each.link for each in suited(still)}
    return {name: translated(link) for name, link in words.items() if link is not None}


def send_export(row: AnalysisRow, folder: Path, name: str) -> Response:
    """A finished analysis in the format of this name.

    Raises :class:`~webapp.errors.UserError` for a name that is none, and for what the format cannot hold.
    """
    if name not in FORMATS:
        raise UserError(
            404,
            gettext("There is no export of this name."),
            gettext("There are %(names)s; docs/exports.md says more.", names=", ".join(FORMATS)),
        )
    refuse_altered_files(folder)
    chosen = FORMATS[name]
    place = context.folders().incoming / secrets.token_hex(16)
    try:
        with place.open("xb") as out:
            chosen.write(load_result(folder).analysis, folder, out)
        record_download(row, chosen.ending, place)
        kind = chosen.mimetype.partition(";")[0]  # the response adds the charset of what is text
        response = send_and_forget(place, kind)
    except ReportError as problem:
        raise UserError(
            409,
            translated(str(problem)),
            gettext("Choose another export: those of scores and of segments as a table always work."),
        ) from None
    finally:
        place.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=download_name(row, chosen.ending))
    return response
