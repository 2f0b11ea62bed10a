"""Send reports, with the annotations, case details and custody log as of now."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from flask import send_file
from werkzeug.wrappers import Response

from detector.files import ROOT
from detector.process.signals import environment_of_child
from language.languages import DEFAULT
from language.translation import gettext
from reports.file_names import CUSTODY
from reports.wording.lengths import FULL, SUMMARY, Length
from webapp import context
from webapp.accounts.permissions import current
from webapp.downloads import kept_reports
from webapp.downloads.kept_reports import KeptReport
from webapp.errors import UserError
from webapp.exhibits import disclosure, reference_comparisons
from webapp.exhibits.disclosure import record_download
from webapp.exhibits.results import download_name, refuse_altered_files
from webapp.http import in_turn
from webapp.http.in_turn import NotReady
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


def _being_made() -> NotReady:
    return NotReady(gettext("The report of this analysis is being made at the moment."))


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

    def make() -> Path:
        for comparison in compared:
            # This also fetches results that only the store has.
            reference_comparisons.load_result(comparison).refuse_altered()
        return report.make(_render)

    return in_turn.make_in_turn(
        f"the report of analysis {row.id}",
        current().user_id,
        kept_reports.hold_report_lock(folders, row.id, in_turn.PATIENCE),
        report.kept,
        make,
        _being_made,
        in_line=in_line,
    )


def _render(analysis: Path, inputs: dict[str, object], log_text: bytes | None, place: Path) -> None:
    command = [sys.executable, "-m", "webapp.downloads.report_process", str(analysis)]
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
            raise NotReady(gettext("The machine was too busy to render the report in time.")) from None
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
