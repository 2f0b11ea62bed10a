"""What an analysis found: all of it, its segments, its scores."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
from flask import Blueprint, Response

from detector.schema.analysis import Analysis, Person
from detector.verdict.persons.flagged import flagged_segments
from webapp.api.analysis_requests import require_finished
from webapp.api.contract import pagination
from webapp.api.contract.operation import Answer, operation
from webapp.api.contract.schemas.findings import FoundSegment, PersonScore, ScorePage, ScoreSearch, Segments
from webapp.queries.results import analysis_text, load, viewed
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Permission

blueprint = Blueprint("api_findings", __name__)


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/analysis.json",
    permission=Permission.READ,
    answers={200: Answer("The analysis (docs/analysis.schema.json).", Analysis, headers=("ETag",))},
    errors=(404, 409),
)
def analysis(analysis_id: str) -> Response:
    """The whole result of an analysis, as it is stored.

    Its ETag is the SHA-256 of these bytes, which is also what the manifest says of them.
    """
    row, folder = require_finished(analysis_id, Discloses.FINDINGS)
    viewed(row)
    response = Response(analysis_text(folder), content_type="application/json")
    response.set_etag(load(folder).sha256)
    return response


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/segments",
    permission=Permission.READ,
    answers={200: Answer("What reached the threshold, flagged or not.", Segments, headers=("ETag",))},
    errors=(404, 409),
)
def segments(analysis_id: str) -> Segments:
    """The segments of an analysis, flagged or looked at alone, in order of persons and time."""
    row, folder = require_finished(analysis_id, Discloses.FINDINGS)
    viewed(row)
    found = load(folder).analysis
    flagged = {each.id for each in flagged_segments(found.persons, found.segments)}
    return Segments(
        segments=tuple(FoundSegment(**dict(each), flagged=each.id in flagged) for each in found.segments)
    )


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/scores",
    permission=Permission.READ,
    query=ScoreSearch,
    answers={200: Answer("Some of the scores.", ScorePage, headers=("ETag",))},
    errors=(404, 409, 422),
)
def scores(analysis_id: str, query: ScoreSearch) -> ScorePage:
    """The scores of an analysis, by person and time.

    All of them at once are better had as an export, ``scores-csv`` or ``scores-parquet``.
    """
    row, folder = require_finished(analysis_id, Discloses.FINDINGS)
    viewed(row)
    fitting = (
        (person, place)
        for person in load(folder).analysis.persons
        if query.person in (None, person.id)
        for place in _within(person, query)
    )
    found = list(islice(fitting, query.cursor, query.cursor + query.limit + 1))
    items = tuple(
        PersonScore(person=person.id, **dict(person.scores[place])) for person, place in found[: query.limit]
    )
    more = len(found) > query.limit
    return ScorePage(items=items, next=pagination.following(query.cursor + query.limit) if more else None)


def _within(person: Person, query: ScoreSearch) -> list[int]:
    """Which of a person's scores lie in the time that is asked for."""
    after = 0.0 if query.start is None else query.start
    before = math.inf if query.end is None else query.end
    times = person.scores.time
    places: list[int] = np.flatnonzero((times >= after) & (times <= before)).tolist()
    return places
