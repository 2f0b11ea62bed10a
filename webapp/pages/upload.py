"""Handing in a file, or the sample, which is one click away."""

from __future__ import annotations

import shutil
from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from detector import timestamps
from detector.media.exhibit.signatures import PHOTO_ENDINGS, VIDEO_ENDINGS
from reports.inputs.case import CaseDetails
from reports.text.translation.language import gettext
from webapp import this_app
from webapp.errors import IntakeError, UserError
from webapp.http.error_pages import wants_json
from webapp.intake.exhibits import clean_name
from webapp.intake.incoming import Incoming
from webapp.intake.upload_request import this_request
from webapp.jobs.queue import tell_workers
from webapp.pages.form_again import form_again
from webapp.queries import analyses as analysis_queries
from webapp.queries import cases as case_queries
from webapp.queries.analyses import latest
from webapp.security.access.permissions import Permission, current, require, signed_in
from webapp.services import analyses as analysis_service
from webapp.services import models as model_service
from webapp.services import sample as sample_service
from webapp.services.analyses import AskedAnalysis
from webapp.services.cases import details as case_details
from webapp.services.quota import upload_limit

blueprint = Blueprint("upload", __name__)


@blueprint.get("/")
@signed_in()
def form(problem: UserError | None = None) -> str:
    """The form to hand in a file, and the latest analyses."""
    settings = this_app.settings()
    # The server writes an upload twice at worst: once as it arrives, once as the exhibit.
    room = max(0, (shutil.disk_usage(settings.data).free - settings.spare) // 2)
    with this_app.database().begin() as session:
        known_cases = case_queries.listed(session, current())
    return render_template(
        "pages/upload.html",
        limit=settings.upload_limit,
        endings=sorted(VIDEO_ENDINGS | PHOTO_ENDINGS),
        room=room,
        latest=latest(5),
        models=model_service.listed(),
        cases=known_cases,
        case=request.form if problem else CaseDetails(),
        problem=problem,
    )


@blueprint.post("/analyses")
@require(Permission.ANALYSE, takes_files=True)
@form_again(form)
def create() -> Response:
    """Take in one file and queue its analysis; answers with its page's address.

    To scripts as JSON: one that followed a redirect would open the page, and the log say that a person did.
    """
    settings = this_app.settings()
    this_request().upload_limit = upload_limit(settings, current())
    part = request.files.get("file")
    if part is None or not isinstance(stream := part.stream, Incoming):
        raise IntakeError(
            400,
            gettext("No file came with the form."),
            gettext("Choose a video or a photo, then start the analysis."),
            field="file",
        )
    if not stream.bytes and not part.filename:
        raise IntakeError(
            400,
            gettext("No file was chosen."),
            gettext("Choose a video or a photo, then start the analysis."),
            field="file",
        )
    file = clean_name(part.filename)
    chosen = request.form.get("model")
    analysis_service.refuse_unknown_model(chosen)
    priority = analysis_service.priority_of(request.form.get("priority"))
    details = case_details.from_form(request.form)
    with this_app.database().begin() as session:
        case_id = case_queries.chosen(session, current(), request.form.get("case"))
    stream.complete()  # flushing a large file takes a while, in which others want to write
    others = analysis_service.asked_others(request.form.getlist("also"), chosen, request.form.get("joint"))
    asked = AskedAnalysis(chosen, others, priority)
    row = analysis_service.submit(stream, file, asked, case_id=case_id, details=details)
    earlier = analysis_queries.earlier_analyses(row)
    known: dict[str, Any] = (
        {"known": earlier.count, "since": timestamps.day(earlier.first)} if earlier else {}
    )
    address = url_for("show.show", analysis_id=row.id, **known)
    return jsonify(address=address) if wants_json() else redirect(address, 303)


@blueprint.post("/sample")
@require(Permission.ANALYSE)
def sample() -> Response:
    """Go to an analysis of the sample, which is made and queued if there is none."""
    analysis_id = sample_service.sample(this_app.settings(), this_app.database(), tell_workers)
    return redirect(url_for("show.show", analysis_id=analysis_id), 303)
