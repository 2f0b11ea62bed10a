"""Second reviews: who makes them, what waits, what is said, and what holds in the end."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from detector.schema.analysis import Value
from reports.review.second_review import (
    MOST_STRETCHES,
    Conclusion,
    Hidden,
    Judgement,
    Part,
    SecondReview,
    Stretch,
    Words,
)
from webapp.api.contract.schemas.base import Id, Moment, RequestModel, Sha256
from webapp.queries.second_reviews import Standing
from webapp.queries.waiting_reviews import Task

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
