"""The review page's data."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, current_app

from webapp import review
from webapp.access import Permission, require
from webapp.folders import Folders
from webapp.previews import Playback, playback
from webapp.results import load
from webapp.routes.files import finished

blueprint = Blueprint("review", __name__, url_prefix="/analyses/<analysis_id>")


@blueprint.get("/review.json")
@require(Permission.READ)
def data(analysis_id: str) -> Response:
    """The analysis as the review page reads it."""
    row, folder = finished(analysis_id)
    plays = playback(Folders.of(current_app.extensions["settings"]), row)
    return Response(_text(folder, row.id, plays), mimetype="application/json")


@lru_cache(maxsize=4)
def _text(folder: Path, analysis_id: str, plays: Playback | None) -> str:
    result = load(folder)
    address = f"/analyses/{analysis_id}/"
    document = review.document(
        result.analysis,
        result.view,
        analysis_id=analysis_id,
        sha256=result.sha256,
        playback=plays,
        media=f"{address}media",
        pictures=address,
    )
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
