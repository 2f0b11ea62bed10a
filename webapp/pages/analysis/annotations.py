"""What reviewers say of an analysis: read, added, taken in from a file."""

from __future__ import annotations

import json

from flask import Blueprint, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response

from reports.review.annotation_file import to_json
from reports.review.annotations import Annotation
from reports.text.translation.language import gettext
from webapp import this_app
from webapp.errors import UserError
from webapp.http import error_pages
from webapp.http.error_pages import wants_json
from webapp.intake.incoming import Incoming
from webapp.intake.upload_request import this_request
from webapp.security.access.permissions import Permission, current, require
from webapp.services.review import annotation_import
from webapp.services.review import annotations as annotation_service

blueprint = Blueprint("annotations", __name__, url_prefix="/analyses/<analysis_id>")

_LONGEST = 256 * 1024  # bytes of one annotation: the longest note and ten thousand tracks fit well


@blueprint.get("/annotations.json")
@require(Permission.READ)
def listing(analysis_id: str) -> Response:
    """All annotations, in order of time."""
    row = annotation_service.find_annotatable(analysis_id)
    with this_app.database().begin() as session:
        return jsonify(_list(row.id, annotation_service.shown(session, row, current())))


@blueprint.post("/annotations")
@require(Permission.ANNOTATE)
def add(analysis_id: str) -> Response:
    """Record one annotation; the answer holds it and, with it, all there are."""
    row = annotation_service.find_annotatable(analysis_id)
    made, everything = annotation_service.record(row, _requested_annotation())
    response = jsonify(annotation=to_json(made), **_list(row.id, everything))
    response.status_code = 201
    return response


@blueprint.post("/annotations/import")
@require(Permission.ANNOTATE, takes_files=True)
def take_in(analysis_id: str) -> Response:
    """Merge the annotations of a file: one that a bundle's page saved, or a bundle itself."""
    row = annotation_service.find_annotatable(analysis_id)
    asked = this_request()
    asked.upload_limit = annotation_import.import_limit(this_app.settings())
    part = asked.files.get("file")
    stream = part.stream if part is not None else None
    if not isinstance(stream, Incoming) or not stream.bytes:
        raise UserError(
            400,
            gettext("No file came with the form."),
            gettext("Choose the file that the bundle's page saved."),
        )
    merged, everything = annotation_import.import_file(row, stream)
    if wants_json():
        counts = {"new": merged.new, "known": merged.known, "unverified": merged.unverified}
        return jsonify(**counts, **_list(row.id, everything))
    unverified = {"unverified": merged.unverified} if merged.unverified else {}
    place = url_for("show.show", analysis_id=row.id, imported=merged.new, known=merged.known, **unverified)
    return redirect(place, 303)


@blueprint.errorhandler(UserError)
def refused(problem: UserError) -> Response:
    """Programs send and read annotations as JSON; only the form to import is a person's."""
    if request.endpoint == "annotations.take_in":
        response = error_pages.answer(problem.status, problem.error, problem.remedy, title=problem.title)
    else:
        response = jsonify(error=problem.error, remedy=problem.remedy)
        response.status_code = problem.status
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def _requested_annotation() -> dict[str, object]:
    """The one annotation a request brings."""
    if not request.is_json:  # no form of another site can send this type
        raise UserError(
            400, gettext("An annotation is sent as JSON."), gettext("Set Content-Type to application/json.")
        )
    if (request.content_length or 0) > _LONGEST:
        raise UserError(413, gettext("This is too long for one annotation."), gettext("Shorten the note."))
    try:
        said = json.loads(request.get_data())
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise UserError(
            400,
            gettext("This is not an annotation: one JSON object is expected."),
            gettext("Nothing was recorded."),
        )
    return said


def _list(analysis_id: str, everything: tuple[Annotation, ...]) -> dict[str, object]:
    return {"analysis": analysis_id, "annotations": [to_json(annotation) for annotation in everything]}
