"""The section on the second review: both judgements, where they differ, and the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from language import formatting
from language.formatting import time_span, timecode
from language.names import direction, one_line, readable
from language.translation import N_, UNTRANSLATED, Quoted, gettext
from reports.review.annotation_file import checksum
from reports.review.annotations import Annotation
from reports.review.second_review import (
    PART_NAMES,
    Acceptance,
    Decision,
    Judgement,
    Message,
    Part,
    Proposal,
    ReviewDifference,
    ReviewOutcome,
    SecondReview,
    Statement,
    Stretch,
    differences,
    judged_alone,
    outcome,
    statement_json,
)
from reports.wording.sections import Fact
from reports.wording.verdict_sentence import MARKS

HIDDEN = {
    "judgements": N_("what others said about the exhibit"),
    "findings": N_("what the machine found, and what others said about the exhibit"),
}
_UNSEEN = {
    "judgements": N_("Until then, could not see what others said about the exhibit."),
    "findings": N_("Until then, could not see what the machine found or what others said about the exhibit."),
}
_UNTIL = {
    "judgements": N_(
        "what others said about the exhibit, until the second reviewer had submitted a judgement"
    ),
    "findings": N_(
        "what the machine found and what others said about the exhibit, until the second reviewer had "
        "submitted a judgement"
    ),
}
_WIDTH = 1000.0  # of the figure of both reviewers' stretches


@dataclass(frozen=True)
class StretchView:
    """An interval in words, and its place in the figure of ``_WIDTH`` units."""

    start: str = field(metadata=UNTRANSLATED)
    end: str = field(metadata=UNTRANSLATED)
    time_span: str
    note: str = field(metadata=UNTRANSLATED)
    left: float
    width: float


@dataclass(frozen=True)
class JudgementView:
    """The judgement of one of the two; not disclosed if ``conclusion`` is empty.

    ``voice`` is the conclusion on the voices; empty if they were not judged.
    """

    role: str
    author: str = field(metadata=UNTRANSLATED)
    made: str = field(metadata=UNTRANSLATED)
    conclusion: str
    mark: str = field(metadata=UNTRANSLATED)
    reasons: str = field(metadata=UNTRANSLATED)
    direction: str = field(metadata=UNTRANSLATED)
    hidden: str
    stretches: tuple[StretchView, ...]
    voice: str = ""
    voice_mark: str = field(default="none", metadata=UNTRANSLATED)


@dataclass(frozen=True)
class DisagreementView:
    """One point on which both differ, with both positions."""

    about: str
    first: str
    second: str


@dataclass(frozen=True)
class StatementView:
    """One statement of the recorded discussion."""

    id: str = field(metadata=UNTRANSLATED)
    author: str = field(metadata=UNTRANSLATED)
    role: str
    made: str = field(metadata=UNTRANSLATED)
    act: str
    text: str = field(metadata=UNTRANSLATED)
    direction: str = field(metadata=UNTRANSLATED)


@dataclass(frozen=True)
class OutcomeView:
    """The outcome: its conclusion, origin and reasons."""

    heading: str
    conclusion: str
    way: str
    reasons: str = field(metadata=UNTRANSLATED)
    direction: str = field(metadata=UNTRANSLATED)
    voice: str = ""  # the conclusion on the voices; empty: none


@dataclass(frozen=True)
class SecondReviewView:
    """A second review; ``sha256`` is that of the canonical text of its statements."""

    facts: tuple[Fact, ...]
    summary: str
    alone: bool
    both: tuple[JudgementView, JudgementView]
    timed: bool
    voices: bool  # either of them judged the voices
    differences: tuple[DisagreementView, ...]
    conversation: tuple[StatementView, ...]
    outcome: OutcomeView | None
    sha256: str

    @property
    def disclosed(self) -> bool:
        """Whether both judgements are submitted."""
        return all(judgement.conclusion for judgement in self.both)


def second_review_view(
    review: SecondReview, duration: float, annotations: Sequence[Annotation] = ()
) -> SecondReviewView:
    """Describe a second review; ``duration`` of the exhibit is in seconds, 0 for a photograph.

    ``annotations`` are the annotations of the analysis.
    """
    first, second = review.judgement("first"), review.judgement("second")
    apart = differences(first, second) if first and second else ()
    resolved, alone = outcome(review), judged_alone(review, annotations)
    both = (
        _judgement(review, "first", first, duration),
        _judgement(review, "second", second, duration),
    )
    return SecondReviewView(
        facts=_facts(review),
        summary=_summary(review, resolved, alone),
        alone=alone,
        both=both,
        timed=any(judgement.stretches for judgement in both),
        voices=any(judgement.voice for judgement in both),
        differences=tuple(map(_difference, apart)),
        conversation=tuple(_statement(e) for e in review.statements if not isinstance(e, Judgement)),
        outcome=_outcome(resolved, alone) if resolved else None,
        sha256=checksum([statement_json(judgement) for judgement in review.statements])
        if review.statements
        else "",
    )


def named(review: SecondReview, part: Part) -> str:
    """Return who takes a role, as one line."""
    return one_line({"first": review.first, "second": review.second, "third": review.third}[part] or "nobody")


def _role(part: Part) -> str:
    return gettext(PART_NAMES[part])


def judgement_view(judgement: Judgement, duration: float) -> JudgementView:
    """Describe one judgement."""
    return JudgementView(
        role=_role(judgement.part),
        author=one_line(judgement.author),
        made=formatting.moment(judgement.made),
        conclusion=judgement.conclusion,
        mark=MARKS[judgement.conclusion],
        reasons=readable(judgement.reasons),
        direction=direction(judgement.reasons),
        hidden=gettext(_UNSEEN[judgement.hidden]) if judgement.hidden else "",
        stretches=tuple(_stretch(stretch, duration) for stretch in judgement.stretches),
        voice=judgement.voice or "",
        voice_mark=MARKS[judgement.voice] if judgement.voice else "none",
    )


def _facts(review: SecondReview) -> tuple[Fact, ...]:
    third = (
        (Fact(_role("third"), Quoted(gettext("%(name)s, decides differences", name=named(review, "third")))),)
        if review.third
        else ()
    )
    return (
        Fact(_role("first"), Quoted(named(review, "first"))),
        Fact(_role("second"), Quoted(named(review, "second"))),
        *third,
        Fact(gettext("Hidden from the second"), gettext(_UNTIL[review.blind])),
        Fact(gettext("Reviewers named"), formatting.moment(review.named)),
    )


_AWAITED = {
    (): N_("The judgements of both reviewers are pending. They are shown once both are submitted."),
    ("second",): N_(
        "The judgement of the first reviewer is pending; the second reviewer has submitted one. They are "
        "shown once both are submitted."
    ),
    ("first",): N_(
        "The judgement of the second reviewer is pending; the first reviewer has submitted one. They are "
        "shown once both are submitted."
    ),
}
_ENDED = {
    "agreement": N_("Both reviewers independently concluded: %(conclusion)s."),
    "decision": N_("The reviewers differed, and the third reviewer decided: %(conclusion)s."),
    "conversation": N_("The reviewers differed, then agreed after discussion: %(conclusion)s."),
}
_ENDED_NOT_ALONE = N_(
    "Both reviewers reached the same conclusion: %(conclusion)s. The first reviewer could read the "
    "annotations of the second beforehand."
)


def _summary(review: SecondReview, resolved: ReviewOutcome | None, alone: bool) -> str:
    if len(review.given) < 2:
        return gettext(_AWAITED[review.given])
    if resolved is None:
        return gettext("Both judgements are submitted and differ. The difference is not resolved yet.")
    words = _ENDED[resolved.way] if alone or resolved.way != "agreement" else _ENDED_NOT_ALONE
    summary = gettext(words, conclusion=gettext(resolved.conclusion))
    if resolved.voice is None:
        return summary
    return f"{summary} {gettext('On the voices: %(conclusion)s.', conclusion=gettext(resolved.voice))}"


def _judgement(
    review: SecondReview, part: Part, judgement: Judgement | None, duration: float
) -> JudgementView:
    if judgement is not None:
        return judgement_view(judgement, duration)
    return JudgementView(_role(part), named(review, part), "", "", "none", "", "ltr", "", ())


def _stretch(stretch: Stretch, duration: float) -> StretchView:
    scale = _WIDTH / duration if duration else 0.0
    left = min(stretch.start * scale, _WIDTH - 3)
    width = max(3.0, min((stretch.end - stretch.start) * scale, _WIDTH - left))
    note = one_line(stretch.note)
    start, end = timecode(stretch.start), timecode(stretch.end)
    return StretchView(
        start, end, time_span(stretch.start, stretch.end), note, round(left, 1), round(width, 1)
    )


def _difference(difference: ReviewDifference) -> DisagreementView:
    positions = [
        gettext("manipulated, %(interval)s", interval=time_span(position.start, position.end))
        if isinstance(position, Stretch)
        else gettext(position or N_("nothing marked"))
        for position in (difference.first, difference.second)
    ]
    about = {
        "conclusion": N_("Conclusion"),
        "voice": N_("Conclusion on the voices"),
        "stretch": N_("Stretch of time"),
    }[difference.about]
    return DisagreementView(gettext(about), *positions)


def _statement(statement: Statement) -> StatementView:
    act, text = "", ""
    match statement:
        case Message():
            text = statement.text
        case Proposal():
            act = gettext("Proposes: %(conclusion)s", conclusion=_conclusions(statement))
            text = statement.reasons
        case Acceptance():
            act = gettext("Accepts the proposal")
        case Decision():
            act = gettext("Decides: %(conclusion)s", conclusion=_conclusions(statement))
            text = statement.reasons
        case Judgement():
            pass  # it has a view of its own
        case _:
            assert_never(statement)
    return StatementView(
        statement.id,
        one_line(statement.author),
        _role(statement.part),
        formatting.moment(statement.made),
        act,
        readable(text),
        direction(text),
    )


def _conclusions(statement: Proposal | Decision) -> str:
    """Return the conclusion, and that on the voices if there is one."""
    conclusion = gettext(statement.conclusion)
    if statement.voice is None:
        return conclusion
    return gettext(
        "%(conclusion)s; on the voices: %(voice)s",
        conclusion=conclusion,
        voice=gettext(statement.voice),
    )


_WAYS = {
    "agreement": N_(
        "Both independently reached the same conclusion; the later judgement was submitted on %(when)s."
    ),
    "conversation": N_("Both agreed on it in the discussion below; %(who)s accepted it on %(when)s."),
    "decision": N_("%(who)s decided as third reviewer on %(when)s."),
}
_WAY_NOT_ALONE = N_(
    "Both reached the same conclusion; the later judgement was submitted on %(when)s. The first reviewer "
    "could read the annotations of the second beforehand."
)
_HEADINGS = {
    "agreement": N_("Joint conclusion"),
    "conversation": N_("Joint conclusion"),
    "decision": N_("Conclusion of the third reviewer"),
}


def _outcome(resolved: ReviewOutcome, alone: bool) -> OutcomeView:
    author, when = one_line(resolved.last_statement.author), formatting.moment(resolved.last_statement.made)
    words = _WAYS[resolved.way] if alone or resolved.way != "agreement" else _WAY_NOT_ALONE
    way = gettext(words, who=author, when=when)
    reasons = readable(resolved.reasons)
    heading = gettext(_HEADINGS[resolved.way])
    return OutcomeView(heading, resolved.conclusion, way, reasons, direction(reasons), resolved.voice or "")
