"""REST routes of annotations and second reviews."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import Field, GetJsonSchemaHandler, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector.schema.analysis import Value
from reports.review.annotation_file import to_json
from reports.review.annotations import ANNOTATION, Annotation
from reports.review.second_review import (
    MOST_STRETCHES,
    Conclusion,
    Hidden,
    Judgement,
    Part,
    SecondReview,
    Stretch,
    VoiceConclusion,
    Words,
    outcome,
)
from webapp import context
from webapp.accounts import users
from webapp.accounts.permissions import Permission, current
from webapp.casework import access as case_queries
from webapp.casework import reviewers as reviewer_service
from webapp.casework import reviews
from webapp.casework.blinding import Disclosure
from webapp.casework.reviews import SecondReviewState, Standing, Task
from webapp.errors import UserError
from webapp.exhibits import annotations as annotation_service
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits.uploads import exhibits as exhibit_downloads
from webapp.http.request_values import row_number
from webapp.rest.idempotency import id_to_create
from webapp.rest.operation import JSON, Answer, Form, ViewFunction, operation, uploaded
from webapp.rest.schemas import Id, Moment, RequestModel, Sha256, moment
from webapp.review import annotation_import
from webapp.review import service as review_service
from webapp.storage.tables import AnalysisRow, CaseReview, CaseRow


class AnnotationFile(RequestModel):
    """The form for imports; it has no field but the file."""


class OneAnnotation(RootModel[Annotation]):
    """An annotation (docs/bundle.md)."""


class Annotations(Value):
    """All visible annotations of an analysis in order of time."""

    analysis: Id
    annotations: tuple[OneAnnotation, ...]


class Added(Annotations):
    """The recorded annotation, and all visible ones."""

    annotation: OneAnnotation


class Imported(Annotations):
    """The number of new and known annotations of a file, and all visible annotations."""

    new: int
    known: int
    unverified: int = Field(description="new annotations whose author is not you; 0 without login")


_SET_BY_REELPROOF = ("id", "made", "imported_by")


class NewAnnotation(RootModel[dict[str, Any]]):
    """A new annotation (docs/bundle.md), without “id”, “made” and “imported_by”."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of annotations without the fields that Reelproof sets."""
        schema = ANNOTATION.json_schema(ref_template="#/{model}")
        kinds = []
        for kind in schema["$defs"].values():
            properties = {
                name: of for name, of in kind["properties"].items() if name not in _SET_BY_REELPROOF
            }
            required = [name for name in kind["required"] if name not in _SET_BY_REELPROOF]
            kinds.append(kind | {"properties": properties, "required": required})
        return {"title": "NewAnnotation", "description": cls.__doc__, "oneOf": kinds}


annotations_blueprint = Blueprint("api_annotations", __name__)


@operation(
    annotations_blueprint,
    "GET",
    "/analyses/<analysis_id>/annotations",
    permission=Permission.READ,
    answers={200: Answer("All annotations.", Annotations, headers=("ETag",))},
    errors=(404, 409),
)
def listing(analysis_id: str) -> Response:
    """List the annotations of an analysis in order of time."""
    row = annotation_service.find_annotatable(analysis_id)
    with context.database().begin() as session:
        visible = annotation_service.visible_annotations(session, row, current())
    return _annotations(row, visible)


