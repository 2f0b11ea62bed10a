"""REST routes of annotations and second reviews."""

from __future__ import annotations

from collections.abc import Callable
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
    Words,
    outcome,
)
from webapp import context
from webapp.accounts import users
from webapp.accounts.permissions import Permission, current
from webapp.analyses import queries as analysis_queries
from webapp.analyses.uploads import exhibits as exhibit_downloads
from webapp.cases import access as case_queries
from webapp.errors import UserError
from webapp.http.request_values import row_number
from webapp.rest.idempotency import id_to_create
from webapp.rest.operation import Answer, Form, operation, uploaded
from webapp.rest.schemas import Id, Moment, RequestModel, Sha256, moment
from webapp.review import annotation_import, queries
from webapp.review import annotations as annotation_service
from webapp.review import reviewers as reviewer_service
from webapp.review import service as review_service
from webapp.review.blinding import Disclosure
from webapp.review.queries import SecondReviewState, Standing, Task
from webapp.storage.tables import AnalysisRow, CaseReview, CaseRow


class AnnotationFile(RequestModel):
    """The form that imports annotations has no field but its file."""


class OneAnnotation(RootModel[Annotation]):
    """What somebody said (docs/bundle.md)."""


class Annotations(Value):
    """All annotations of an analysis, in order of time."""

    analysis: Id
    annotations: tuple[OneAnnotation, ...]


class Added(Annotations):
    """The annotation that was recorded, and all there are."""

    annotation: OneAnnotation


class Imported(Annotations):
    """How many annotations of a file were new and how many known, and all there are."""

    new: int
    known: int
    unverified: int = Field(description="of the new ones, those whose author is not you; 0 without login")


# Of an annotation: what Reelproof gives it.
_GIVEN = ("id", "made", "imported_by")


class NewAnnotation(RootModel[dict[str, Any]]):
    """What somebody says now (docs/bundle.md); without “id”, “made” and “imported_by”."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of annotations, less what is given to them."""
        schema = ANNOTATION.json_schema(ref_template="#/{model}")
        kinds = []
        for kind in schema["$defs"].values():
            properties = {name: of for name, of in kind["properties"].items() if name not in _GIVEN}
            required = [name for name in kind["required"] if name not in _GIVEN]
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
def listing(analysis_id: str) -> Annotations:
    """What reviewers said of an analysis, in order of time."""
    row = annotation_service.find_annotatable(analysis_id)
    with context.database().begin() as session:
        said = annotation_service.visible_annotations(session, row, current())
    return Annotations.model_validate({"analysis": row.id, "annotations": [to_json(each) for each in said]})


