"""Second review: two people judge an exhibit independently, and a difference is resolved."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from detector.schema.analysis import Sha256, Value
from detector.schema.formatting import N_, escape_directions
from detector.timestamps import iso_milliseconds
from reports.errors import ReportError
from reports.file_names import SECOND_REVIEW
from reports.review.annotations import LONGEST_NOTE, Annotation, Id, Name, Note, Seconds, problem_sentence

MOST_STRETCHES = 100

Conclusion = Literal["manipulated", "no manipulation found", "inconclusive"]
CONCLUSIONS: tuple[Conclusion, ...] = ("manipulated", "no manipulation found", "inconclusive")
# On the voices, a question of its own; who does not judge them says nothing.
VoiceConclusion = Literal["synthetic speech found", "no synthetic speech found", "inconclusive"]
VOICE_CONCLUSIONS: tuple[VoiceConclusion, ...] = (
    "synthetic speech found",
    "no synthetic speech found",
    "inconclusive",
)
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
    "voice": N_("The conclusion on the voices"),
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
    """A second review, or a statement of one, cannot be used.

    ``field`` names the wrong field; for an interval with its number, as ``end-2``.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Stretch(Value):
    """An interval that a reviewer judged manipulated; seconds from the first frame."""

    start: Seconds
    end: Seconds
    note: Note = ""

    @model_validator(mode="after")
    def _in_order(self) -> Stretch:
        if self.end <= self.start:
            raise ValueError(N_("A stretch ends before it starts."))
        return self


class _Said(Value):
    """Author, role and time (UTC) of a statement."""

    id: Id
    author: Name
    part: Part
    made: AwareDatetime


class Judgement(_Said):
    """Conclusion of one of the two reviewers; ``hidden`` is what the second could not see until then.

    ``salt`` is random and part of the SHA-256 in the custody log, which is public before the judgement is:
    without it, the usual words could be found by trying. Judgements of earlier versions have none.
    """

    kind: Literal["judgement"]
    part: Literal["first", "second"]
    conclusion: Conclusion
    voice: VoiceConclusion | None = None
    reasons: Words
    stretches: Annotated[tuple[Stretch, ...], Field(max_length=MOST_STRETCHES)] = ()
    hidden: Hidden | None = None
    salt: Id | None = None

    @model_validator(mode="after")
    def _fits(self) -> Judgement:
        if self.stretches and self.conclusion == "no manipulation found":
            raise ValueError(
                N_("A review with the conclusion “no manipulation found” cannot mark manipulated intervals.")
            )
        return self


class Message(_Said):
    """A message of the recorded discussion."""

    kind: Literal["message"]
    text: Words


class Proposal(_Said):
    """A joint conclusion that one reviewer proposes to the other."""

    kind: Literal["proposal"]
    part: Literal["first", "second"]
    conclusion: Conclusion
    voice: VoiceConclusion | None = None
    reasons: Words


class Acceptance(_Said):
    """Acceptance of a proposal by the other reviewer."""

    kind: Literal["acceptance"]
    part: Literal["first", "second"]
    about: Id


class Decision(_Said):
    """Decision of the third reviewer."""

    kind: Literal["decision"]
    part: Literal["third"]
    conclusion: Conclusion
    voice: VoiceConclusion | None = None
    reasons: Words


Statement = Annotated[Judgement | Message | Proposal | Acceptance | Decision, Field(discriminator="kind")]
STATEMENT: TypeAdapter[Statement] = TypeAdapter(Statement)


class SecondReview(Value):
    """``second-review.json``: the reviewers, the disclosed statements, and whose judgements are submitted."""

    reelproof_second_review: Literal["1.0"] = "1.0"
    analysis: Id
    exhibit_sha256: Sha256
    first: Name
    second: Name
    third: Name | None
    blind: Hidden
    named: AwareDatetime
    given: tuple[Literal["first", "second"], ...] = Field(
        description="whose judgements are in; empty for the second reviewer until theirs is"
    )
    statements: tuple[Statement, ...] = Field(description="in order of time; judgements once both are in")

    def to_json(self) -> str:
        """Return the text of the file (UTF-8, two-space indent)."""
        return escape_directions(json.dumps(review_json(self), indent=2, ensure_ascii=False)) + "\n"

    def judgement(self, part: str) -> Judgement | None:
        """Return the judgement of the first or second reviewer; None unless it is disclosed."""
        return judgement_of(self.statements, part)


@dataclass(frozen=True)
class ReviewOutcome:
    """The outcome: agreement, an accepted proposal, or the decision of the third reviewer."""

    conclusion: Conclusion
    way: Literal["agreement", "conversation", "decision"]
    last_statement: Judgement | Acceptance | Decision  # which ended it
    reasons: str = ""
    voice: VoiceConclusion | None = None  # None: not both judged the voices, or they were left out


