"""Handing in a file."""

from __future__ import annotations

import shutil

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp import handling, models
from webapp.access import Permission, require, signed_in
from webapp.folders import Folders
from webapp.intake import Incoming, IntakeError, clean_name
from webapp.rows import latest
from webapp.settings import Settings

blueprint = Blueprint("upload", __name__)


@blueprint.get("/")
@signed_in()
def form() -> str:
    """The form to hand in a file, and the latest analyses."""
    settings: Settings = current_app.extensions["settings"]
    # The server writes an upload twice at worst: once as it arrives, once as the exhibit.
    room = max(0, (shutil.disk_usage(Folders(settings.data).data).free - settings.spare) // 2)
    return render_template(
        "pages/upload.html",
        limit=settings.upload_limit,
        room=room,
        latest=latest(5),
        models=models.listed(),
    )


@blueprint.post("/analyses")
@require(Permission.ANALYSE, takes_files=True)
def create() -> Response:
    """Take in one file and queue its analysis; answers with a redirect to its page."""
    part = request.files.get("file")
    if part is None or not isinstance(stream := part.stream, Incoming):
        raise IntakeError(
            400, "No file came with the form.", "Choose a video or a photo, then start the analysis."
        )
    if not stream.bytes and not part.filename:
        raise IntakeError(400, "No file was chosen.", "Choose a video or a photo, then start the analysis.")
    file = clean_name(part.filename)
    chosen = request.form.get("model")
    handling.refuse_unknown_model(chosen)
    stream.complete()  # flushing a large file takes a while, in which others want to write
    row = handling.hand_in(stream, file, chosen)
    return redirect(url_for("result.show", analysis_id=row.id), 303)
