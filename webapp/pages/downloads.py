"""The files of a finished analysis: reports, data, pictures."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Blueprint, current_app, send_file
from werkzeug.wrappers import Response

from reports.custody.format import NAME as CUSTODY
from webapp.downloads import custody_access, log_seen
from webapp.downloads.reports import report_folder
from webapp.errors import PageError
from webapp.http.range_responses import send_part
from webapp.http.security_headers import MEDIA_POLICY, REPORT_POLICY
from webapp.media import playback
from webapp.queries import analyses as analysis_queries
from webapp.queries.results import picture_names, result_folder
from webapp.security.permissions import Permission, current, require
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, State

blueprint = Blueprint("files", __name__, url_prefix="/analyses/<analysis_id>")


@blueprint.get("/report.pdf")
@require(Permission.EXPORT)
def report_pdf(analysis_id: str) -> Response:
    """The evidence report as PDF, with what reviewers said until now."""
    row, folder = _reports(analysis_id, "report.pdf")
    name = download_name(row, "report.pdf")
    return send_file(
        folder / "report.pdf", mimetype="application/pdf", as_attachment=True, download_name=name
    )


@blueprint.get("/report.html")
@require(Permission.EXPORT)
def report_html(analysis_id: str) -> Response:
    """The same as one HTML page: its own style sheet works, and nothing in it can run."""
    row, folder = _reports(analysis_id, "report.html")
    response = send_file(
        folder / "report.html", mimetype="text/html", download_name=download_name(row, "report.html")
    )
    response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


@blueprint.get("/analysis.json")
@require(Permission.EXPORT)
def analysis_json(analysis_id: str) -> Response:
    """The analysis as data."""
    return _download(analysis_id, "analysis.json", "application/json")


@blueprint.get("/manifest.json")
@require(Permission.EXPORT)
def manifest_json(analysis_id: str) -> Response:
    """SHA-256 of the exhibit and of each file of the result."""
    return _download(analysis_id, "manifest.json", "application/json")


@blueprint.get("/overlays/<name>")
@require(Permission.READ)
def overlay(analysis_id: str, name: str) -> Response:
    """A picture the analysis names, and no other file."""
    _row, folder = finished(analysis_id)
    if f"overlays/{name}" not in picture_names(folder):
        raise PageError(404, "This analysis has no such picture.", "Go back to the analysis.")
    return send_file(folder / "overlays" / name, mimetype="image/png")


@blueprint.get("/media")
@require(Permission.READ)
def media(analysis_id: str) -> Response:
    """What a browser plays of the exhibit: itself as it was handed in, or its preview."""
    row, _folder = finished(analysis_id)
    found = playback.media(Folders.of(current_app.extensions["settings"]), row)
    if found is None:
        raise PageError(404, "There is nothing of this exhibit to play.", "Its kept frames are on its page.")
    path, plays = found
    response = send_part(path, plays.mimetype, f"{row.exhibit.sha256}-{plays.source}")
    response.headers["Content-Security-Policy"] = MEDIA_POLICY
    return response


def _reports(analysis_id: str, file: str) -> tuple[AnalysisRow, Path]:
    """The row of a finished analysis and the folder of its reports, one of which is handed out."""
    row, _ = finished(analysis_id)
    folders = Folders.of(current_app.extensions["settings"])
    with analysis_queries.database().begin() as session:
        with_log = not log_seen.hidden(session, current(), row.exhibit.sha256)
    folder = report_folder(analysis_queries.database(), folders, row, with_log=with_log)
    log = (folder / CUSTODY).read_bytes() if with_log else None
    custody_access.record(row, file, folder / file, log=log)
    return row, folder


def _download(analysis_id: str, file: str, mimetype: str) -> Response:
    row, folder = finished(analysis_id)
    custody_access.record(row, file, folder / file)
    return send_file(
        folder / file, mimetype=mimetype, as_attachment=True, download_name=download_name(row, file)
    )


def finished(analysis_id: str) -> tuple[AnalysisRow, Path]:
    """The row of a finished analysis and the folder of its result, or an answer that says why not."""
    row = analysis_queries.find(analysis_id)
    if row.state in (State.FAILED, State.CANCELLED):
        ended = "failed" if row.state == State.FAILED else "was cancelled"
        raise PageError(404, f"This analysis {ended}, so it has no report.", "Its page says what to do.")
    if row.state != State.DONE:
        raise PageError(409, "This analysis is not finished.", "Its page shows how far it is.")
    return row, result_folder(
        analysis_queries.database(), Folders.of(current_app.extensions["settings"]), row.id
    )


def download_name(row: AnalysisRow, file: str) -> str:
    """A name to save under that says what it belongs to, in plain ASCII."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", row.file.rsplit(".", 1)[0]).strip("-")[:60] or "exhibit"
    kind, dot, suffix = file.partition(".")
    return f"reelproof-{stem}-{row.exhibit.sha256[:8]}-{kind}{dot}{suffix}"
