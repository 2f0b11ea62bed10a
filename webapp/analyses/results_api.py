"""REST routes of a finished analysis: segments, scores, reports, bundle and exports."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
from flask import Blueprint, Response, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from detector.schema.analysis import Analysis, Person
from detector.verdict.judged_persons import flagged_segments
from reports.exports.formats import suited
from webapp.accounts.permissions import Permission
from webapp.analyses.api import require_finished
from webapp.analyses.downloads import bundles as bundle_downloads
from webapp.analyses.downloads import reports as export_downloads
from webapp.analyses.downloads import reports as report_downloads
from webapp.analyses.results import load_result, read_analysis_json, record_view
from webapp.analyses.schemas import (
    BundleSearch,
    Export,
    Exports,
    FoundSegment,
    PersonScore,
    ReportSearch,
    ScorePage,
    ScoreSearch,
    Segments,
)
from webapp.rest import schemas
from webapp.rest.operation import Answer, operation
from webapp.review.blinding import Disclosure

findings_blueprint = Blueprint("api_findings", __name__)


@operation(
    findings_blueprint,
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
    row, folder = require_finished(analysis_id, Disclosure.FINDINGS)
    record_view(row)
    response = Response(read_analysis_json(folder), content_type="application/json")
    response.set_etag(load_result(folder).sha256)
    return response


@operation(
    findings_blueprint,
    "GET",
    "/analyses/<analysis_id>/segments",
    permission=Permission.READ,
    answers={200: Answer("What reached the threshold, flagged or not.", Segments, headers=("ETag",))},
    errors=(404, 409),
)
def segments(analysis_id: str) -> Segments:
    """The segments of an analysis, flagged or looked at alone, in order of persons and time."""
    row, folder = require_finished(analysis_id, Disclosure.FINDINGS)
    record_view(row)
    found = load_result(folder).analysis
    flagged = {each.id for each in flagged_segments(found.persons, found.segments)}
    return Segments(
        segments=tuple(FoundSegment(**dict(each), flagged=each.id in flagged) for each in found.segments)
    )


@operation(
    findings_blueprint,
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
    row, folder = require_finished(analysis_id, Disclosure.FINDINGS)
    record_view(row)
    fitting = (
        (person, place)
        for person in load_result(folder).analysis.persons
        if query.person in (None, person.id)
        for place in _within(person, query)
    )
    found = list(islice(fitting, query.cursor, query.cursor + query.limit + 1))
    items = tuple(
        PersonScore(person=person.id, **dict(person.scores[place])) for person, place in found[: query.limit]
    )
    more = len(found) > query.limit
    return ScorePage(items=items, next=schemas.next_page_url(query.cursor + query.limit) if more else None)


def _within(person: Person, query: ScoreSearch) -> list[int]:
    """Which of a person's scores lie in the time that is asked for."""
    after = 0.0 if query.start is None else query.start
    before = math.inf if query.end is None else query.end
    times = person.scores.time
    places: list[int] = np.flatnonzero((times >= after) & (times <= before)).tolist()
    return places


downloads_blueprint = Blueprint("api_files", __name__)  # openapi.json names its operations by it

_ERRORS = (404, 409, 503)


@operation(
    downloads_blueprint,
    "GET",
    "/analyses/<analysis_id>/report.pdf",
    permission=Permission.EXPORT,
    query=ReportSearch,
    answers={200: Answer("The report.", media=("application/pdf",), headers=("ETag",))},
    errors=(*_ERRORS, 422),
)
def report_pdf(analysis_id: str, query: ReportSearch) -> WerkzeugResponse:
    """The evidence report as PDF, with what reviewers said until now."""
    return report_downloads.send_report(*require_finished(analysis_id), "report.pdf", query.language)


@operation(
    downloads_blueprint,
    "GET",
    "/analyses/<analysis_id>/report.html",
    permission=Permission.EXPORT,
    query=ReportSearch,
    answers={200: Answer("The report.", media=("text/html",), headers=("ETag",))},
    errors=(*_ERRORS, 422),
)
def report_html(analysis_id: str, query: ReportSearch) -> WerkzeugResponse:
    """The same as one HTML page."""
    return report_downloads.send_report(*require_finished(analysis_id), "report.html", query.language)


@operation(
    downloads_blueprint,
    "GET",
    "/analyses/<analysis_id>/manifest.json",
    permission=Permission.EXPORT,
    answers={200: Answer("The manifest.", media=("application/json",), headers=("ETag",))},
    errors=_ERRORS,
)
def manifest(analysis_id: str) -> WerkzeugResponse:
    """SHA-256 of the exhibit and of each file of the result."""
    return report_downloads.send_report(*require_finished(analysis_id, Disclosure.FINDINGS), "manifest.json")


@operation(
    downloads_blueprint,
    "GET",
    "/analyses/<analysis_id>/bundle.zip",
    permission=Permission.EXPORT,
    query=BundleSearch,
    answers={200: Answer("The bundle (docs/bundle.md).", media=("application/zip",))},
    errors=(*_ERRORS, 422, 507),
)
def bundle(analysis_id: str, query: BundleSearch) -> WerkzeugResponse:
    """Everything needed to review offline and to check it, as one zip."""
    found = require_finished(analysis_id)
    return bundle_downloads.send_bundle(*found, video=query.video == "yes", language_code=query.language)


@operation(
    downloads_blueprint,
    "GET",
    "/analyses/<analysis_id>/exports",
    permission=Permission.EXPORT,
    answers={200: Answer("The formats (docs/exports.md).", Exports, headers=("ETag",))},
    errors=(404, 409),
)
def export_list(analysis_id: str) -> Exports:
    """The formats an analysis can be exported in."""
    _, folder = require_finished(analysis_id, Disclosure.FINDINGS)
    found = (
        Export(
            name=each.name,
            what=each.what,
            media_type=each.mimetype,
            href=url_for("api_files.export", analysis_id=analysis_id, export_name=each.name),
        )
        for each in suited(load_result(folder).analysis.media.still)
    )
    return Exports(exports=tuple(found))


@operation(
    downloads_blueprint,
    "GET",
    "/analyses/<analysis_id>/exports/<export_name>",
    permission=Permission.EXPORT,
    answers={
        200: Answer(
            "The export.",
            media=(
                "text/csv",
                "application/json",
                "text/vtt",
                "text/plain",
                "application/vnd.apache.parquet",
                "application/zip",
            ),
        )
    },
    errors=(404, 409),
)
def export(analysis_id: str, export_name: str) -> WerkzeugResponse:
    """An analysis in one of the formats of docs/exports.md."""
    return export_downloads.send_export(*require_finished(analysis_id, Disclosure.FINDINGS), export_name)