@operation(
    annotations_blueprint,
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
    made, everything = annotation_service.record_annotation(row, body.root, id_to_create())
    said = {"analysis": row.id, "annotations": [to_json(each) for each in everything]}
    return Added.model_validate(said | {"annotation": to_json(made)}), 201


@operation(
    annotations_blueprint,
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


AccountName = Annotated[str, Field(min_length=1, max_length=40, description="what they sign in as")]


class Reviewers(Value):
    """Who reviews the exhibits of a case."""

    case: int
    first: str
    second: str
    third: str | None = Field(description="decides differences; null: both resolve them in conversation")
    blind: Hidden = Field(description="what the second does not see until their own judgement is in")
    named: Moment


class NewReviewers(RequestModel):
    """Who is to review the exhibits of a case."""

    first: AccountName
    second: AccountName
    third: AccountName | None = None
    blind: Hidden = "judgements"


class WaitingReview(Value):
    """Something that waits for you."""

    task: Task
    part: Part = Field(description="as what you take part")
    analysis: Id
    exhibit: Sha256
    file: str
    case: int
    since: Moment


class WaitingReviews(Value):
    """All that waits for you, the longest first."""

    items: tuple[WaitingReview, ...]


class JointConclusion(Value):
    """What holds in the end, and how it came about."""

    conclusion: Conclusion
    way: Literal["agreement", "conversation", "decision"]
    reasons: str


class ReviewShape(Value):
    """A second review as far as you may see it."""

    standing: Standing
    part: Part | None = Field(description="as what you take part")
    own: Judgement | None = Field(description="your own judgement, also before both are in")
    review: SecondReview
    joint: JointConclusion | None


class NewJudgement(RequestModel):
    """What you conclude. It is never changed."""

    conclusion: Conclusion
    reasons: Words
    stretches: tuple[Stretch, ...] = Field(default=(), max_length=MOST_STRETCHES)


class NewMessage(RequestModel):
    """A part of the recorded conversation."""

    text: Words


class NewConclusion(RequestModel):
    """A joint conclusion."""

    conclusion: Conclusion
    reasons: Words


class NewAcceptance(RequestModel):
    """Which proposal you accept."""

    proposal: Id


reviews_blueprint = Blueprint("api_reviews", __name__)


@operation(
    reviews_blueprint,
    "GET",
    "/reviews",
    permission=Permission.READ,
    answers={200: Answer("What waits.", WaitingReviews, headers=("ETag",))},
)
def waiting() -> WaitingReviews:
    """List the second reviews that wait for you."""
    with context.database().begin() as session:
        found = queries.review_tasks(session, current())
    return WaitingReviews(
        items=tuple(
            WaitingReview(
                task=each.task,
                part=each.part,
                analysis=each.row.id,
                exhibit=each.row.exhibit.sha256,
                file=each.row.file,
                case=each.case.id,
                since=moment(each.since) or "",
            )
            for each in found
        )
    )


@operation(
    reviews_blueprint,
    "GET",
    "/cases/<case_id>/reviewers",
    permission=Permission.READ,
    answers={200: Answer("Who reviews.", Reviewers, headers=("ETag",))},
    errors=(404,),
)
def reviewers(case_id: str) -> Reviewers:
    """Who reviews the exhibits of a case."""
    with context.database().begin() as session:
        return _reviewers(session, _case(session, case_id))


@operation(
    reviews_blueprint,
    "PUT",
    "/cases/<case_id>/reviewers",
    permission=Permission.ARRANGE,
    body=NewReviewers,
    answers={200: Answer("They are named.", Reviewers)},
    errors=(404, 409, 413, 415, 422),
)
def name_reviewers(case_id: str, body: NewReviewers) -> Reviewers:
    """Name who reviews the exhibits of a case, and what is hidden from the second.

    They become members of the case. Whoever has judged stays, and so does what is hidden.
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
    answers={204: Answer("Nobody reviews it any more.")},
    errors=(404, 409),
)
def end_review(case_id: str) -> None:
    """End the second review of a case in which no judgement is in."""
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
    """The second review of an analysis; judgements are in it once both are in."""
    row = _row(analysis_id)
    with context.database().begin() as session:
        found = queries.find_review_or_404(session, row)
    if found.row.id != row.id:
        _row(found.row.id)  # who sees one of them need not see the other
    return _shape(found)


@operation(
    reviews_blueprint,
    "GET",
    "/analyses/<analysis_id>/review/exhibit",
    permission=Permission.EXPORT,
    answers={200: Answer("The bytes that were handed in.", media=("application/octet-stream",))},
    errors=(404,),
)
def exhibit(analysis_id: str) -> Response:
    """The exhibit under review, whatever is hidden of it."""
    return exhibit_downloads.send_exhibit_under_review(_row(analysis_id))


@operation(
    reviews_blueprint,
    "POST",
    "/analyses/<analysis_id>/review/judgement",
    permission=Permission.ANNOTATE,
    body=NewJudgement,
    answers={201: Answer("It is in.", ReviewShape)},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def judge(analysis_id: str, body: NewJudgement) -> tuple[ReviewShape, int]:
    """Give your judgement as first or second reviewer."""
    return _recorded(
        analysis_id, lambda row, made_id: review_service.judge(row, current(), body.model_dump(), made_id)
    )


@operation(
    reviews_blueprint,
    "POST",
    "/analyses/<analysis_id>/review/messages",
    permission=Permission.ANNOTATE,
    body=NewMessage,
    answers={201: Answer("It was recorded.", ReviewShape)},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def say(analysis_id: str, body: NewMessage) -> tuple[ReviewShape, int]:
    """Add to the recorded conversation about a difference."""
    return _recorded(analysis_id, lambda row, made_id: review_service.say(row, current(), body.text, made_id))


@operation(
    reviews_blueprint,
    "POST",
    "/analyses/<analysis_id>/review/proposal",
    permission=Permission.ANNOTATE,
    body=NewConclusion,
    answers={201: Answer("It was recorded.", ReviewShape)},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def propose(analysis_id: str, body: NewConclusion) -> tuple[ReviewShape, int]:
    """Propose a joint conclusion to the other reviewer; a newer proposal replaces it."""
    return _recorded(
        analysis_id, lambda row, made_id: review_service.propose(row, current(), body.model_dump(), made_id)
    )


@operation(
    reviews_blueprint,
    "POST",
    "/analyses/<analysis_id>/review/acceptance",
    permission=Permission.ANNOTATE,
    body=NewAcceptance,
    answers={201: Answer("The difference is resolved.", ReviewShape)},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def accept(analysis_id: str, body: NewAcceptance) -> tuple[ReviewShape, int]:
    """Accept what the other reviewer proposes."""
    return _recorded(
        analysis_id, lambda row, made_id: review_service.accept(row, current(), body.proposal, made_id)
    )


@operation(
    reviews_blueprint,
    "POST",
    "/analyses/<analysis_id>/review/decision",
    permission=Permission.ANNOTATE,
    body=NewConclusion,
    answers={201: Answer("The difference is resolved.", ReviewShape)},
    errors=(404, 409, 413, 415, 422),
    keyed=True,
)
def decide(analysis_id: str, body: NewConclusion) -> tuple[ReviewShape, int]:
    """Decide a difference as third reviewer."""
    return _recorded(
        analysis_id, lambda row, made_id: review_service.decide(row, current(), body.model_dump(), made_id)
    )


def _recorded(
    analysis_id: str, record: Callable[[AnalysisRow, str], SecondReviewState]
) -> tuple[ReviewShape, int]:
    row, made_id = _row(analysis_id), id_to_create()
    return _shape(review_service.find_recorded(row, made_id) or record(row, made_id)), 201


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
    people = {part: user.name for part, user in queries.reviewers_by_part(session, naming).items()}
    return Reviewers.model_validate(
        {"third": None, **people, "case": case.id, "blind": naming.blind, "named": moment(naming.named)}
    )


def _shape(found: SecondReviewState) -> ReviewShape:
    part, review = found.part_of(current().user_id), found.disclosed
    ended = outcome(review)
    return ReviewShape(
        standing=queries.standing_of(found.statements),
        part=part,
        own=found.own_judgement(part),
        review=review,
        joint=JointConclusion(conclusion=ended.conclusion, way=ended.way, reasons=ended.reasons)
        if ended
        else None,
    )
