"""The list of all analyses."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, current_app, render_template, request, send_file
from werkzeug.wrappers import Response

from webapp import rows
from webapp.errors import PageError
from webapp.first_start import sample_missing
from webapp.folders import Folders
from webapp.tables import now

blueprint = Blueprint("library", __name__)

# Making the sample takes seconds; if it has not appeared by then, it failed.
_SAMPLE_PROMISED = timedelta(minutes=3)


@blueprint.get("/analyses")
def listing() -> str:
    """All analyses, newest first, a page at a time."""
    page = rows.page(request.args.get("page", 1, type=int))
    recent = now() - current_app.extensions["started"] < _SAMPLE_PROMISED
    return render_template(
        "pages/library.html",
        page=page,
        sample_on_its_way=not page.total and sample_missing(rows.database()) and recent,
    )


@blueprint.get("/analyses/<analysis_id>/thumbnail")
def thumbnail(analysis_id: str) -> Response:
    """The small picture of an analysis: its first peak frame with the heatmap."""
    row = rows.find(analysis_id)
    path = Folders(current_app.extensions["settings"].data).thumbnail(row.id)
    if not path.is_file():
        raise PageError(404, "This analysis has no picture.", "Open the analysis to see what it found.")
    return send_file(path, mimetype="image/jpeg")
