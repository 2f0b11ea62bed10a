"""Handing in a file."""

from __future__ import annotations

import shutil
from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.case import CaseDetails
from webapp import case_details, cases, jobs, kinds, models, rows
from webapp.access import Permission, current, require, signed_in
from webapp.folders import Folders
from webapp.intake import Incoming, IntakeError, clean_name, take_in, this_request
from webapp.quota import allowance
from webapp.rows import database, latest
from webapp.sending import tell_workers
from webapp.settings import Settings

blueprint = Blueprint("upload", __name__)


@blueprint.get("/")
@signed_in()
def form() -> str:
    """The form to hand in a file, and the latest analyses."""
    settings: Settings = current_app.extensions["settings"]
    # The server writes an upload twice at worst: once as it arrives, once as the exhibit.
    room = max(0, (shutil.disk_usage(Folders(settings.data).data).free - settings.spare) // 2)
    with database().begin() as session:
        known_cases = cases.listed(session, current())
    return render_template(
        "pages/upload.html",
        limit=settings.upload_limit,
        room=room,
        latest=latest(5),
        models=models.listed(),
        cases=known_cases,
        no_case=CaseDetails(),
    )


@blueprint.post("/analyses")
@require(Permission.ANALYSE, takes_files=True)
def create() -> Response:
    """Take in one file and queue its analysis; answers with a redirect to its page."""
    settings: Settings = current_app.extensions["settings"]
    this_request().allowance = allowance(settings, current())
    part = request.files.get("file")
    if part is None or not isinstance(stream := part.stream, Incoming):
        raise IntakeError(
            400, "No file came with the form.", "Choose a video or a photo, then start the analysis."
        )
    if not stream.bytes and not part.filename:
        raise IntakeError(400, "No file was chosen.", "Choose a video or a photo, then start the analysis.")
    file = clean_name(part.filename)
    chosen = request.form.get("model")
    if chosen is not None and chosen not in {model.name for model in models.listed()}:
        raise IntakeError(400, "There is no model of this name.", "Choose one that the models page lists.")
    details = case_details.from_form(request.form)
    with database().begin() as session:
        case_id = cases.chosen(session, current(), request.form.get("case"))
    stream.complete()  # flushing a large file takes a while, in which others want to write
    kinds.refuse_others(stream.path)
    with database().alone() as session:
        exhibit = take_in(session, stream, file)
        folders = Folders(settings.data)
        row = jobs.create(session, exhibit, file, chosen or models.default(session, folders))
        row.owner_id, row.case_id = current().user_id, case_id
        case_details.keep(session, row, details)
    tell_workers(row.id)
    earlier = rows.earlier(row)
    known: dict[str, Any] = {"known": earlier.count, "since": f"{earlier.first:%Y-%m-%d}"} if earlier else {}
    return redirect(url_for("result.show", analysis_id=row.id, **known), 303)
