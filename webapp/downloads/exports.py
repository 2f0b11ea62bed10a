"""A finished analysis for other programs: tables, subtitles, timelines of editing software."""

from __future__ import annotations

import secrets
from pathlib import Path

from werkzeug.wrappers import Response

from reports.errors import ReportError
from reports.exports.formats import FORMATS, suited
from reports.text.translation.language import gettext, translated
from webapp import this_app
from webapp.downloads.download_record import record_download
from webapp.errors import UserError
from webapp.http.range_responses import send_and_forget
from webapp.queries.results import download_name, load, refuse_altered_files
from webapp.storage.tables import AnalysisRow


def links(still: bool) -> dict[str, str]:
    """Exports that the page of an analysis offers: by name, words of the language spoken now."""
    words = {each.name: each.photo_link if still else each.link for each in suited(still)}
    return {name: translated(link) for name, link in words.items() if link is not None}


def send(row: AnalysisRow, folder: Path, name: str) -> Response:
    """A finished analysis in the format of this name.

    Raises :class:`~webapp.errors.UserError` for a name that is none, and for what the format cannot hold.
    """
    if name not in FORMATS:
        raise UserError(
            404,
            gettext("There is no export of this name."),
            gettext("There are %(names)s; docs/exports.md says more.", names=", ".join(FORMATS)),
        )
    refuse_altered_files(folder)
    chosen = FORMATS[name]
    place = this_app.folders().incoming / secrets.token_hex(16)
    try:
        with place.open("xb") as out:
            chosen.write(load(folder).analysis, folder, out)
        record_download(row, chosen.ending, place)
        kind = chosen.mimetype.partition(";")[0]  # the response adds the charset of what is text
        response = send_and_forget(place, kind)
    except ReportError as problem:
        raise UserError(
            409,
            translated(str(problem)),
            gettext("Choose another export: those of scores and of segments as a table always work."),
        ) from None
    finally:
        place.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=download_name(row, chosen.ending))
    return response
