"""Second review: two people judge an exhibit independently, and a difference is resolved."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from detector.schema.analysis import Sha256, Value
from detector.schema.formatting import N_
from detector.timestamps import iso_milliseconds
from reports.errors import ReportError
from reports.file_names import SECOND_REVIEW
from reports.review.annotations import LONGEST_NOTE, Annotation, Id, Name, Note, Seconds, problem_sentence

MOST_STRETCHES = 100

Conclusion = Literal["manipulated", "no manipulation found", "inconclusive"]
CONCLUSIONS: tuple[Conclusion, ...] = ("manipulated", "no manipulation found", "inconclusive")
Part = Literal["first", "second", "third"]
PART_NAMES: dict[Part, str] = {
    "first": N_("First reviewer"),
    "second": N_("Second reviewer"),
    "third": N_("Third reviewer"),
}
"""What pages and reports call who takes part."""
# What the second reviewer does not see until their judgement is in: what people say of the exhibit, or the
# machine's findings as well.
Hidden = Literal["judgements", "findings"]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NOTE)]

_FIELDS = {
    "conclusion": N_("The conclusion"),
    "reasons": N_("The text of the reasons"),
    "text": N_("The message"),
    "stretches": N_("A stretch"),
    "start": N_("The start of a stretch"),
    "end": N_("The end of a stretch"),
    "note": N_("A note"),
    "": N_("It"),
}
_PROBLEMS = {
    "too_long": N_("There are more than %(most)s stretches."),
    "extra_forbidden": N_("%(what)s is not a field of it."),
}


class SecondReviewError(ReportError):
    """What is given is no second review; the message says why.

    ``field`` names what of a statement is at fault; in a stretch with its number, as ``end-2``.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Stretch(Value):
    """A stretch of time a reviewer holds for manipulated; seconds from the first frame."""

    start: Seconds
    end: Seconds
    note: Note = ""

    @model_validator(mode="after")
    def _in_order(self) -> Stretch:
        if self.end <= self.start:
            raise ValueError(N_("A stretch ends before it starts."))
        return self


class _Said(Value):
    """Who said it, as which reviewer, and when (UTC)."""

    id: Id
    author: Name
    part: Part
    made: AwareDatetime


class Judgement(_Said):
    """What one of the two concludes. ``hidden`` is what the second did not see until then."""

    kind: Literal["judgement"]
    part: Literal["first", "second"]
    conclusion: Conclusion
    reasons: Words
    stretches: Annotated[tuple[Stretch, ...], Field(max_length=MOST_STRETCHES)] = ()
    hidden: Hidden | None = None

    @model_validator(mode="after")
    def _fits(self) -> Judgement:
        if self.stretches and self.conclusion == "no manipulation found":
            raise ValueError(N_("Stretches held for manipulated do not go with “no manipulation found”."))
        return self


class Message(_Said):
    """A part of the recorded conversation."""

    kind: Literal["message"]
    text: Words


class Proposal(_Said):
    """A joint conclusion that one of the two proposes to the other."""

    kind: Literal["proposal"]
    part: Literal["first", "second"]
    conclusion: Conclusion
    reasons: Words


class Acceptance(_Said):
    """The other one agrees with a proposal."""

    kind: Literal["acceptance"]
    part: Literal["first", "second"]
    about: Id


class Decision(_Said):
    """What the third decides."""

    kind: Literal["decision"]
    part: Literal["third"]
    conclusion: Conclusion
    reasons: Words


Statement = Annotated[Judgement | Message | Proposal | Acceptance | Decision, Field(discriminator="kind")]
STATEMENT: TypeAdapter[Statement] = TypeAdapter(Statement)


class SecondReview(Value):
    """``second-review.json``: who reviews, what is disclosed of it, and whose judgements are in."""

    reelproof_second_review: Literal["1.0"] = "1.0"
    analysis: Id
    exhibit_sha256: Sha256
    first: Name
    second: Name
    third: Name | None
    blind: Hidden
    named: AwareDatetime
    given: tuple[Literal["first", "second"], ...] = Field(description="whose judgements are in")
    statements: tuple[Statement, ...] = Field(description="in order of time; judgements once both are in")

    def to_json(self) -> str:
        """Text of the file: UTF-8, two-space indent."""
        return json.dumps(review_json(self), indent=2, ensure_ascii=False) + "\n"

    def judgement(self, part: str) -> Judgement | None:
        """The judgement of the first or second; None unless it is disclosed."""
        return judgement_of(self.statements, part)


@dataclass(frozen=True)
class ReviewOutcome:
    """What holds in the end: agreement, a proposal that was accepted, or the third's decision."""

    conclusion: Conclusion
    way: Literal["agreement", "conversation", "decision"]
    last_statement: Judgement | Acceptance | Decision  # which ended it
    reasons: str = ""


@dataclass(frozen=True)
class ReviewDifference:
    """One point on which both differ; ``first`` and ``second`` are what each says, None: nothing."""

    about: Literal["conclusion", "stretch"]
    first: str | Stretch | None
    second: str | Stretch | None


