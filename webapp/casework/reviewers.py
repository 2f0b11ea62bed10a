"""Name the reviewers of a case; refuse those who could not review blind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from language.translation import N_, gettext
from reports.review.second_review import Hidden, Part
from webapp.accounts.permissions import PERMISSIONS, Permission, Principal, Role
from webapp.casework import access, reviews
from webapp.custody import custody_log, people_records
from webapp.errors import UserError
from webapp.storage.second_reviews import analyses_under_review, analyses_with_statements
from webapp.storage.tables import (
    AnalysisRow,
    AnnotationRow,
    CaseMember,
    CaseReview,
    CaseRow,
    ReviewStatement,
    User,
    now,
)


@dataclass(frozen=True)
class ChosenReviewers:
    """Account ids of the reviewers of a case, and what is hidden from the second."""

    first: int
    second: int
    third: int | None
    blind: Hidden

    def account(self, part: Part) -> int | None:
        """Return the account id for a part."""
        return {"first": self.first, "second": self.second, "third": self.third}[part]


def name_reviewers(session: Session, who: Principal, case: CaseRow, chosen: ChosenReviewers) -> CaseReview:
    """Name the reviewers of a case and what the second does not see before judging.

    They become members of the case. Reviewers with a judgement cannot be replaced, and what was hidden then
    cannot be changed. The session must be exclusive. Raises :class:`UserError`.
    """
    access.refuse_closed(session, case.id)
    _refuse_second_reviewer(session, who, case.id)
    ids = {part: user_id for part in reviews.PARTS if (user_id := chosen.account(part)) is not None}
    if len(set(ids.values())) < len(ids):
        raise UserError(400, gettext("The reviewers must be different people."), gettext("Choose others."))
    people = {part: _reviewer_account(session, part, user_id) for part, user_id in ids.items()}
    previous = session.get(CaseReview, case.id)
    if previous is not None:
        _refuse_replacing(session, previous, chosen)
    if previous is None or previous.second_id != chosen.second:
        analyses = select(AnalysisRow.id).where(AnalysisRow.case_id == case.id)
        _refuse_unblind(session, people["second"], analyses)
    naming = previous or CaseReview(case_id=case.id)
    naming.first_id, naming.second_id, naming.third_id = chosen.first, chosen.second, chosen.third
    naming.blind, naming.named = chosen.blind, now()
    session.add(naming)
    for user in people.values():
        session.merge(CaseMember(case_id=case.id, user_id=user.id))
    details: dict[str, str | int | None] = {
        "case": case.id,
        "case name": case.name,
        **{part: user.name for part, user in people.items()},
        "hidden from the second": chosen.blind,
        "named": people_records.format_reviewers(naming),
    }
    custody_log.append(session, "reviewers named", details)
    about = [(row.exhibit.sha256, row.id) for row in analyses_under_review(session, [case.id])]
    custody_log.append_about(session, "reviewers named", details, about)
    return naming


def end_review(session: Session, who: Principal, case: CaseRow) -> None:
    """End the review of a case. Raises :class:`~webapp.errors.UserError` once a judgement is in."""
    access.refuse_closed(session, case.id)
    _refuse_second_reviewer(session, who, case.id)
    naming = session.get(CaseReview, case.id)
    if naming is None:
        return
    if _judged_parts(session, case.id):
        raise UserError(
            409, gettext("Judgements are in already, so the review stays."), gettext("Name another reviewer.")
        )
    session.delete(naming)
    details: dict[str, str | int | None] = {
        "case": case.id,
        "case name": case.name,
        "named": people_records.format_reviewers(None),
    }
    custody_log.append(session, "reviewers named", details)


def refuse_from_second(
    session: Session, case_id: int | None, owner_id: int | None, analysis: str = ""
) -> None:
    """Raise :class:`UserError` if the second reviewer of a case could not review a new analysis blind."""
    naming = session.get(CaseReview, case_id) if case_id is not None else None
    if naming is None:
        return
    second = session.get_one(User, naming.second_id)
    if owner_id == second.id:
        raise UserError(
            409,
            gettext(
                "%(display)s is the second reviewer of this case, so files that they uploaded cannot be in "
                "it.",
                display=second.display,
            ),
            gettext("Let another person upload the file, or name another second reviewer."),
        )
    if analysis:
        _refuse_unblind(session, second, [analysis])


def refuse_leaving_case(session: Session, row: AnalysisRow) -> None:
    """Raise :class:`UserError` if the review of an analysis has begun, which ties it to its case."""
    if analyses_with_statements(session, [row.id]):
        raise UserError(
            409,
            gettext("The second review of this analysis has begun in its case."),
            gettext("It stays in this case."),
        )


def refuse_deleting(session: Session, row: AnalysisRow) -> None:
    """Raise :class:`UserError` if the review has begun: statements are never removed."""
    if analyses_with_statements(session, [row.id]):
        raise UserError(
            409,
            gettext("The second review of this analysis has begun, so it cannot be deleted."),
            gettext("It is deleted with its case when an administrator purges the case."),
        )


def refuse_removing_member(session: Session, case_id: int, user_id: int) -> None:
    """Raise :class:`UserError` if an account reviews the case."""
    naming = session.get(CaseReview, case_id)
    if naming is not None and user_id in (naming.first_id, naming.second_id, naming.third_id):
        raise UserError(409, gettext("They review this case."), gettext("Name another reviewer first."))


def _reviewer_account(session: Session, part: Part, user_id: int) -> User:
    """Return the account for a part. Raises :class:`UserError` if it cannot take it."""
    user = session.get(User, user_id)
    if user is None or user.disabled is not None:
        raise UserError(
            400, gettext("There is no such account, or it is disabled."), gettext("Choose one from the list.")
        )
    if Permission.ANNOTATE not in PERMISSIONS[Role(user.role)]:
        raise UserError(
            400,
            gettext("%(display)s is a reader and cannot judge.", display=user.display),
            gettext("Choose a reviewer or examiner."),
        )
    if part == "second" and user.role == Role.ADMINISTRATOR:
        raise UserError(
            400,
            gettext(
                "%(display)s is an administrator and sees everything, so they cannot review blind.",
                display=user.display,
            ),
            gettext("Choose another person as second reviewer."),
        )
    return user


_JUDGED: dict[Part, str] = {
    "first": N_("The first reviewer has already judged and cannot be replaced."),
    "second": N_("The second reviewer has already judged and cannot be replaced."),
    "third": N_("The third reviewer has already judged and cannot be replaced."),
}


def _refuse_replacing(session: Session, previous: CaseReview, chosen: ChosenReviewers) -> None:
    judged = _judged_parts(session, previous.case_id)
    ids = {"first": previous.first_id, "second": previous.second_id, "third": previous.third_id}
    for part in judged:
        if chosen.account(part) != ids[part]:
            raise UserError(409, gettext(_JUDGED[part]), gettext("Change the others."))
    if judged and chosen.blind != previous.blind:
        raise UserError(
            409,
            gettext("Judgements are in already, so what is hidden stays hidden."),
            gettext("Leave it as it is."),
        )


def _judged_parts(session: Session, case_id: int) -> set[Part]:
    """Return the parts with any judgement or decision in a case."""
    query = (
        select(ReviewStatement.part)
        .join(AnalysisRow, AnalysisRow.id == ReviewStatement.analysis_id)
        .where(AnalysisRow.case_id == case_id, ReviewStatement.kind.in_(("judgement", "decision")))
    )
    return set(session.scalars(query.distinct()))


def _refuse_second_reviewer(session: Session, who: Principal, case_id: int) -> None:
    """Raise :class:`UserError` for the second reviewer, who must not change what is hidden from them."""
    naming = session.get(CaseReview, case_id)
    if naming is not None and naming.second_id == who.user_id:
        raise UserError(
            403,
            gettext("You are the second reviewer of this case."),
            gettext("Ask another person to change it."),
        )


def _refuse_unblind(session: Session, second: User, analyses: Any) -> None:
    """Raise :class:`UserError` if a second reviewer uploaded or annotated the exhibit of an analysis.

    That may have happened where the caller cannot see it, so the error names only the analysis asked about.
    """
    own = select(AnalysisRow.exhibit_id).where(AnalysisRow.owner_id == second.id)
    annotated = (
        select(AnalysisRow.exhibit_id)
        .join(AnnotationRow, AnnotationRow.analysis_id == AnalysisRow.id)
        .where(AnnotationRow.author == second.display)
    )
    known = select(AnalysisRow.file).where(
        AnalysisRow.id.in_(analyses),
        or_(AnalysisRow.exhibit_id.in_(own), AnalysisRow.exhibit_id.in_(annotated)),
    )
    file = session.scalar(known.order_by(AnalysisRow.created, AnalysisRow.id).limit(1))
    if file is not None:
        raise UserError(
            409,
            gettext("%(display)s cannot review “%(file)s” blind.", display=second.display, file=file),
            gettext("Choose another person as second reviewer."),
        )
