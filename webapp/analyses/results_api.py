"""REST routes of a finished analysis: segments, scores, voice, reports, bundle and exports."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice

import numpy as np
from flask import Blueprint, Response, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from detector.schema.analysis import Analysis, Person
from detector.schema.voice import ChannelFinding, Voice
from detector.verdict.finding import finding_of
from reports.exports import spreadsheets
from reports.exports.formats import suited
from webapp.accounts.permissions import Permission
from webapp.analyses.api import require_finished
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
    VoiceScore,
    VoiceScorePage,
    VoiceScoreSearch,
    VoiceSegments,
)
from webapp.casework.blinding import Disclosure
from webapp.downloads import bundles as bundle_downloads
from webapp.downloads import exports, reports
from webapp.errors import UserError
from webapp.exhibits.results import load_result, read_analysis_json, record_view
from webapp.rest import schemas
from webapp.rest.operation import Answer, ViewFunction, operation
from webapp.rest.schemas import RequestModel

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
    """Get the complete stored result of an analysis.

    The ETag is the SHA-256 of these bytes, which is also in the manifest.
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
    answers={200: Answer("Segments above the threshold, flagged or not.", Segments, headers=("ETag",))},
    errors=(404, 409),
)
def segments(analysis_id: str) -> Segments:
    """List the segments of an analysis, flagged or not, by person and time."""
    row, folder = require_finished(analysis_id, Disclosure.FINDINGS)
    record_view(row)
    result = load_result(folder).analysis
    flagged = finding_of(result).flagged_ids
    return Segments(
        segments=tuple(
            FoundSegment(**dict(segment), flagged=segment.id in flagged) for segment in result.segments
        )
    )


@operation(
    findings_blueprint,
    "GET",
    "/analyses/<analysis_id>/scores",
    permission=Permission.READ,
    query=ScoreSearch,
    answers={200: Answer("A page of scores.", ScorePage, headers=("ETag",))},
    errors=(404, 409, 422),
)
def scores(analysis_id: str, query: ScoreSearch) -> ScorePage:
    """List the scores of an analysis by person and time.

    To get all of them, use an export, ``scores-csv``, ``scores-xlsx`` or ``scores-parquet``.
    """
    row, folder = require_finished(analysis_id, Disclosure.FINDINGS)
    record_view(row)
    matching = (
        (person, index)
        for person in load_result(folder).analysis.persons
        if query.person in (None, person.id)
        for index in _indices_within(person, query)
    )
    rows = list(islice(matching, query.cursor, query.cursor + query.limit + 1))
    items = tuple(
        PersonScore(person=person.id, **dict(person.scores[index])) for person, index in rows[: query.limit]
    )
    more = len(rows) > query.limit
    return ScorePage(items=items, next=schemas.next_page_url(query.cursor + query.limit) if more else None)


def _indices_within(person: Person, query: ScoreSearch) -> list[int]:
    """Return the indices of a person's scores in the requested time."""
    start = 0.0 if query.start is None else query.start
    end = math.inf if query.end is None else query.end
    times = person.scores.time
    indices: list[int] = np.flatnonzero((times >= start) & (times <= end)).tolist()
    return indices


@operation(
    findings_blueprint,
    "GET",
    "/analyses/<analysis_id>/voice/segments",
    permission=Permission.READ,
    answers={200: Answer("Segments of synthetic speech, flagged or not.", VoiceSegments, headers=("ETag",))},
    errors=(404, 409),
)
def voice_segments(analysis_id: str) -> VoiceSegments:
    """List the segments of the voice, flagged or not, by time.

    404 if the sound of this analysis was not examined.
    """
    return VoiceSegments(segments=_examined_voice(analysis_id).segments)


@operation(
    findings_blueprint,
    "GET",
    "/analyses/<analysis_id>/voice/scores",
    permission=Permission.READ,
    query=VoiceScoreSearch,
    answers={200: Answer("A page of scores.", VoiceScorePage, headers=("ETag",))},
    errors=(404, 409, 422),
)
def voice_scores(analysis_id: str, query: VoiceScoreSearch) -> VoiceScorePage:
    """List the scores of the voice by time, one for each window of speech.

    404 if the sound of this analysis was not examined, or the channel was not judged for itself.
    """
    voice = _examined_voice(analysis_id)
    finding: ChannelFinding | None = voice
    if query.channel is not None:
        finding = next((one for one in voice.findings if query.channel in one.channels), None)
    if finding is None:
        judged = ", ".join(str(number) for one in voice.findings for number in one.channels)
        raise UserError(
            404,
            "No scores of this channel: it was not judged for itself.",
            f"Channels with scores: {judged}."
            if judged
            else "Leave “channel” out: all were judged together.",
        )
    scores = finding.scores
    start = -math.inf if query.start is None else query.start
    end = math.inf if query.end is None else query.end
    rows = zip(scores.time, scores.logit, scores.probability, scores.smoothed, strict=True)
    matching = [row for row in rows if start <= row[0] <= end]
    page = matching[query.cursor : query.cursor + query.limit]
    more = len(matching) > query.cursor + query.limit
    return VoiceScorePage(
        channels=finding.channels,
        window=scores.window,
        enter=scores.enter,
        leave=scores.leave,
        items=tuple(
            VoiceScore(time=time, logit=logit, probability=probability, smoothed=smoothed)
            for time, logit, probability, smoothed in page
        ),
        next=schemas.next_page_url(query.cursor + query.limit) if more else None,
    )


