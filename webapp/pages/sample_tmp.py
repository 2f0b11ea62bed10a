"""The sample, one click away."""

from __future__ import annotations

from flask import Blueprint, current_app, redirect, url_for
from werkzeug.wrappers import Response

from webapp.jobs.sending import tell_workers
from webapp.queries.analyses import database
from webapp.security.permissions import Permission, require
from webapp.services.sample import sample

blueprint = Blueprint("sample", __name__)


@blueprint.post("/sample")
@require(Permission.ANALYSE)
def show() -> Response:
    """Go to an analysis of the sample, which is made and queued if there is none."""
    analysis_id = sample(current_app.extensions["settings"], database(), tell_workers)
    return redirect(url_for("result.show", analysis_id=analysis_id), 303)
