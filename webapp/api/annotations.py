"""What reviewers say of an analysis: read, added, taken in from a file."""

from __future__ import annotations

from flask import Blueprint

from reports.review.annotation_file import to_json
from webapp import this_app
from webapp.api.contract.idempotency import id_to_create
from webapp.api.contract.operation import Answer, Form, operation, uploaded
from webapp.api.contract.schemas.annotations import (
    Added,
    AnnotationFile,
    Annotations,
    Imported,
    NewAnnotation,
)
from webapp.security.access.permissions import Permission, current
from webapp.services.review import annotation_import
from webapp.services.review import annotations as annotation_service

blueprint = Blueprint("api_annotations", __name__)


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/annotations",
    permission=Permission.READ,
    answers={200: Answer("All annotations.", Annotations, headers=("ETag",))},
    errors=(404, 409),
)
def listing(analysis_id: str) -> Annotations:
    """What reviewers said of an analysis, in order of time."""
    row = annotation_service.find_annotatable(analysis_id)
    with this_app.database().begin() as session:
        said = annotation_service.shown(session, row, current())
    return Annotations.model_validate({"analysis": row.id, "annotations": [to_json(each) for each in said]})


@operation(
    blueprint,
    "POST",
    "/analyses/<analysis_id>/annotations",
    permission=Permission.ANNOTATE,
    body=NewAnnotation,
    answers={201: Answer("It was recorded.", Added)},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def add(analysis_id: str, body: NewAnnotation) -> tuple[Added, int]:
    """Record what somebody says of an analysis.

    Annotations are never changed: a later one of the same author about the same thing stands in
    its place, and a withdrawal takes one out of what stands.
    """
    row = annotation_service.find_annotatable(analysis_id)
    made, everything = annotation_service.record(row, body.root, id_to_create())
    said = {"analysis": row.id, "annotations": [to_json(each) for each in everything]}
    return Added.model_validate(said | {"annotation": to_json(made)}), 201


@operation(
    blueprint,
    "POST",
    "/analyses/<analysis_id>/annotations/import",
    permission=Permission.ANNOTATE,
    body=Form(AnnotationFile, "file", annotation_import.import_limit),
    answers={200: Answer("They were merged.", Imported)},
    errors=(404, 409, 413, 415, 422, 503, 507),
    keyed=True,
)
def take_in(analysis_id: str, body: AnnotationFile) -> Imported:
    """Merge the annotations of a file: one that a bundle's page saved, or a bundle itself.

    What is known already changes nothing, so the same file may be imported again. With login on, an
    annotation of another author than you is kept as imported by you (“imported_by”), not verified.
    """
    row = annotation_service.find_annotatable(analysis_id)
    stream, _name = uploaded("file")
    merged, everything = annotation_import.import_file(row, stream)
    said = {"analysis": row.id, "annotations": [to_json(each) for each in everything]}
    counts = {"new": merged.new, "known": merged.known, "unverified": merged.unverified}
    return Imported.model_validate(said | counts)
