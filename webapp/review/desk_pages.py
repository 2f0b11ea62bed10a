"""Routes of the review desk: its data, scores and annotations."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from language import translation
from language.translation import gettext
from reports.review.annotation_file import to_json
from reports.review.annotations import Annotation
from webapp import context
from webapp.accounts.permissions import Permission, current, require
from webapp.analyses.media.playback import Playback, read_playback
from webapp.analyses.results import get_finished, load_result
from webapp.errors import UserError
from webapp.http import error_responses
from webapp.http.error_responses import wants_json
from webapp.http.uploads import Incoming, current_request
from webapp.review import annotation_import, desk_data
from webapp.review import annotations as annotation_service
from webapp.review import heatmaps as animated_heatmaps
from webapp.review.blinding import Disclosure
from webapp.storage.tables import AnalysisRow

desk_blueprint = Blueprint("desk", __name__, url_prefix="/analyses/<analysis_id>")


@desk_blueprint.get("/review.json")
@require(Permission.READ)
def data(analysis_id: str) -> Response:
    """Return the analysis for the review desk; ``scores=all`` includes all scores, however many."""
    row, folder = get_finished(analysis_id, Disclosure.FINDINGS)
    playback = read_playback(context.folders(), row)
    whole = request.args.get("scores") == "all"
    text = _document_text(folder, row.id, playback, translation.current(), whole=whole)
    return Response(text, mimetype="application/json")


@desk_blueprint.get("/scores.json")
@require(Permission.READ)
def scores(analysis_id: str) -> Response:
    """Return all scores of each person ``from`` one second to before another (``to``)."""
    _row, folder = get_finished(analysis_id, Disclosure.FINDINGS)
    start, end = _second("from"), _second("to")
    people = [
        {"id": person, **desk_data.score_stretch(columns, start, end)}
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
            gettext("“%(name)s” is not a number of seconds.", name=name),
            gettext("Write it like from=0&to=60."),
        )
    return value


@lru_cache(maxsize=4)
def _columns(folder: Path) -> dict[str, desk_data.Columns]:
    return {person.id: desk_data.score_columns(person) for person in load_result(folder).analysis.persons}


@lru_cache(maxsize=4)
def _document_text(
    folder: Path, analysis_id: str, playback: Playback | None, _language: str, whole: bool
) -> str:
    """Return the data of the review desk as text. ``_language`` is only a key of the cache."""
    result = load_result(folder)
    address = f"/analyses/{analysis_id}/"
    addresses = desk_data.DeskAddresses(
        pictures=address, media=f"{address}media", scores=None if whole else f"{address}scores.json"
    )
    document = desk_data.desk_document(analysis_id, result, playback, addresses)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


heatmaps_blueprint = Blueprint(
    "heatmaps", __name__, url_prefix="/analyses/<analysis_id>/segments/<segment>/heatmaps"
)


@heatmaps_blueprint.get("")
@require(Permission.READ)
def heatmaps(analysis_id: str, segment: str) -> Response:
    """Return the heatmaps of a segment's sampled frames, or how far they are."""
    return _heatmaps_of(*get_finished(analysis_id, Disclosure.FINDINGS), segment)


@heatmaps_blueprint.post("")
@require(Permission.EXPORT)
def animate(analysis_id: str, segment: str) -> WerkzeugResponse:
    """Start computing the heatmaps of a segment's sampled frames, unless they are there."""
    row, folder = get_finished(analysis_id, Disclosure.FINDINGS)
    animated_heatmaps.request_heatmaps(row, folder, segment)
    response = _heatmaps_of(row, folder, segment)
    response.status_code = 202
    return response


@heatmaps_blueprint.post("/cancel")
@require(Permission.EXPORT)
def cancel_heatmaps(analysis_id: str, segment: str) -> Response:
    """Stop computing the heatmaps of a segment's sampled frames; those that exist stay."""
    row, folder = get_finished(analysis_id, Disclosure.FINDINGS)
    animated_heatmaps.cancel_heatmaps(row, folder, segment)
    return _heatmaps_of(row, folder, segment)