@dataclass(frozen=True)
class ReviewDifference:
    """One point on which both differ; ``first`` and ``second`` are the two positions, None for nothing."""

    about: Literal["conclusion", "voice", "stretch"]
    first: str | Stretch | None
    second: str | Stretch | None


def judgement_of(statements: Iterable[Statement], part: str | None) -> Judgement | None:
    """Return the judgement of the first or second reviewer; None if it is not among the statements."""
    return next((e for e in statements if isinstance(e, Judgement) and e.part == part), None)


def statement_json(statement: Statement) -> dict[str, Any]:
    """Return a statement as JSON values, with times to the millisecond."""
    values: dict[str, Any] = statement.model_dump(mode="json", exclude_none=True)
    values["made"] = iso_milliseconds(statement.made)
    for stretch in values.get("stretches", ()):
        stretch |= {name: round(stretch[name], 3) for name in ("start", "end")}
    return values


def parse(values: object) -> Statement:
    """Parse a statement from JSON values; raise :class:`SecondReviewError` if it is invalid."""
    try:
        return STATEMENT.validate_python(statement_json(STATEMENT.validate_python(values)))
    except ValidationError as error:
        raise SecondReviewError(_problem(error), _field(error)) from None


def review_json(review: SecondReview) -> dict[str, Any]:
    """Return the whole review as JSON values."""
    values = review.model_dump(mode="json")
    values["named"] = iso_milliseconds(review.named)
    return values | {"statements": [statement_json(statement) for statement in review.statements]}


def read_review(text: bytes) -> SecondReview:
    """Parse a ``second-review.json``; raise :class:`SecondReviewError` if it is invalid."""
    try:
        return SecondReview.model_validate_json(text)
    except ValidationError as error:
        raise SecondReviewError(
            N_("%(file)s cannot be read: %(problem)s") % {"file": SECOND_REVIEW, "problem": _problem(error)}
        ) from None


def review_of(text: bytes | None, exhibit_sha256: str) -> SecondReview | None:
    """Parse the second review in a text, if any; raise :class:`SecondReviewError` for another exhibit's."""
    if text is None:
        return None
    review = read_review(text)
    if review.exhibit_sha256 != exhibit_sha256:
        raise SecondReviewError(N_("%(name)s is about another exhibit.") % {"name": SECOND_REVIEW})
    return review


def ordered(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Sort statements by time, then by id."""
    return tuple(sorted(statements, key=lambda statement: (statement.made, statement.id)))


def differences(first: Judgement, second: Judgement) -> tuple[ReviewDifference, ...]:
    """Return the differences: conclusions, and intervals that overlap none of the other's.

    Conclusions on the voices differ only if both judged them.
    """
    points = []
    if first.conclusion != second.conclusion:
        points.append(ReviewDifference("conclusion", first.conclusion, second.conclusion))
    if first.voice and second.voice and first.voice != second.voice:
        points.append(ReviewDifference("voice", first.voice, second.voice))
    alone = [ReviewDifference("stretch", stretch, None) for stretch in _alone(first, second)]
    alone += [ReviewDifference("stretch", None, stretch) for stretch in _alone(second, first)]
    return (*points, *sorted(alone, key=_start))


def outcome(review: SecondReview) -> ReviewOutcome | None:
    """Return the outcome; None while judgements are pending or a difference is not resolved."""
    first, second = review.judgement("first"), review.judgement("second")
    if first is None or second is None:
        return None
    if not differences(first, second):
        last = max(first, second, key=lambda statement: statement.made)
        voice = first.voice if first.voice == second.voice else None
        return ReviewOutcome(first.conclusion, "agreement", last, voice=voice)
    proposals = {
        statement.id: statement for statement in review.statements if isinstance(statement, Proposal)
    }
    for statement in review.statements:
        if isinstance(statement, Decision):
            return ReviewOutcome(
                statement.conclusion, "decision", statement, statement.reasons, statement.voice
            )
        if isinstance(statement, Acceptance) and (proposal := proposals.get(statement.about)) is not None:
            return ReviewOutcome(
                proposal.conclusion, "conversation", statement, proposal.reasons, proposal.voice
            )
    return None


def judged_alone(review: SecondReview, annotations: Iterable[Annotation]) -> bool:
    """Return whether the second reviewer annotated nothing before the first judged.

    Such annotations are refused now, but records of earlier versions may contain them.
    """
    first = review.judgement("first")
    return first is None or not any(
        (annotation.imported_by or annotation.author) == review.second and annotation.made < first.made
        for annotation in annotations
    )


def open_proposal(review: SecondReview) -> Proposal | None:
    """Return the newest proposal while nothing is resolved."""
    if outcome(review) is not None:
        return None
    proposals = [statement for statement in review.statements if isinstance(statement, Proposal)]
    return proposals[-1] if proposals else None


def _alone(own: Judgement, other: Judgement) -> list[Stretch]:
    return [
        stretch
        for stretch in own.stretches
        if not any(
            stretch.start < counterpart.end and counterpart.start < stretch.end
            for counterpart in other.stretches
        )
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
