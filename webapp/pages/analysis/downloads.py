"""What is handed out of a finished analysis: reports, data, pictures, what plays, bundle and exports."""

from __future__ import annotations

import io

from flask import Blueprint, request, send_file
from werkzeug.wrappers import Response

from reports.text.translation.language import gettext
from webapp import this_app
from webapp.downloads import bundles as bundle_downloads
from webapp.downloads import exports as export_downloads
from webapp.downloads import reports as report_downloads
from webapp.errors import UserError
from webapp.http.interface_language import of_download
from webapp.http.range_responses import send_part
from webapp.http.security_headers import MEDIA_POLICY
from webapp.media import playback
from webapp.queries.results import get_finished, picture
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Permission, require

blueprint = Blueprint("downloads", __name__, url_prefix="/analyses/<analysis_id>")


@blueprint.get("/report.pdf")
@require(Permission.EXPORT)
def report_pdf(analysis_id: str) -> Response:
    """The evidence report as PDF, with what reviewers said until now."""
    return report_downloads.send(*get_finished(analysis_id), "report.pdf", of_download())


@blueprint.get("/report.html")
@require(Permission.EXPORT)
def report_html(analysis_id: str) -> Response:
    """The same as one HTML page: its own style sheet works, and nothing in it can run."""
    return report_downloads.send(*get_finished(analysis_id), "report.html", of_download())


@blueprint.get("/analysis.json")
@require(Permission.EXPORT)
def analysis_json(analysis_id: str) -> Response:
    """The analysis as data."""
    return report_downloads.send(*get_finished(analysis_id, Discloses.FINDINGS), "analysis.json")


@blueprint.get("/manifest.json")
@require(Permission.EXPORT)
def manifest_json(analysis_id: str) -> Response:
    """SHA-256 of the exhibit and of each file of the result."""
    return report_downloads.send(*get_finished(analysis_id, Discloses.FINDINGS), "manifest.json")


@blueprint.get("/overlays/<name>")
@require(Permission.READ)
def overlay(analysis_id: str, name: str) -> Response:
    """A picture the analysis names, and no other file."""
    _row, folder = get_finished(analysis_id, Discloses.FINDINGS)
    content = picture(folder, f"overlays/{name}")
    if content is None:
        raise UserError(
            404, gettext("This analysis has no such picture."), gettext("Go back to the analysis.")
        )
    return send_file(io.BytesIO(content), mimetype="image/png")


@blueprint.get("/media")
@require(Permission.READ)
def media(analysis_id: str) -> Response:
    """What a browser plays of the exhibit: itself as it was handed in, or its preview."""
    row, _folder = get_finished(analysis_id, Discloses.EXHIBIT)
    found = playback.media(this_app.folders(), row)
    if found is None:
        raise UserError(
            404,
            gettext("There is nothing of this exhibit to play."),
            gettext("Its kept frames are on its page."),
        )
    path, plays = found
    response = send_part(path, plays.mimetype, f"{row.exhibit.sha256}-{plays.source}")
    response.headers["Content-Security-Policy"] = MEDIA_POLICY
    return response


@blueprint.get("/bundle.zip")
@require(Permission.EXPORT)
def bundle(analysis_id: str) -> Response:
    """Everything needed to review offline and to check it; ``video=no`` and ``language`` may be asked for."""
    row, folder = get_finished(analysis_id)
    video = request.args.get("video", "yes")
    if video not in ("yes", "no"):
        raise UserError(
            400,
            gettext("A bundle comes with the video or without it."),
            gettext("Ask for video=yes or video=no."),
        )
    return bundle_downloads.send(row, folder, video=video == "yes", language_code=of_download())


@blueprint.get("/exports/<name>")
@require(Permission.EXPORT)
def export(analysis_id: str, name: str) -> Response:
    """One of the formats of ``docs/exports.md``, by its name."""
    return export_downloads.send(*get_finished(analysis_id, Discloses.FINDINGS), name)