@heatmaps_blueprint.get("/<name>")
@require(Permission.READ)
def heatmap_picture(analysis_id: str, segment: str, name: str) -> Response:
    """Return one picture of a segment's heatmaps."""
    row, folder = get_finished(analysis_id, Disclosure.FINDINGS)
    return animated_heatmaps.picture_response(row, folder, segment, name)


def _heatmaps_of(row: AnalysisRow, folder: Path, segment: str) -> Response:
    def address(name: str) -> str:
        return url_for("heatmaps.heatmap_picture", analysis_id=row.id, segment=segment, name=name)

    shown = animated_heatmaps.animated_heatmap(row, folder, segment, address)
    return Response(shown.model_dump_json(), mimetype="application/json")


annotations_blueprint = Blueprint("annotations", __name__, url_prefix="/analyses/<analysis_id>")

_MAX_BYTES = 256 * 1024  # of one annotation; enough for the longest note and ten thousand tracks


@annotations_blueprint.get("/annotations.json")
@require(Permission.READ)
def listing(analysis_id: str) -> WerkzeugResponse:
    """List all visible annotations in order of time."""
    row = annotation_service.find_annotatable(analysis_id)
    with context.database().begin() as session:
        return jsonify(_list(row.id, annotation_service.visible_annotations(session, row, current())))


@annotations_blueprint.post("/annotations")
@require(Permission.ANNOTATE)
def add(analysis_id: str) -> WerkzeugResponse:
    """Record one annotation; the response holds it and all visible ones."""
    row = annotation_service.find_annotatable(analysis_id)
    annotation, visible = annotation_service.record_annotation(row, _requested_annotation())
    response = jsonify(annotation=to_json(annotation), **_list(row.id, visible))
    response.status_code = 201
    return response


@annotations_blueprint.post("/annotations/import")
@require(Permission.ANNOTATE, takes_files=True)
def take_in(analysis_id: str) -> WerkzeugResponse:
    """Import the annotations of a file saved by a bundle's page, or of a bundle."""
    row = annotation_service.find_annotatable(analysis_id)
    form_request = current_request()
    form_request.upload_limit = annotation_import.import_limit(context.settings())
    part = form_request.files.get("file")
    stream = part.stream if part is not None else None
    if not isinstance(stream, Incoming) or not stream.bytes:
        raise UserError(
            400,
            gettext("No file came with the form."),
            gettext("Choose the file that the bundle's page saved."),
        )
    merged, visible = annotation_import.import_file(row, stream)
    if wants_json():
        counts = {"new": merged.new, "known": merged.known, "unverified": merged.unverified}
        return jsonify(**counts, **_list(row.id, visible))
    unverified = {"unverified": merged.unverified} if merged.unverified else {}
    address = url_for("show.show", analysis_id=row.id, imported=merged.new, known=merged.known, **unverified)
    return redirect(address, 303)


@heatmaps_blueprint.errorhandler(UserError)
@annotations_blueprint.errorhandler(UserError)
def refused(problem: UserError) -> WerkzeugResponse:
    """Answer scripts as JSON, and the form for imports, which people send, as a page."""
    if request.endpoint == "annotations.take_in":
        response = error_responses.error_response(
            problem.status, problem.error, problem.remedy, title=problem.title
        )
    else:
        response = jsonify(error=problem.error, remedy=problem.remedy)
        response.status_code = problem.status
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def _requested_annotation() -> dict[str, object]:
    """Parse the annotation in the request."""
    if not request.is_json:  # forms of other sites cannot send this type
        raise UserError(
            400, gettext("An annotation is sent as JSON."), gettext("Set Content-Type to application/json.")
        )
    if (request.content_length or 0) > _MAX_BYTES:
        raise UserError(413, gettext("This is too long for one annotation."), gettext("Shorten the note."))
    try:
        values = json.loads(request.get_data())
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise UserError(
            400,
            gettext("This is not an annotation: one JSON object is expected."),
            gettext("Nothing was recorded."),
        )
    return values


def _list(analysis_id: str, annotations: tuple[Annotation, ...]) -> dict[str, object]:
    return {"analysis": analysis_id, "annotations": [to_json(annotation) for annotation in annotations]}
