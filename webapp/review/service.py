"""The second review: record judgements and resolve differences."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, assert_never

from sqlalchemy.orm import Session

from language.translation import gettext, translated
from reports.review.annotation_file import checksum
from reports.review.second_review import (
    Acceptance,
    Decision,
    Judgement,
    Message,
    Part,
    Proposal,
    SecondReviewError,
    Statement,
    open_proposal,
    outcome,
    parse,
    statement_json,
)
from webapp import context
from webapp.accounts.permissions import Principal
from webapp.casework import access, reviews
from webapp.casework.reviews import SecondReviewState
from webapp.custody import custody_log
from webapp.errors import NotReady, UserError
from webapp.exhibits.annotations import later_timestamp
from webapp.exhibits.queries import reload_row
from webapp.storage.tables import AnalysisRow, ReviewStatement

MAX_STATEMENTS = 1000  # per review


def find_recorded(row: AnalysisRow, statement_id: str) -> SecondReviewState | None:
    """Return the review if it contains this statement already, because the request was repeated."""
    with context.database().begin() as session:
        review = reviews.find_review_or_404(session, reload_row(session, row.id))
        recorded = any(statement.id == statement_id for statement in review.statements)
        return review if recorded else None


def judge(
    row: AnalysisRow, who: Principal, values: Mapping[str, Any], statement_id: str | None = None
) -> SecondReviewState:
    """Record one's own judgement: ``conclusion``, ``reasons``, ``stretches``, perhaps ``voice``.

    It is never changed.

    Raises :class:`~webapp.errors.UserError` for the third reviewer, a second judgement, and stretches beyond
    the exhibit.
    """
    with context.database().alone() as session:
        review, part = _review_and_part(session, row, who)
        if part == "third":
            raise UserError(
                403,
                gettext("The third reviewer decides differences only."),
                gettext("Wait for both judgements."),
            )
        if review.own_judgement(part) is not None:
            raise UserError(
                409,
                gettext("You have already given your judgement, and it cannot be changed."),
                gettext("Add a message below it."),
            )
        hidden = {"hidden": review.naming.blind} if part == "second" else {}
        own = {**values, **hidden, "salt": secrets.token_hex(16)}
        judgement = _parse(own, who, part, "judgement", review, statement_id)
        assert isinstance(judgement, Judgement)
        length = review.row.duration or 0.0
        if judgement.voice and not length:
            raise UserError(400, gettext("A photograph has no voices."), gettext("Leave them out."))
        if judgement.stretches and not length:
            raise UserError(
                400, gettext("A photograph has no stretches of time."), gettext("Leave them out.")
            )
        for number, stretch in enumerate(judgement.stretches, start=1):
            if stretch.end > length + 1:
                raise UserError(
                    400,
                    gettext("A stretch ends after the exhibit does."),
                    gettext("Correct its end."),
                    field=f"end-{number}",
                )
        return _record(session, review, judgement)


def say(row: AnalysisRow, who: Principal, text: str, statement_id: str | None = None) -> SecondReviewState:
    """Add a message to the recorded conversation of the reviewers."""
    with context.database().alone() as session:
        review, part = _difference_and_part(session, row, who)
        message = _parse({"text": text}, who, part, "message", review, statement_id)
        return _record(session, review, message)


def propose(
    row: AnalysisRow, who: Principal, values: Mapping[str, Any], statement_id: str | None = None
) -> SecondReviewState:
    """Propose a joint conclusion: ``conclusion`` and ``reasons``. A newer proposal replaces it."""
    with context.database().alone() as session:
        review, part = _difference_and_part(session, row, who)
        _refuse_third(part)
        return _record(session, review, _parse(values, who, part, "proposal", review, statement_id))


def accept(
    row: AnalysisRow, who: Principal, proposal: str, statement_id: str | None = None
) -> SecondReviewState:
    """Accept the other reviewer's proposal, which resolves the difference.

    Raises :class:`~webapp.errors.UserError` for one's own proposal, and unless it is the newest.
    """
    with context.database().alone() as session:
        review, part = _difference_and_part(session, row, who)
        _refuse_third(part)
        newest = open_proposal(review.disclosed)
        if newest is None or newest.id != proposal:
            raise UserError(
                409,
                gettext("This is not the newest proposal."),
                gettext("Reload the page and read the newest."),
            )
        if newest.part == part:
            raise UserError(
                409, gettext("The other reviewer has to accept your proposal."), gettext("Wait for them.")
            )
        acceptance = _parse({"about": proposal}, who, part, "acceptance", review, statement_id)
        return _record(session, review, acceptance)


def decide(
    row: AnalysisRow, who: Principal, values: Mapping[str, Any], statement_id: str | None = None
) -> SecondReviewState:
    """Decide a difference as the third reviewer: ``conclusion`` and ``reasons``.

    Raises :class:`~webapp.errors.UserError` for anybody else.
    """
    with context.database().alone() as session:
        review, part = _difference_and_part(session, row, who)
        if part != "third":
            raise UserError(
                403,
                gettext("Only the third reviewer decides."),
                gettext("Propose a joint conclusion instead."),
            )
        return _record(session, review, _parse(values, who, part, "decision", review, statement_id))


def _review_and_part(session: Session, row: AnalysisRow, who: Principal) -> tuple[SecondReviewState, Part]:
    """Return the review and the caller's part in it.

    Raises :class:`UserError` without a review or part, in a closed case, or if the review is full.
    """
    review = reviews.find_review_or_404(session, reload_row(session, row.id))
    access.refuse_closed(session, row.case_id)
    part = review.part_of(who.user_id)
    if part is None:
        raise UserError(
            403, gettext("You are not a reviewer of this case."), gettext("Its page says who is.")
        )
    if len(review.statements) >= MAX_STATEMENTS:
        raise UserError(409, gettext("This review has reached its maximum length."), gettext("Resolve it."))
    return review, part


def _difference_and_part(
    session: Session, row: AnalysisRow, who: Principal
) -> tuple[SecondReviewState, Part]:
    """Like :func:`_review_and_part`, but refuse reviews without an unresolved difference."""
    review, part = _review_and_part(session, row, who)
    disclosed = review.disclosed
    if len(disclosed.given) < 2:
        raise NotReady(gettext("Both judgements must be in first."), gettext("Wait for the other one."))
    if outcome(disclosed) is not None:
        raise UserError(
            409, gettext("There is nothing left to resolve."), gettext("The page says how it ended.")
        )
    return review, part


def _refuse_third(part: Part) -> None:
    if part == "third":
        raise UserError(403, gettext("The third reviewer decides instead."), gettext("Send a decision."))


def _parse(
    values: Mapping[str, Any],
    who: Principal,
    part: Part,
    kind: str,
    review: SecondReviewState,
    statement_id: str | None,
) -> Statement:
    """Build the statement of these values. Raises :class:`UserError` for invalid ones."""
    own = {
        "id": statement_id or secrets.token_hex(16),
        "author": who.display,
        "part": part,
        "made": later_timestamp(review.statements),
        "kind": kind,
    }
    try:
        return parse({**values, **own})
    except SecondReviewError as problem:
        raise UserError(
            400, translated(str(problem)), gettext("Nothing was recorded."), field=problem.field
        ) from None


def _record(session: Session, review: SecondReviewState, statement: Statement) -> SecondReviewState:
    """Add a statement and its entry in the custody log; return the review, read again."""
    row, values = review.row, statement_json(statement)
    session.add(
        ReviewStatement(
            analysis_id=row.id,
            id=statement.id,
            kind=statement.kind,
            part=statement.part,
            made=statement.made,
            body=json.dumps(values, ensure_ascii=False),
        )
    )
    details: dict[str, str | int | None] = {
        "kind": statement.kind,
        "id": statement.id,
        "part": statement.part,
        "case": review.case.id,
        "sha256": checksum([values]),
    }
    match statement:
        case Judgement():  # its conclusion is disclosed with the other judgement
            details["hidden until then"] = statement.hidden
        case Decision():
            details["conclusion"] = statement.conclusion
        case Acceptance():
            details["about"] = statement.about
        case Message() | Proposal():
            pass  # the checksum covers the text
        case _:
            assert_never(statement)
    custody_log.append(session, "second review", details, exhibit=row.exhibit.sha256, analysis=row.id)
    session.flush()
    return reviews.find_review_or_404(session, reload_row(session, row.id))
