"""Comparisons of an exhibit with a reference: start, list, look, cancel, fetch."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from detector.schema.comparison import Comparison
from webapp.api.contract.idempotency import id_to_create
from webapp.api.contract.operation import Answer, operation
from webapp.api.contract.schemas.comparisons import Comparisons, ComparisonStatus, NewComparison
from webapp.api.exhibits import find_or_404
from webapp.errors import UserError
from webapp.queries import analyses as analysis_queries
from webapp.queries import reference_comparisons
from webapp.queries.reference_comparisons import RESULT, status_json
from webapp.security.access.permissions import Permission
from webapp.security.access.visibility import visible_session
from webapp.services import comparisons as comparison_service
from webapp.services.analyses import priority_of
from webapp.storage.tables import ComparisonRow

blueprint = Blueprint("api_comparisons", __name__)


@operation(
    blueprint,
    "POST",
    "/exhibits/<sha256>/comparisons",
    permission=Permission.ANALYSE,
    body=NewComparison,
    answers={202: Answer("It waits to be compared.", ComparisonStatus, headers=("Location",))},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def create(sha256: str, body: NewComparison) -> Response:
    """Compare an exhibit with a reference, another exhibit that is here."""
    with visible_session() as session:
        find_or_404(session, sha256)
        exhibit = analysis_queries.latest_of(session, sha256)
        reference = analysis_queries.latest_of(session, body.reference)
    if exhibit is None or reference is None:
        # What is wrong with the request must not look like a missing address.
        raise UserError(400, "There is no exhibit with the reference's SHA-256.", "Hand that file in.")
    row = comparison_service.start(exhibit, reference, id_to_create(), priority_of(body.priority))
    text = _to_status(row).model_dump_json(exclude_unset=True) + "\n"
    response = Response(text, status=202, content_type="application/json")
    response.headers["Location"] = url_for("api_comparisons.get", comparison_id=row.id)
    return response


@operation(
    blueprint,
    "GET",
    "/exhibits/<sha256>/comparisons",
    permission=Permission.READ,
    answers={200: Answer("All of them.", Comparisons, headers=("ETag",))},
    errors=(404,),
)
def listing(sha256: str) -> Comparisons:
    """The comparisons of an exhibit with references, newest first.

    Those whose reference you may not see are left out.
    """
    with visible_session() as session:
        exhibit = find_or_404(session, sha256).id
    return Comparisons(comparisons=tuple(_to_status(row) for row in reference_comparisons.listed(exhibit)))


@operation(
    blueprint,
    "GET",
    "/comparisons/<comparison_id>",
    permission=Permission.READ,
    answers={200: Answer("Where it stands.", ComparisonStatus, headers=("ETag",))},
    errors=(404,),
)
def get(comparison_id: str) -> ComparisonStatus:
    """Where a comparison stands."""
    return _to_status(reference_comparisons.get_or_404(comparison_id))


@operation(
    blueprint,
    "POST",
    "/comparisons/<comparison_id>/cancel",
    permission=Permission.ANALYSE,
    answers={200: Answer("It was cancelled.", ComparisonStatus)},
    errors=(404, 409, 422),
    keyed=True,
)
def cancel(comparison_id: str) -> ComparisonStatus:
    """Take a comparison out of the queue, or stop it."""
    comparison_service.cancel(comparison_id)
    return _to_status(reference_comparisons.get_or_404(comparison_id))


@operation(
    blueprint,
    "DELETE",
    "/comparisons/<comparison_id>",
    permission=Permission.DELETE,
    answers={204: Answer("It is gone; both exhibits are still here.")},
    errors=(404, 409),
)
def delete(comparison_id: str) -> None:
    """Delete a comparison that has ended."""
    comparison_service.delete(comparison_id)


@operation(
    blueprint,
    "GET",
    "/comparisons/<comparison_id>/comparison.json",
    permission=Permission.READ,
    answers={200: Answer("The result.", Comparison, headers=("ETag",))},
    errors=(404, 409),
)
def result(comparison_id: str) -> Response:
    """The whole result of a comparison, as it is stored."""
    _row, found = reference_comparisons.get_finished(comparison_id)
    response = Response(found.content(RESULT), content_type="application/json")
    response.set_etag(found.sums[RESULT])
    return response


@operation(
    blueprint,
    "GET",
    "/comparisons/<comparison_id>/pictures/<picture_name>",
    permission=Permission.READ,
    answers={200: Answer("The picture.", media=("image/png",), headers=("ETag",))},
    errors=(404, 409),
)
def picture(comparison_id: str, picture_name: str) -> Response:
    """A picture that the result of a comparison names."""
    _row, found = reference_comparisons.get_finished(comparison_id)
    name = f"pictures/{picture_name}"
    response = Response(found.content(name), content_type="image/png")
    response.set_etag(found.sums[name])
    return response


def _to_status(row: ComparisonRow) -> ComparisonStatus:
    return ComparisonStatus.model_validate(status_json(row))
