"""A finished analysis for other programs: tables, subtitles, timelines of editing software."""

from __future__ import annotations

import secrets
from pathlib import Path

from flask import Blueprint, current_app
from werkzeug.wrappers import Response

from reports.errors import ReportError
from webapp.downloads import custody_access
from webapp.errors import PageError
from webapp.http.range_responses import send_and_forget
from webapp.pages.downloads import download_name, finished
from webapp.queries.results import load
from webapp.security.permissions import Permission, require
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow

blueprint = Blueprint("exports", __name__, url_prefix="/analyses/<analysis_id>/exports")


@blueprint.get("/<name>")
@require(Permission.EXPORT)
def export(analysis_id: str, name: str) -> Response:
    """One of the formats of ``docs/exports.md``, by its name."""
    return send(*finished(analysis_id), name)


def send(row: AnalysisRow, folder: Path, name: str) -> Response:
    """A finished analysis in the format of this name."""
    from reports.exports.formats import FORMATS  # brings pyarrow and OpenTimelineIO

    if name not in FORMATS:
        raise PageError(
            404,
            "There is no export of this name.",
            f"There are {', '.join(FORMATS)}; docs/exports.md says more.",
        )
    chosen = FORMATS[name]
    place = Folders(current_app.extensions["settings"].data).incoming / secrets.token_hex(16)
    try:
        with place.open("xb") as out:
            chosen.write(load(folder).analysis, folder, out)
        custody_access.record(row, chosen.ending, place)
        response = send_and_forget(place, chosen.mimetype)
    except ReportError as problem:
        raise PageError(
            409,
            str(problem),
            "Choose another export: those of scores and of segments as a table always work.",
        ) from None
    finally:
        place.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=download_name(row, chosen.ending))
    return response