def judgement_of(statements: Iterable[Statement], part: str | None) -> Judgement | None:
    """What the first or second concludes; None where that is not among the statements."""
    return next((e for e in statements if isinstance(e, Judgement) and e.part == part), None)


def statement_json(statement: Statement) -> dict[str, Any]:
    """A statement as JSON values: moments and seconds to the millisecond."""
    values: dict[str, Any] = statement.model_dump(mode="json", exclude_none=True)
    values["made"] = iso_milliseconds(statement.made)
    for stretch in values.get("stretches", ()):
        stretch |= {name: round(stretch[name], 3) for name in ("start", "end")}
    return values


def parse(values: object) -> Statement:
    """A statement out of JSON values; raises :class:`SecondReviewError` in words."""
    try:
        return STATEMENT.validate_python(statement_json(STATEMENT.validate_python(values)))
    except ValidationError as error:
        raise SecondReviewError(_problem(error), _field(error)) from None


def review_json(review: SecondReview) -> dict[str, Any]:
    """The whole as JSON values."""
    values = review.model_dump(mode="json")
    values["named"] = iso_milliseconds(review.named)
    return values | {"statements": [statement_json(each) for each in review.statements]}


def read_review(text: bytes) -> SecondReview:
    """The value of a ``second-review.json``; raises :class:`SecondReviewError` for anything else."""
    try:
        return SecondReview.model_validate_json(text)
    except ValidationError as error:
        raise SecondReviewError(
            N_("%(file)s cannot be read: %(problem)s") % {"file": SECOND_REVIEW, "problem": _problem(error)}
        ) from None


def review_of(text: bytes | None, exhibit_sha256: str) -> SecondReview | None:
    """The second review in a text, if any; raises :class:`SecondReviewError` for another exhibit's."""
    if text is None:
        return None
    review = read_review(text)
    if review.exhibit_sha256 != exhibit_sha256:
        raise SecondReviewError(N_("%(name)s is about another exhibit.") % {"name": SECOND_REVIEW})
    return review


def ordered(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """In order of time, equal moments by id."""
    return tuple(sorted(statements, key=lambda each: (each.made, each.id)))


def differences(first: Judgement, second: Judgement) -> tuple[ReviewDifference, ...]:
    """Where both differ: their conclusions, and stretches that overlap none of the other's."""
    found = []
    if first.conclusion != second.conclusion:
        found.append(ReviewDifference("conclusion", first.conclusion, second.conclusion))
    alone = [ReviewDifference("stretch", each, None) for each in _alone(first, second)]
    alone += [ReviewDifference("stretch", None, each) for each in _alone(second, first)]
    return (*found, *sorted(alone, key=_start))


def outcome(review: SecondReview) -> ReviewOutcome | None:
    """What holds in the end; None where judgements are awaited, or a difference is not resolved."""
    first, second = review.judgement("first"), review.judgement("second")
    if first is None or second is None:
        return None
    if not differences(first, second):
        return ReviewOutcome(first.conclusion, "agreement", max(first, second, key=lambda each: each.made))
    proposals = {each.id: each for each in review.statements if isinstance(each, Proposal)}
    for each in review.statements:
        if isinstance(each, Decision):
            return ReviewOutcome(each.conclusion, "decision", each, each.reasons)
        if isinstance(each, Acceptance) and (made := proposals.get(each.about)) is not None:
            return ReviewOutcome(made.conclusion, "conversation", each, made.reasons)
    return None


def judged_alone(review: SecondReview, annotations: Iterable[Annotation]) -> bool:
    """Whether the second annotated nothing before the first judged, who could have read it.

    Since that is refused, none did; the records of earlier versions may hold such annotations.
    """
    first = review.judgement("first")
    return first is None or not any(
        (each.imported_by or each.author) == review.second and each.made < first.made for each in annotations
    )


def open_proposal(review: SecondReview) -> Proposal | None:
    """The newest proposal while nothing is resolved; else None, as where there is none."""
    if outcome(review) is not None:
        return None
    made = [each for each in review.statements if isinstance(each, Proposal)]
    return made[-1] if made else None


def _alone(own: Judgement, other: Judgement) -> list[Stretch]:
    return [
        each
        for each in own.stretches
        if not any(each.start < theirs.end and theirs.start < each.end for theirs in other.stretches)
    ]


def _start(difference: ReviewDifference) -> float:
    stretch = difference.first or difference.second
    return stretch.start if isinstance(stretch, Stretch) else 0.0


def _field(error: ValidationError) -> str:
    where = error.errors()[0]["loc"]
    *_, name = (part for part in where if isinstance(part, str))
    rows = [part + 1 for part in where if isinstance(part, int)]
    if rows and where[-1] == rows[-1] - 1:
        name = "end"  # a stretch as a whole can only end too early
    return "-".join(map(str, [name, *rows]))


def _problem(error: ValidationError) -> str:
    return problem_sentence(error, _FIELDS, _PROBLEMS)