def _examined_voice(analysis_id: str) -> Voice:
    """Return the finding about the voices; raise :class:`UserError` (404) if sound was not examined."""
    row, folder = require_finished(analysis_id, Disclosure.FINDINGS)
    record_view(row)
    voice = load_result(folder).analysis.voice
    if voice is None:
        raise UserError(
            404,
            "The sound of this exhibit was not examined in this analysis.",
            "Analyse it again with the parameter “sound”.",
        )
    return voice


downloads_blueprint = Blueprint("api_files", __name__)  # its name is part of the operation ids

_ERRORS = (404, 409, 503)


def _download(
    path: str, answer: Answer, errors: tuple[int, ...] = _ERRORS, query: type[RequestModel] | None = None
) -> Callable[[ViewFunction], ViewFunction]:
    """Declare an operation that sends a file of an analysis."""
    return operation(
        downloads_blueprint,
        "GET",
        f"/analyses/<analysis_id>/{path}",
        permission=Permission.EXPORT,
        query=query,
        answers={200: answer},
        errors=errors,
    )


@_download(
    "report.pdf",
    Answer("The report.", media=("application/pdf",), headers=("ETag",)),
    (*_ERRORS, 422),
    ReportSearch,
)
def report_pdf(analysis_id: str, query: ReportSearch) -> WerkzeugResponse:
    """Get the evidence report as PDF, with the annotations as of now."""
    return reports.send_report(*require_finished(analysis_id), "report.pdf", query.language, query.length)


@_download(
    "report.html",
    Answer("The report.", media=("text/html",), headers=("ETag",)),
    (*_ERRORS, 422),
    ReportSearch,
)
def report_html(analysis_id: str, query: ReportSearch) -> WerkzeugResponse:
    """Get the report as one HTML page."""
    return reports.send_report(*require_finished(analysis_id), "report.html", query.language, query.length)


@_download("manifest.json", Answer("The manifest.", media=("application/json",), headers=("ETag",)), _ERRORS)
def manifest(analysis_id: str) -> WerkzeugResponse:
    """Get the SHA-256 of the exhibit and of each file of the result."""
    return reports.send_report(*require_finished(analysis_id, Disclosure.FINDINGS), "manifest.json")


@_download(
    "bundle.zip",
    Answer("The bundle (docs/bundle.md).", media=("application/zip",)),
    (*_ERRORS, 422, 507),
    BundleSearch,
)
def bundle(analysis_id: str, query: BundleSearch) -> WerkzeugResponse:
    """Get the review bundle: everything needed to review offline and to verify, as one zip."""
    row, folder = require_finished(analysis_id)
    return bundle_downloads.send_bundle(
        row, folder, video=query.video == "yes", language_code=query.language, length=query.length
    )


@_download("exports", Answer("The formats (docs/exports.md).", Exports, headers=("ETag",)), (404, 409))
def export_list(analysis_id: str) -> Exports:
    """List the formats in which an analysis can be exported."""
    _, folder = require_finished(analysis_id, Disclosure.FINDINGS)
    formats = suited(load_result(folder).analysis.media.still)
    return Exports(
        exports=tuple(
            Export(
                name=format.name,
                what=format.what,
                media_type=format.mimetype,
                href=url_for("api_files.export", analysis_id=analysis_id, export_name=format.name),
            )
            for format in formats
        )
    )


_EXPORT_TYPES = (
    "text/csv",
    "application/json",
    "text/vtt",
    "text/plain",
    "application/vnd.apache.parquet",
    "application/zip",
    spreadsheets.MIMETYPE,
)


@_download("exports/<export_name>", Answer("The export.", media=_EXPORT_TYPES), (404, 409, 503))
def export(analysis_id: str, export_name: str) -> WerkzeugResponse:
    """Get an analysis in a format of docs/exports.md."""
    return exports.send_export(*require_finished(analysis_id, Disclosure.FINDINGS), export_name)
