"""What reviewers say of an analysis: read, added, taken in from a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from flask import Blueprint, current_app, jsonify, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from reports.bundle.bundle import annotations_in, is_zip
from reports.errors import ReportError
from reports.review.annotation_file import checksum, read_file, to_json
from reports.review.annotations import Annotation
from webapp import errors
from webapp.custody import log as custody_log
from webapp.errors import PageError, wants_json
from webapp.intake.incoming import Allowance, Incoming, this_request
from webapp.queries import analyses as analysis_queries
from webapp.queries.analyses import database
from webapp.queries.results import Result, load, result_folder
from webapp.security.permissions import Permission, current, login_is_on, require
from webapp.services import annotations as annotation_service
from webapp.services.annotations import Merged
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, State

blueprint = Blueprint("annotations", __name__, url_prefix="/analyses/<analysis_id>")

_LONGEST = 256 * 1024  # bytes of one annotation: the longest note and ten thousand tracks fit well
_LARGEST_FILE = 10_000_000  # of judgements; a bundle may be as large as an exhibit


def allowance(settings: Settings) -> Allowance:
    """What an import may bring: one file of judgements, or a bundle."""
    return Allowance(
        files=1,
        bytes=settings.upload_limit,
        fewer="Import one file at a time.",
        smaller="Import the file of judgements alone.",
    )


@blueprint.get("/annotations.json")
@require(Permission.READ)
def listing(analysis_id: str) -> Response:
    """All annotations, in order of time."""
    row = judged(analysis_id)
    with database().begin() as session:
        return jsonify(_list(row.id, annotation_service.listed(session, row.id)))


@blueprint.post("/annotations")
@require(Permission.ANNOTATE)
def add(analysis_id: str) -> Response:
    """Record one annotation; the answer holds it and, with it, all there are."""
    row = judged(analysis_id)
    made, everything = record(row, _said())
    response = jsonify(annotation=to_json(made), **_list(row.id, everything))
    response.status_code = 201
    return response


@blueprint.post("/annotations/import")
@require(Permission.ANNOTATE, takes_files=True)
def take_in(analysis_id: str) -> Response:
    """Merge the judgements of a file: one that a bundle's page saved, or a bundle itself."""
    row = judged(analysis_id)
    asked = this_request()
    asked.allowance = allowance(current_app.extensions["settings"])
    part = asked.files.get("file")
    stream = part.stream if part is not None else None
    if not isinstance(stream, Incoming) or not stream.bytes:
        raise PageError(400, "No file came with the form.", "Choose the file that the bundle's page saved.")
    merged, everything = merge(row, stream)
    if wants_json():
        return jsonify(new=merged.new, known=merged.known, **_list(row.id, everything))
    place = url_for("result.show", analysis_id=row.id, imported=merged.new, known=merged.known)
    return redirect(place, 303)


@blueprint.errorhandler(PageError)
def refused(problem: PageError) -> Response:
    """Programs send and read annotations as JSON; only the form to import is a person's."""
    if request.endpoint == "annotations.take_in":
        return errors.answer(problem.status, problem.error, problem.remedy)
    response = jsonify(error=problem.error, remedy=problem.remedy)
    response.status_code = problem.status
    return response


def merge(row: AnalysisRow, stream: Incoming) -> tuple[Merged, tuple[Annotation, ...]]:
    """Take in a file of judgements or a bundle; how many were new, and all there are now."""
    stream.complete()
    try:
        text = _judgements(stream)
        saved = read_file(text)
    except ReportError as problem:
        raise PageError(400, str(problem), "Nothing was imported.") from None
    result = _result(row)
    with database().alone() as session:
        merged = annotation_service.merge(session, row.id, result.analysis, result.sha256, saved)
        everything = annotation_service.listed(session, row.id)
        details: dict[str, str | int | None] = {"new": merged.new, "known": merged.known}
        details["sha256"] = hashlib.sha256(text).hexdigest()
        custody_log.record(session, "import", details, exhibit=row.exhibit.sha256, analysis=row.id)
    return merged, everything


def record(row: AnalysisRow, said: Mapping[str, object]) -> tuple[Annotation, tuple[Annotation, ...]]:
    """Record what somebody says now; the annotation that became of it, and all there are."""
    if login_is_on():  # nobody judges under somebody else's name
        said = {**said, "author": current().display}
    result = _result(row)
    with database().alone() as session:
        made = annotation_service.add(session, row.id, result.analysis, said)
        everything = annotation_service.listed(session, row.id)
        _record(session, row, made)
    return made, everything


def judged(analysis_id: str) -> AnalysisRow:
    """The row of an analysis that can be judged."""
    row = analysis_queries.find(analysis_id)
    if row.state != State.DONE:
        raise PageError(
            409, "This analysis has no result that could be judged.", "Its page says where it stands."
        )
    return row


def _said() -> dict[str, object]:
    """The one annotation a request brings."""
    if not request.is_json:  # no form of another site can send this type
        raise PageError(400, "A judgement is sent as JSON.", "Set Content-Type to application/json.")
    if (request.content_length or 0) > _LONGEST:
        raise PageError(413, "This is too long for one judgement.", "Shorten the note.")
    try:
        said = json.loads(request.get_data())
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise PageError(400, "This is no judgement: one JSON object is expected.", "Nothing was recorded.")
    return said


def _judgements(stream: Incoming) -> bytes:
    """The file of judgements that was handed in, on its own or in a bundle."""
    if is_zip(stream.path):
        return annotations_in(stream.path)
    if stream.bytes > _LARGEST_FILE:
        raise PageError(413, "This is too large for a file of judgements.", "Nothing was imported.")
    return stream.path.read_bytes()


def _result(row: AnalysisRow) -> Result:
    return load(result_folder(database(), Folders.of(current_app.extensions["settings"]), row.id))


def _record(session: Session, row: AnalysisRow, made: Annotation) -> None:
    said = to_json(made)
    details = {
        "kind": made.kind,
        "id": made.id,
        "about": said.get("segment") or said.get("about"),
        "verdict": said.get("verdict"),
        "sha256": checksum([said]),
    }
    custody_log.record(
        session,
        "annotation",
        details,
        exhibit=row.exhibit.sha256,
        analysis=row.id,
        actor=None if login_is_on() else made.author,
    )


def _list(analysis_id: str, everything: tuple[Annotation, ...]) -> dict[str, object]:
    return {"analysis": analysis_id, "annotations": [to_json(annotation) for annotation in everything]}
