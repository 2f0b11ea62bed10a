"""What a second reviewer does not see until their judgement is in: the one place that knows.

A case names its reviewers. Until the second has judged an exhibit of it, other people's judgements of that
exhibit are hidden from them and, if so chosen, the machine's findings too, in whichever analysis. Where
only judgements are hidden, annotations of others are left out of what they see, and what cannot be cut
(reports, bundles, the custody log) is refused. Where findings are hidden, the exhibit's analyses are not
there for them at all: :func:`webapp.security.access.visibility.visible` leaves them out of every select.
Which exhibits are awaited is asked with :mod:`webapp.storage.blind_exhibits`, by webhooks as well.

Nor does the first judge with the second's words before their eyes. They see everything, so the second
annotates nothing of an exhibit before the first has judged it (:func:`refuse_telling_first`).

Administrators see everything, so none is named as second reviewer (:mod:`webapp.services.review.reviewers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.review.second_review import Hidden
from reports.text.translation.language import gettext
from webapp.errors import UserError
from webapp.storage.blind_exhibits import awaited_judgements, hidden_exhibits, unjudged_by_first
from webapp.storage.reviewed_analyses import subject
from webapp.storage.tables import AnalysisRow, AnnotationRow

_inner = AnalysisRow.__table__.alias()


class Discloses(IntEnum):
    """The most that an answer about an analysis may tell."""

    EXHIBIT = 0  # the bytes handed in, and what they are called
    FINDINGS = 1  # what the machine found, and one's own annotations
    JUDGEMENTS = 2  # what other people say


@dataclass(frozen=True)
class AwaitedJudgement:
    """A judgement that is awaited: of which exhibit in which case, and what is hidden until then."""

    case_id: int
    exhibit_id: int
    hidden: Hidden

    @property
    def sees(self) -> Discloses:
        """The most that may be told."""
        return Discloses.EXHIBIT if self.hidden == "findings" else Discloses.FINDINGS


class Blinded(UserError):
    """What was asked for would tell a second reviewer what they are not to see yet."""

    def __init__(self, session: Session, awaited: AwaitedJudgement) -> None:
        reviewed = subject(session, awaited.case_id, awaited.exhibit_id)
        self.analysis_id = None if reviewed is None else reviewed.id  # of the analysis under review
        super().__init__(
            403,
            gettext(
                "You are the second reviewer of this exhibit. What others say of it is not shown to "
                "you until "
                "your own judgement is in."
            )
            if awaited.hidden == "judgements"
            else gettext(
                "You are the second reviewer of this exhibit. What was found in it is not shown to you until "
                "your own judgement is in."
            ),
            gettext("Give your judgement at /reviews/%(analysis_id)s.", analysis_id=self.analysis_id)
            if self.analysis_id
            else gettext("It waits for your judgement under “Reviews” as soon as its analysis is done."),
        )
        if self.analysis_id:
            self.link = f"/reviews/{self.analysis_id}", gettext("Second review")
        else:
            self.link = "/reviews", gettext("Reviews")


def awaited_judgement(session: Session, user_id: int | None, exhibit_id: int) -> AwaitedJudgement | None:
    """The judgement of an exhibit that somebody owes, so that what is ``hidden`` is not for them; None: none.

    Of several, the one that hides most.
    """
    if user_id is None:
        return None
    found = session.execute(awaited_judgements(user_id, exhibit_id)).first()
    return AwaitedJudgement(found.case_id, exhibit_id, cast(Hidden, found.blind)) if found else None


def refuse_blinded(session: Session, user_id: int | None, exhibit_id: int, discloses: Discloses) -> None:
    """Raise :class:`Blinded` where an answer would tell somebody more of an exhibit than they are to see."""
    awaited = awaited_judgement(session, user_id, exhibit_id)
    if awaited is not None and discloses > awaited.sees:
        raise Blinded(session, awaited)


def tells_first(session: Session, user_id: int | None, exhibit_id: int) -> bool:
    """Whether the first reviewer, who has yet to judge an exhibit, could read what the second annotates."""
    return user_id is not None and session.execute(unjudged_by_first(user_id, exhibit_id)).first() is not None


def refuse_telling_first(session: Session, user_id: int | None, exhibit_id: int) -> None:
    """Raise :class:`UserError` where an annotation would tell the first reviewer, by :func:`tells_first`."""
    if tells_first(session, user_id, exhibit_id):
        raise UserError(
            409,
            gettext(
                "You are the second reviewer of this exhibit. The first, who has yet to judge it, could read "
                "what you annotate."
            ),
            gettext("Annotate it once the judgement of the first reviewer is in."),
        )


def annotations_of_others(user_id: int, display: str) -> Any:
    """Which annotations are hidden from somebody: those of others about what they have yet to judge."""
    about = select(_inner.c.id).where(_inner.c.exhibit_id.in_(hidden_exhibits(user_id)))
    return (AnnotationRow.author != display) & AnnotationRow.analysis_id.in_(about)


def hidden_from(session: Session, user_id: int | None) -> frozenset[int]:
    """Ids of the exhibits whose findings are hidden from somebody."""
    if user_id is None:
        return frozenset()
    return frozenset(session.scalars(hidden_exhibits(user_id, "findings")))
