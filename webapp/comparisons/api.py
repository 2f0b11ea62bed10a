"""REST operations on comparisons with a reference."""

from __future__ import annotations

from flask import Blueprint, Response, url_for
from pydantic import Field

from detector.schema.analysis import Value
from detector.schema.comparison import Comparison, Outcome
from webapp.accounts.permissions import Permission
from webapp.accounts.visibility import visible_session
from webapp.comparisons import service
from webapp.custody.job_records import COMPARISON_FILE
from webapp.errors import UserError
from webapp.exhibits import reference_comparisons
from webapp.exhibits.queries import find_exhibit_or_404, latest_analysis_of, translate_status
from webapp.exhibits.service import parse_priority
from webapp.rest.idempotency import id_to_create
from webapp.rest.operation import Answer, operation
from webapp.rest.schemas import JobStatus, PriorityName, RequestModel, Sha256
from webapp.storage.tables import ComparisonRow

blueprint = Blueprint("api_comparisons", __name__)


class NewComparison(RequestModel):
    """The reference for a new comparison."""

    reference: Sha256 = Field(description="of another exhibit, said to be the original or an earlier version")
    priority: PriorityName = "normal"


class ComparisonStatus(JobStatus):
    """The state of a comparison."""

    exhibit: Sha256
    exhibit_file: str = Field(description="the exhibit's file name for the person who started it")
    reference: Sha256
    reference_file: str
    related: bool | None = Field(description="whether the exhibit shows any part of it; null: not done")
    segments: int | None = Field(description="how many differ; null: not done")
    outcome: Outcome | None = Field(
        description="the outcome, the most important of several; null: not done, or not stored"
    )


class Comparisons(Value):
    """The comparisons of an exhibit, newest first."""

    comparisons: tuple[ComparisonStatus, ...]


@operation(
    blueprint,
    "POST",
    "/exhibits/<sha256>/comparisons",
    permission=Permission.ANALYSE,
    body=NewComparison,
    answers={202: Answer("The comparison is queued.", ComparisonStatus, headers=("Location",))},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def create(sha256: str, body: NewComparison) -> Response:
    """Compare an exhibit with a reference, another exhibit."""
    with visible_session() as session:
        find_exhibit_or_404(session, sha256)
        exhibit = latest_analysis_of(session, sha256)
        reference = latest_analysis_of(session, body.reference)
    if exhibit is None or reference is None:
        # Not 404: an error in the body must not look like a missing address.
        raise UserError(400, "There is no exhibit with the reference's SHA-256.", "Hand that file in.")
    row = service.start(exhibit, reference, id_to_create(), parse_priority(body.priority))
    text = _status(row).model_dump_json(exclude_unset=True) + "\n"
    response = Response(text, status=202, content_type="application/json")
    response.headers["Location"] = url_for("api_comparisons.get", comparison_id=row.id)
    return response


@operation(
    blueprint,
    "GET",
    "/exhibits/<sha256>/comparisons",
    permission=Permission.READ,
    answers={200: Answer("All comparisons.", Comparisons, headers=("ETag",))},
    errors=(404,),
)
def listing(sha256: str) -> Comparisons:
    """List the comparisons of an exhibit with references, newest first.

    Comparisons whose reference you may not see are left out.
    """
    with visible_session() as session:
        exhibit = find_exhibit_or_404(session, sha256).id
    return Comparisons(
        comparisons=tuple(_status(row) for row in reference_comparisons.list_comparisons(exhibit))
    )


@operation(
    blueprint,
    "GET",
    "/comparisons/<comparison_id>",
    permission=Permission.READ,
    answers={200: Answer("Its state.", ComparisonStatus, headers=("ETag",))},
    errors=(404,),
)
def get(comparison_id: str) -> ComparisonStatus:
    """Get the state of a comparison."""
    return _status(reference_comparisons.get_or_404(comparison_id))


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
    """Remove a comparison from the queue, or stop it."""
    service.cancel(comparison_id)
    return _status(reference_comparisons.get_or_404(comparison_id))


@operation(
    blueprint,
    "DELETE",
    "/comparisons/<comparison_id>",
    permission=Permission.DELETE,
    answers={204: Answer("It was deleted; both exhibits remain.")},
    errors=(404, 409),
)
def delete(comparison_id: str) -> None:
    """Delete a comparison that has ended."""
    service.delete(comparison_id)


@operation(
    blueprint,
    "GET",
    "/comparisons/<comparison_id>/comparison.json",
    permission=Permission.READ,
    answers={200: Answer("The result.", Comparison, headers=("ETag",))},
    errors=(404, 409),
)
def result(comparison_id: str) -> Response:
    """Get the complete result of a comparison, exactly as stored."""
    _row, comparison = reference_comparisons.get_finished(comparison_id)
    response = Response(comparison.content(COMPARISON_FILE), content_type="application/json")
    response.set_etag(comparison.sums[COMPARISON_FILE])
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
    """Get a picture of the result of a comparison."""
    _row, comparison = reference_comparisons.get_finished(comparison_id)
    name = f"pictures/{picture_name}"
    response = Response(comparison.content(name), content_type="image/png")
    response.set_etag(comparison.sums[name])
    return response


def _status(row: ComparisonRow) -> ComparisonStatus:
    return ComparisonStatus.model_validate(translate_status(reference_comparisons.status_json(row)))
