"""REST routes of what the review desk draws: the analysis as one document, and its scores in columns."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal

from flask import Blueprint, Response, url_for
from pydantic import Field

from language import translation
from language.translation import gettext
from webapp import context
from webapp.accounts.permissions import Permission
from webapp.casework.blinding import Disclosure
from webapp.downloads import desk_data
from webapp.exhibits.media.playback import Playback, read_playback
from webapp.exhibits.results import get_with_finding, load_result, record_view
from webapp.rest.operation import JSON, Answer, operation
from webapp.rest.schemas import RequestModel
from webapp.storage.tables import State

blueprint = Blueprint("api_desk", __name__)


class DeskSearch(RequestModel):
    """How many scores the document holds."""

    scores: Literal["outline", "all"] = Field(
        default="outline", description="outline: of a long analysis, a few hundred for each person"
    )


class ScoreStretch(RequestModel):
    """A stretch of time, in seconds from the first frame."""

    start: float = Field(allow_inf_nan=False)
    end: float = Field(allow_inf_nan=False, description="excluded")


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/desk",
    permission=Permission.READ,
    query=DeskSearch,
    answers={200: Answer("What the desk draws; it changes with the desk.", media=(JSON,), headers=("ETag",))},
    errors=(404, 409, 422),
)
def document(analysis_id: str, query: DeskSearch) -> Response:
    """Get an analysis as the review desk draws it.

    Programs read ``analysis.json`` instead, whose schema is stable.
    """
    row, folder = get_with_finding(analysis_id, Disclosure.FINDINGS)
    record_view(row)
    playback = read_playback(context.folders(), row)
    whole = query.scores == "all"
    explaining = row.shown_state is State.EXPLAINING
    text = _document_text(folder, row.id, playback, translation.current(), whole=whole, explaining=explaining)
    return Response(text, content_type=JSON)


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/desk/scores",
    permission=Permission.READ,
    query=ScoreStretch,
    answers={200: Answer("The scores of each person, in columns.", media=(JSON,), headers=("ETag",))},
    errors=(404, 409, 422),
)
def scores(analysis_id: str, query: ScoreStretch) -> Response:
    """Get all scores of a stretch of time, as the review desk draws them."""
    row, folder = get_with_finding(analysis_id, Disclosure.FINDINGS)
    record_view(row)
    people = [
        {"id": person, **desk_data.score_stretch(columns, query.start, query.end)}
        for person, columns in _columns(folder).items()
    ]
    content = {"start": query.start, "end": query.end, "persons": people}
    return Response(json.dumps(content, separators=(",", ":")), content_type=JSON)


@lru_cache(maxsize=4)
def _columns(folder: Path) -> dict[str, desk_data.Columns]:
    return {person.id: desk_data.score_columns(person) for person in load_result(folder).analysis.persons}


@lru_cache(maxsize=4)
def _document_text(
    folder: Path, analysis_id: str, playback: Playback | None, _language: str, whole: bool, explaining: bool
) -> str:
    """Return the data of the review desk as text. ``_language`` is only a key of the cache."""
    result = load_result(folder)
    address = f"/analyses/{analysis_id}/"
    addresses = desk_data.DeskAddresses(
        pictures=address,
        media=f"{address}media",
        scores=None if whole else url_for("api_desk.scores", analysis_id=analysis_id),
    )
    document = desk_data.desk_document(analysis_id, result, playback, addresses)
    if explaining:
        document["unexplained"] = gettext("Pictures follow.")
        if playback is None:
            document["media"]["reason"] = gettext("It can be played when the pictures are complete.")
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