@operation(
    annotations_blueprint,
    "POST",
    "/analyses/<analysis_id>/annotations",
    permission=Permission.ANNOTATE,
    body=NewAnnotation,
    answers={201: Answer("The annotation is recorded.", Added)},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def add(analysis_id: str, body: NewAnnotation) -> Response:
    """Add an annotation to an analysis.

    Annotations are never changed: a later one of the same author about the same thing replaces it, and a
    withdrawal removes one from the current ones.
    """
    row = annotation_service.find_annotatable(analysis_id)
    annotation, visible = annotation_service.record_annotation(row, body.root, id_to_create())
    return _annotations(row, visible, 201, annotation=to_json(annotation))


@operation(
    annotations_blueprint,
    "POST",
    "/analyses/<analysis_id>/annotations/import",
    permission=Permission.ANNOTATE,
    body=Form(AnnotationFile, "file", annotation_import.import_limit),
    answers={200: Answer("The annotations are imported.", Imported)},
    errors=(404, 409, 413, 415, 422, 503, 507),
    keyed=True,
)
def take_in(analysis_id: str, body: AnnotationFile) -> Response:
    """Import the annotations of a file saved by a bundle's page, or of a bundle.

    Known annotations change nothing, so a file may be imported again. With login on, annotations of other
    authors are marked as imported by you (“imported_by”), not verified.
    """
    row = annotation_service.find_annotatable(analysis_id)
    stream, _name = uploaded("file")
    merged, visible = annotation_import.import_file(row, stream)
    return _annotations(row, visible, new=merged.new, known=merged.known, unverified=merged.unverified)


def _annotations(row: AnalysisRow, visible: Sequence[Annotation], status: int = 200, **more: Any) -> Response:
    """Respond with all visible annotations, written exactly as in an annotation file."""
    content = {"analysis": row.id, "annotations": [to_json(annotation) for annotation in visible], **more}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Response(text + "\n", status=status, content_type=JSON)


AccountName = Annotated[str, Field(min_length=1, max_length=40, description="name for signing in")]


class Reviewers(Value):
    """The reviewers of a case."""

    case: int
    first: str
    second: str
    third: str | None = Field(description="decides differences; null: both resolve them in conversation")
    blind: Hidden = Field(description="what is hidden from the second reviewer until they have judged")
    named: Moment


class NewReviewers(RequestModel):
    """The reviewers to name for a case."""

    first: AccountName
    second: AccountName
    third: AccountName | None = None
    blind: Hidden = "judgements"


class WaitingReview(Value):
    """A task that waits for you."""

    task: Task
    part: Part = Field(description="your part in the review")
    analysis: Id
    exhibit: Sha256
    file: str
    case: int
    since: Moment


class WaitingReviews(Value):
    """All tasks that wait for you, the longest waiting first."""

    items: tuple[WaitingReview, ...]


class JointConclusion(Value):
    """The final conclusion and how it was reached."""

    conclusion: Conclusion
    voice: VoiceConclusion | None = Field(
        description="on the voices; null: not both judged them, or the resolution leaves them out"
    )
    way: Literal["agreement", "conversation", "decision"]
    reasons: str


class ReviewShape(Value):
    """A second review as far as it is disclosed to you."""

    standing: Standing
    part: Part | None = Field(description="your part in the review")
    own: Judgement | None = Field(description="your own judgement, even before both are in")
    review: SecondReview
    joint: JointConclusion | None


class NewJudgement(RequestModel):
    """Your judgement. It is never changed."""

    conclusion: Conclusion
    voice: VoiceConclusion | None = Field(default=None, description="on the voices; null: not judged")
    reasons: Words
    stretches: tuple[Stretch, ...] = Field(default=(), max_length=MOST_STRETCHES)


class NewMessage(RequestModel):
    """A message of the recorded conversation."""

    text: Words


class NewConclusion(RequestModel):
    """A joint conclusion."""

    conclusion: Conclusion
    voice: VoiceConclusion | None = Field(default=None, description="on the voices; null: left out")
    reasons: Words


class NewAcceptance(RequestModel):
    """The proposal you accept."""

    proposal: Id


reviews_blueprint = Blueprint("api_reviews", __name__)


@operation(
    reviews_blueprint,
    "GET",
    "/reviews",
    permission=Permission.READ,
    answers={200: Answer("The waiting reviews.", WaitingReviews, headers=("ETag",))},
)
def waiting() -> WaitingReviews:
    """List the second reviews that wait for you."""
    with context.database().begin() as session:
        tasks = reviews.review_tasks(session, current())
    return WaitingReviews(
        items=tuple(
            WaitingReview(
                task=task.task,
                part=task.part,
                analysis=task.row.id,
                exhibit=task.row.exhibit.sha256,
                file=task.row.file,
                case=task.case.id,
                since=moment(task.since) or "",
            )
            for task in tasks
        )
    )


@operation(
    reviews_blueprint,
    "GET",
    "/cases/<case_id>/reviewers",
    permission=Permission.READ,
    answers={200: Answer("The reviewers.", Reviewers, headers=("ETag",))},
    errors=(404,),
)
def reviewers(case_id: str) -> Reviewers:
    """Get the reviewers of a case."""
    with context.database().begin() as session:
        return _reviewers(session, _case(session, case_id))


@operation(
    reviews_blueprint,
    "PUT",
    "/cases/<case_id>/reviewers",
    permission=Permission.ARRANGE,
    body=NewReviewers,
    answers={200: Answer("The reviewers are named.", Reviewers)},
    errors=(404, 409, 413, 415, 422),
)
def name_reviewers(case_id: str, body: NewReviewers) -> Reviewers:
    """Name the reviewers of a case, and what is hidden from the second.

    They become members of the case. Reviewers with a judgement cannot be replaced, and what was hidden then
    cannot be changed.
    """
    with context.database().alone() as session:
        case = _case(session, case_id)
        first, second = (_account(session, name) for name in (body.first, body.second))
        third = _account(session, body.third) if body.third is not None else None
        chosen = reviewer_service.ChosenReviewers(first, second, third, body.blind)
        reviewer_service.name_reviewers(session, current(), case, chosen)
        session.flush()
        return _reviewers(session, case)


@operation(
    reviews_blueprint,
    "DELETE",
    "/cases/<case_id>/reviewers",
    permission=Permission.ARRANGE,
    answers={204: Answer("The case has no reviewers any more.")},
    errors=(404, 409),
)
def end_review(case_id: str) -> None:
    """End the second review of a case without judgements."""
    with context.database().alone() as session:
        reviewer_service.end_review(session, current(), _case(session, case_id))


@operation(
    reviews_blueprint,
    "GET",
    "/analyses/<analysis_id>/review",
    permission=Permission.READ,
    answers={200: Answer("The second review.", ReviewShape, headers=("ETag",))},
    errors=(404,),
)
def get(analysis_id: str) -> ReviewShape:
    """Get the second review of an analysis; it contains the judgements once both are in."""
    row = _row(analysis_id)
    with context.database().begin() as session:
        review = reviews.find_review_or_404(session, row)
    if review.row.id != row.id:
        _row(review.row.id)  # who sees one of them need not see the other
    return _shape(review)


@operation(
    reviews_blueprint,
    "GET",
    "/analyses/<analysis_id>/review/exhibit",
    permission=Permission.EXPORT,
    answers={200: Answer("The bytes of the exhibit.", media=("application/octet-stream",))},
    errors=(404,),
)
def exhibit(analysis_id: str) -> Response:
    """Get the exhibit under review, whatever is hidden of it."""
    return exhibit_downloads.send_exhibit_under_review(_row(analysis_id))


def _statement(name: str, body: type[RequestModel], answer: str) -> Callable[[ViewFunction], ViewFunction]:
    """Declare an operation that adds a statement to a review."""
    return operation(
        reviews_blueprint,
        "POST",
        f"/analyses/<analysis_id>/review/{name}",
        permission=Permission.ANNOTATE,
        body=body,
        answers={201: Answer(answer, ReviewShape)},
        errors=(404, 409, 413, 415, 422),
        keyed=True,
    )


@_statement("judgement", NewJudgement, "The judgement is recorded.")
def judge(analysis_id: str, body: NewJudgement) -> tuple[ReviewShape, int]:
    """Give your judgement as first or second reviewer."""
    return _record(
        analysis_id, lambda row, new_id: review_service.judge(row, current(), body.model_dump(), new_id)
    )


@_statement("messages", NewMessage, "The message is recorded.")
def say(analysis_id: str, body: NewMessage) -> tuple[ReviewShape, int]:
    """Add a message to the recorded conversation about a difference."""
    return _record(analysis_id, lambda row, new_id: review_service.say(row, current(), body.text, new_id))


@_statement("proposal", NewConclusion, "The proposal is recorded.")
def propose(analysis_id: str, body: NewConclusion) -> tuple[ReviewShape, int]:
    """Propose a joint conclusion to the other reviewer; a newer proposal replaces it."""
    values = body.model_dump()
    return _record(analysis_id, lambda row, new_id: review_service.propose(row, current(), values, new_id))


@_statement("acceptance", NewAcceptance, "The difference is resolved.")
def accept(analysis_id: str, body: NewAcceptance) -> tuple[ReviewShape, int]:
    """Accept the other reviewer's proposal."""
    return _record(
        analysis_id, lambda row, new_id: review_service.accept(row, current(), body.proposal, new_id)
    )


@_statement("decision", NewConclusion, "The difference is resolved.")
def decide(analysis_id: str, body: NewConclusion) -> tuple[ReviewShape, int]:
    """Decide a difference as third reviewer."""
    values = body.model_dump()
    return _record(analysis_id, lambda row, new_id: review_service.decide(row, current(), values, new_id))


def _record(
    analysis_id: str, record: Callable[[AnalysisRow, str], SecondReviewState]
) -> tuple[ReviewShape, int]:
    """Record a statement, unless the request was repeated."""
    row, new_id = _row(analysis_id), id_to_create()
    return _shape(review_service.find_recorded(row, new_id) or record(row, new_id)), 201


def _row(analysis_id: str) -> AnalysisRow:
    return analysis_queries.get_or_404(analysis_id, Disclosure.EXHIBIT)


def _case(session: Session, case_id: str) -> CaseRow:
    return case_queries.find_or_404(session, current(), row_number(case_id) or 0)


def _account(session: Session, name: str) -> int:
    user = users.find(session, name)
    if user is None:
        raise UserError(400, f"There is no account “{name}”.", "Name one that can sign in.")
    return user.id


def _reviewers(session: Session, case: CaseRow) -> Reviewers:
    naming = session.get(CaseReview, case.id)
    if naming is None:
        raise UserError(404, "Nobody reviews this case.", "Name its reviewers.")
    people = {part: user.name for part, user in reviews.reviewers_by_part(session, naming).items()}
    return Reviewers.model_validate(
        {"third": None, **people, "case": case.id, "blind": naming.blind, "named": moment(naming.named)}
    )


def _shape(review: SecondReviewState) -> ReviewShape:
    who = current().user_id
    part, disclosed = review.part_of(who), review.disclosed_to(who)
    joint = outcome(disclosed)
    return ReviewShape(
        standing=reviews.standing_of(review.statements),
        part=part,
        own=review.own_judgement(part),
        review=disclosed,
        joint=JointConclusion(
            conclusion=joint.conclusion, voice=joint.voice, way=joint.way, reasons=joint.reasons
        )
        if joint
        else None,
    )
