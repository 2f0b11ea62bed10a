"""The list of all analyses."""

from __future__ import annotations

from flask import Blueprint, current_app, render_template, request, send_file
from werkzeug.wrappers import Response

from webapp import rows
from webapp.errors import PageError
from webapp.folders import Folders

blueprint = Blueprint("library", __name__)


@blueprint.get("/analyses")
def listing() -> str:
    """All analyses, newest first, a page at a time."""
    page = rows.page(request.args.get("page", 1, type=int))
    return render_template(
        "pages/library.html",
        page=page,
        sample_on_its_way=not page.total and rows.sample_on_its_way(),
    )


@blueprint.get("/analyses/<analysis_id>/thumbnail")
def thumbnail(analysis_id: str) -> Response:
    """The small picture of an analysis: its first peak frame with the heatmap."""
    row = rows.find(analysis_id)
    path = Folders(current_app.extensions["settings"].data).thumbnail(row.id)
    if not path.is_file():
        raise PageError(404, "This analysis has no picture.", "Open the analysis to see what it found.")
    return send_file(path, mimetype="image/jpeg", max_age=None)
