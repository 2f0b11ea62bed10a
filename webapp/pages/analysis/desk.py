"""What the scripts of the review desk read, as JSON. Its page is :mod:`webapp.pages.analysis.show`."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, request

from reports.text.translation import language
from reports.text.translation.language import gettext
from webapp import this_app
from webapp.errors import UserError
from webapp.media.playback import Playback, playback
from webapp.queries import review_data, review_scores
from webapp.queries.results import get_finished, load
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Permission, require

blueprint = Blueprint("desk", __name__, url_prefix="/analyses/<analysis_id>")


@blueprint.get("/review.json")
@require(Permission.READ)
def data(analysis_id: str) -> Response:
    """The analysis as the review desk reads it; ``scores=all`` for all of them at once, however many."""
    row, folder = get_finished(analysis_id, Discloses.FINDINGS)
    plays = playback(this_app.folders(), row)
    text = _text(folder, row.id, plays, language.current(), whole=request.args.get("scores") == "all")
    return Response(text, mimetype="application/json")


@blueprint.get("/scores.json")
@require(Permission.READ)
def scores(analysis_id: str) -> Response:
    """All scores of each person ``from`` a second, up to but without another (``to``)."""
    _row, folder = get_finished(analysis_id, Discloses.FINDINGS)
    start, end = _second("from"), _second("to")
    people = [
        {"id": person, **review_scores.stretch(columns, start, end)}
        for person, columns in _columns(folder).items()
    ]
    text = json.dumps({"from": start, "to": end, "persons": people}, separators=(",", ":"))
    return Response(text, mimetype="application/json")


def _second(name: str) -> float:
    try:
        value = float(request.args.get(name, ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            400,
            gettext("“%(name)s” is no number of seconds.", name=name),
            gettext("Write it like from=0&to=60."),
        )
    return value


@lru_cache(maxsize=4)
def _columns(folder: Path) -> dict[str, review_scores.Columns]:
    return {person.id: review_scores.columns_of(person) for person in load(folder).analysis.persons}


@lru_cache(maxsize=4)
def _text(folder: Path, analysis_id: str, plays: Playback | None, _spoken: str, whole: bool) -> str:
    """The review desk's data as text. ``_spoken``, the language spoken now, is there for the cache alone."""
    result = load(folder)
    address = f"/analyses/{analysis_id}/"
    where = review_data.Addresses(
        pictures=address, media=f"{address}media", scores=None if whole else f"{address}scores.json"
    )
    document = review_data.document(analysis_id, result, plays, where)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
