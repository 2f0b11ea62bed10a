"""Blinding: hide findings and judgements from second reviewers who have yet to judge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import cast

from sqlalchemy.orm import Session

from language.translation import gettext
from reports.review.second_review import Hidden
from webapp.errors import UserError
from webapp.storage.second_reviews import (
    analysis_under_review,
    awaited_judgements,
    hidden_exhibits,
    unjudged_by_first,
)


class Disclosure(IntEnum):
    """The information that a response about an analysis contains at most."""

    EXHIBIT = 0  # the file and its name
    FINDINGS = 1  # findings of the machine, and one's own annotations
    JUDGEMENTS = 2  # annotations and judgements of other people


@dataclass(frozen=True)
class PendingJudgement:
    """A judgement that a second reviewer has yet to make, and the information hidden until then."""

    case_id: int
    exhibit_id: int
    hidden: Hidden

    @property
    def sees(self) -> Disclosure:
        """The maximum disclosure to the reviewer."""
        return Disclosure.EXHIBIT if self.hidden == "findings" else Disclosure.FINDINGS


class BlindedError(UserError):
    """The response would disclose information that is still hidden from a second reviewer."""

    def __init__(self, session: Session, pending: PendingJudgement) -> None:
        analysis = analysis_under_review(session, pending.case_id, pending.exhibit_id)
        self.analysis_id = None if analysis is None else analysis.id  # of the analysis under review
        super().__init__(
            403,
            gettext(
                "You are the second reviewer of this exhibit. Other people's judgements stay hidden until "
                "you submit your own."
            )
            if pending.hidden == "judgements"
            else gettext(
                "You are the second reviewer of this exhibit. The finding stays hidden until you submit "
                "your own judgement."
            ),
            gettext("Give your judgement at /reviews/%(analysis_id)s.", analysis_id=self.analysis_id)
            if self.analysis_id
            else gettext("It appears under “Reviews” when its analysis is finished."),
        )
        if self.analysis_id:
            self.link = f"/reviews/{self.analysis_id}", gettext("Second review")
        else:
            self.link = "/reviews", gettext("Reviews")


def pending_judgement(session: Session, user_id: int | None, exhibit_id: int) -> PendingJudgement | None:
    """Return the pending judgement of an account on an exhibit that hides most, if any."""
    if user_id is None:
        return None
    row = session.execute(awaited_judgements(user_id, exhibit_id)).first()
    return PendingJudgement(row.case_id, exhibit_id, cast(Hidden, row.blind)) if row else None


def refuse_blinded(session: Session, user_id: int | None, exhibit_id: int, disclosure: Disclosure) -> None:
    """Raise :class:`BlindedError` if a response about an exhibit discloses more than an account may see."""
    pending = pending_judgement(session, user_id, exhibit_id)
    if pending is not None and disclosure > pending.sees:
        raise BlindedError(session, pending)


def would_unblind_first(session: Session, user_id: int | None, exhibit_id: int) -> bool:
    """Return whether a first reviewer who has yet to judge could read annotations of this account."""
    return user_id is not None and session.execute(unjudged_by_first(user_id, exhibit_id)).first() is not None


def refuse_unblinding_first(session: Session, user_id: int | None, exhibit_id: int) -> None:
    """Raise :class:`UserError` if an annotation would unblind the first reviewer."""
    if would_unblind_first(session, user_id, exhibit_id):
        raise UserError(
            409,
            gettext(
                "You are the second reviewer of this exhibit. The first reviewer has not judged it yet "
                "and could read your annotations."
            ),
            gettext("Annotate it after the first reviewer has submitted a judgement."),
        )


def hidden_exhibit_ids(session: Session, user_id: int | None) -> frozenset[int]:
    """Return the ids of the exhibits whose findings are hidden from an account."""
    if user_id is None:
        return frozenset()
    return frozenset(session.scalars(hidden_exhibits(user_id, "findings")))
