"""A finished analysis for other programs: tables, subtitles, timelines of editing software."""

from __future__ import annotations

import tempfile
from typing import BinaryIO, cast

from flask import Blueprint, current_app, send_file
from werkzeug.wrappers import Response

from reports.errors import ReportError
from webapp.errors import PageError
from webapp.folders import Folders
from webapp.results import load
from webapp.routes.files import download_name, finished

blueprint = Blueprint("exports", __name__, url_prefix="/analyses/<analysis_id>/exports")

_IN_MEMORY = 4_000_000  # bytes; a longer export is put aside on the disk


@blueprint.get("/<name>")
def export(analysis_id: str, name: str) -> Response:
    """One of the formats of ``docs/exports.md``, by its name."""
    from reports.exports.formats import FORMATS  # brings pyarrow and OpenTimelineIO

    row, folder = finished(analysis_id)
    if name not in FORMATS:
        raise PageError(
            404,
            "There is no export of this name.",
            f"There are {', '.join(FORMATS)}; docs/exports.md says more.",
        )
    chosen = FORMATS[name]
    incoming = Folders(current_app.extensions["settings"].data).incoming
    out = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(incoming))  # noqa: SIM115  (closed once it is sent)
    try:
        chosen.write(load(folder).analysis, folder, cast(BinaryIO, out))
    except ReportError as problem:
        out.close()
        raise PageError(
            409,
            str(problem),
            "Choose another export: those of scores and of segments as a table always work.",
        ) from None
    size = out.tell()
    out.seek(0)
    response = send_file(
        out,
        mimetype=chosen.mimetype,
        as_attachment=True,
        download_name=download_name(row, chosen.ending),
    )
    response.content_length = size
    return response
