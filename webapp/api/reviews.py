"""Second reviews: who makes them, what waits, judgements, and how differences are resolved."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from reports.review.second_review import outcome
from webapp import this_app
from webapp.api.contract.idempotency import id_to_create
from webapp.api.contract.operation import Answer, operation
from webapp.api.contract.schemas.base import moment
from webapp.api.contract.schemas.reviews import (
    JointConclusion,
    NewAcceptance,
    NewConclusion,
    NewJudgement,
    NewMessage,
    NewReviewers,
    Reviewers,
    ReviewShape,
    WaitingReview,
    WaitingReviews,
)
from webapp.downloads import exhibits as exhibit_downloads
from webapp.errors import UserError
from webapp.http.row_numbers import row_number
from webapp.queries import analyses as analysis_queries
from webapp.queries import cases as case_queries
from webapp.queries import second_reviews, waiting_reviews
from webapp.queries.second_reviews import Reviewed
from webapp.security import accounts
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Permission, current
from webapp.services.review import reviewers as reviewer_service
from webapp.services.review import second_reviews as review_service
from webapp.storage.tables import AnalysisRow, CaseReview, CaseRow

blueprint = Blueprint("api_reviews", __name__)


@operation(
    blueprint,
    "GET",
    "/reviews",
    permission=Permission.READ,
    answers={200: Answer("What waits.", WaitingReviews, headers=("ETag",))},
)
def waiting() -> WaitingReviews:
    """List the second reviews that wait for you."""
    with this_app.database().begin() as session:
        found = waiting_reviews.waiting(session, current())
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
    blueprint,
    "GET",
    "/cases/<case_id>/reviewers",
    permission=Permission.READ,
    answers={200: Answer("Who reviews.", Reviewers, headers=("ETag",))},
    errors=(404,),
)
def reviewers(case_id: str) -> Reviewers:
    """Who reviews the exhibits of a case."""
    with this_app.database().begin() as session:
        return _reviewers(session, _case(session, case_id))


@operation(
    blueprint,
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
    with this_app.database().alone() as session:
        case = _case(session, case_id)
        first, second = (_account(session, name) for name in (body.first, body.second))
        third = _account(session, body.third) if body.third is not None else None
        chosen = reviewer_service.ChosenReviewers(first, second, third, body.blind)
        reviewer_service.name_reviewers(session, current(), case, chosen)
        session.flush()
        return _reviewers(session, case)


@operation(
    blueprint,
    "DELETE",
    "/cases/<case_id>/reviewers",
    permission=Permission.ARRANGE,
    answers={204: Answer("Nobody reviews it any more.")},
    errors=(404, 409),
)
def end_review(case_id: str) -> None:
    """End the second review of a case in which no judgement is in."""
    with this_app.database().alone() as session:
        reviewer_service.end_review(session, current(), _case(session, case_id))


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/review",
    permission=Permission.READ,
    answers={200: Answer("The second review.", ReviewShape, headers=("ETag",))},
    errors=(404,),
)
def get(analysis_id: str) -> ReviewShape:
    """The second review of an analysis; judgements are in it once both are in."""
    row = _row(analysis_id)
    with this_app.database().begin() as session:
        found = second_reviews.find_or_404(session, row)
    if found.row.id != row.id:
        _row(found.row.id)  # who sees one of them need not see the other
    return _shape(found)


@operation(
    blueprint,
    "GET",
    "/analyses/<analysis_id>/review/exhibit",
    permission=Permission.EXPORT,
    answers={200: Answer("The bytes that were handed in.", media=("application/octet-stream",))},
    errors=(404,),
)
def exhibit(analysis_id: str) -> Response:
    """The exhibit under review, whatever is hidden of it."""
    return exhibit_downloads.send_under_review(_row(analysis_id))


@operation(
    blueprint,
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
    blueprint,
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
    blueprint,
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
    blueprint,
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
    blueprint,
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


def _recorded(analysis_id: str, record: Callable[[AnalysisRow, str], Reviewed]) -> tuple[ReviewShape, int]:
    row, made_id = _row(analysis_id), id_to_create()
    return _shape(review_service.recorded(row, made_id) or record(row, made_id)), 201


def _row(analysis_id: str) -> AnalysisRow:
    return analysis_queries.get_or_404(analysis_id, Discloses.EXHIBIT)


def _case(session: Session, case_id: str) -> CaseRow:
    return case_queries.find_or_404(session, current(), row_number(case_id) or 0)


def _account(session: Session, name: str) -> int:
    user = accounts.find(session, name)
    if user is None:
        raise UserError(400, f"There is no account “{name}”.", "Name one that can sign in.")
    return user.id


def _reviewers(session: Session, case: CaseRow) -> Reviewers:
    naming = session.get(CaseReview, case.id)
    if naming is None:
        raise UserError(404, "Nobody reviews this case.", "Name its reviewers.")
    people = {part: user.name for part, user in second_reviews.reviewers(session, naming).items()}
    return Reviewers.model_validate(
        {"third": None, **people, "case": case.id, "blind": naming.blind, "named": moment(naming.named)}
    )


def _shape(found: Reviewed) -> ReviewShape:
    part, review = found.part_of(current().user_id), found.disclosed
    ended = outcome(review)
    return ReviewShape(
        standing=second_reviews.standing(found.statements),
        part=part,
        own=found.own_judgement(part),
        review=review,
        joint=JointConclusion(conclusion=ended.conclusion, way=ended.way, reasons=ended.reasons)
        if ended
        else None,
    )
