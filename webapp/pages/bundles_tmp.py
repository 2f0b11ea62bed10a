"""The review bundle of a finished analysis, as one zip."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, current_app, request
from werkzeug.wrappers import Response

from reports.custody.format import NAME as CUSTODY
from webapp.downloads import bundles as bundle_downloads
from webapp.downloads import custody_access, log_seen
from webapp.errors import PageError
from webapp.http.range_responses import send_and_forget
from webapp.pages.downloads import download_name, finished
from webapp.queries.analyses import database
from webapp.queries.results import load
from webapp.security.permissions import Permission, current, require
from webapp.services import annotations as annotation_service
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, now

blueprint = Blueprint("bundles", __name__, url_prefix="/analyses/<analysis_id>")


@blueprint.get("/bundle.zip")
@require(Permission.EXPORT)
def bundle(analysis_id: str) -> Response:
    """Everything needed to review offline and to check it; ``video=no`` leaves the video out."""
    row, folder = finished(analysis_id)
    video = request.args.get("video", "yes")
    if video not in ("yes", "no"):
        raise PageError(400, "A bundle comes with the video or without it.", "Ask for video=yes or video=no.")
    return send(row, folder, video=video == "yes")


def send(row: AnalysisRow, folder: Path, *, video: bool) -> Response:
    """The bundle of a finished analysis, with what reviewers said until now."""
    settings: Settings = current_app.extensions["settings"]
    result, made = load(folder), now()
    with database().begin() as session:
        said = annotation_service.listed(session, row.id)
        with_log = not log_seen.hidden(session, current(), row.exhibit.sha256)
    files = bundle_downloads.contents(
        database(),
        Folders.of(settings),
        row,
        result,
        said,
        video=video,
        made=made,
        with_log=with_log,
    )
    place = bundle_downloads.packed(settings, row, result, files, made)
    try:
        log = files.get(CUSTODY)
        assert log is None or isinstance(log, bytes)
        custody_access.record(row, "bundle.zip", place, log=log)
        response = send_and_forget(place, "application/zip")
    finally:
        place.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=download_name(row, "bundle.zip"))
    return response
