"""The second review: record judgements and resolve differences."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, assert_never

from sqlalchemy.orm import Session

from reports.language.translation import gettext, translated
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
from webapp.analyses.queries import reload_row
from webapp.cases import access
from webapp.custody import custody_log
from webapp.errors import NotReady, UserError
from webapp.review import queries
from webapp.review.annotations import later_timestamp
from webapp.review.queries import SecondReviewState
from webapp.storage.tables import AnalysisRow, ReviewStatement

MAX_STATEMENTS = 1000  # of one review


def find_recorded(row: AnalysisRow, statement_id: str) -> SecondReviewState | None:
    """The review, where this statement is in it already: the request that made it was cut off."""
    with context.database().begin() as session:
        found = queries.find_review_or_404(session, reload_row(session, row.id))
        return found if any(each.id == statement_id for each in found.statements) else None


def judge(
    row: AnalysisRow, who: Principal, said: Mapping[str, Any], statement_id: str | None = None
) -> SecondReviewState:
    """Give one's own judgement: ``conclusion``, ``reasons`` and ``stretches``. It is never changed.

    Raises :class:`~webapp.errors.UserError` for the third reviewer, a second judgement, and stretches that do
    not fit the exhibit.
    """
    with context.database().alone() as session:
        found, part = _taking_part(session, row, who)
        if part == "third":
            raise UserError(
                403,
                gettext("The third reviewer decides differences only."),
                gettext("Wait for both judgements."),
            )
        if found.own_judgement(part) is not None:
            raise UserError(
                409,
                gettext("Your judgement is in already, and stays as it is."),
                gettext("Say more below it."),
            )
        hidden = {"hidden": found.naming.blind} if part == "second" else {}
        made = _parsed(said, who, part, "judgement", found, statement_id, **hidden)
        assert isinstance(made, Judgement)
        length = found.row.duration or 0.0
        if made.stretches and not length:
            raise UserError(
                400, gettext("A photograph has no stretches of time."), gettext("Leave them out.")
            )
        for number, each in enumerate(made.stretches, start=1):
            if each.end > length + 1:
                raise UserError(
                    400,
                    gettext("A stretch ends after the exhibit does."),
                    gettext("Correct its end."),
                    field=f"end-{number}",
                )
        return _keep(session, found, made)


def say(row: AnalysisRow, who: Principal, text: str, statement_id: str | None = None) -> SecondReviewState:
    """Add to the recorded conversation of both and the third."""
    with context.database().alone() as session:
        found, part = _resolving(session, row, who)
        return _keep(session, found, _parsed({"text": text}, who, part, "message", found, statement_id))


def propose(
    row: AnalysisRow, who: Principal, said: Mapping[str, Any], statement_id: str | None = None
) -> SecondReviewState:
    """Propose a joint conclusion: ``conclusion`` and ``reasons``. A newer proposal replaces it."""
    with context.database().alone() as session:
        found, part = _resolving(session, row, who)
        _refuse_third(part)
        return _keep(session, found, _parsed(said, who, part, "proposal", found, statement_id))


def accept(
    row: AnalysisRow, who: Principal, proposal: str, statement_id: str | None = None
) -> SecondReviewState:
    """Agree with what the other proposes, which resolves the difference.

    Raises :class:`~webapp.errors.UserError` for one's own proposal, and for one that is not the newest.
    """
    with context.database().alone() as session:
        found, part = _resolving(session, row, who)
        _refuse_third(part)
        offered = open_proposal(found.disclosed)
        if offered is None or offered.id != proposal:
            raise UserError(
                409,
                gettext("This is not the newest proposal."),
                gettext("Reload the page and read the newest."),
            )
        if offered.part == part:
            raise UserError(
                409, gettext("The other reviewer has to accept your proposal."), gettext("Wait for them.")
            )
        return _keep(
            session, found, _parsed({"about": proposal}, who, part, "acceptance", found, statement_id)
        )


def decide(
    row: AnalysisRow, who: Principal, said: Mapping[str, Any], statement_id: str | None = None
) -> SecondReviewState:
    """Decide a difference as the third: ``conclusion`` and ``reasons``.

    Raises :class:`~webapp.errors.UserError` for anybody else.
    """
    with context.database().alone() as session:
        found, part = _resolving(session, row, who)
        if part != "third":
            raise UserError(
                403,
                gettext("Only the third reviewer decides."),
                gettext("Propose a joint conclusion instead."),
            )
        return _keep(session, found, _parsed(said, who, part, "decision", found, statement_id))


def _taking_part(session: Session, row: AnalysisRow, who: Principal) -> tuple[SecondReviewState, Part]:
    """The review and one's part in it.

    Raises :class:`UserError` where there is no review, its case is closed, one has no part, or it is full.
    """
    found = queries.find_review_or_404(session, reload_row(session, row.id))
    access.refuse_closed(session, row.case_id)
    part = found.part_of(who.user_id)
    if part is None:
        raise UserError(403, gettext("You are no reviewer of this case."), gettext("Its page says who is."))
    if len(found.statements) >= MAX_STATEMENTS:
        raise UserError(409, gettext("This review is as long as it can be."), gettext("Resolve it."))
    return found, part


def _resolving(session: Session, row: AnalysisRow, who: Principal) -> tuple[SecondReviewState, Part]:
    """The review and one's part in it, where there is a difference to be resolved."""
    found, part = _taking_part(session, row, who)
    review = found.disclosed
    if len(review.given) < 2:
        raise NotReady(gettext("Both judgements must be in first."), gettext("Wait for the other one."))
    if outcome(review) is not None:
        raise UserError(
            409, gettext("There is nothing left to resolve."), gettext("The page says how it ended.")
        )
    return found, part


def _refuse_third(part: Part) -> None:
    if part == "third":
        raise UserError(403, gettext("The third reviewer decides instead."), gettext("Send a decision."))


def _parsed(
    said: Mapping[str, Any],
    who: Principal,
    part: Part,
    kind: str,
    found: SecondReviewState,
    statement_id: str | None,
    **more: str,
) -> Statement:
    """What somebody says as the statement to be kept; raises :class:`UserError` where it is none."""
    own = {
        "id": statement_id or secrets.token_hex(16),
        "author": who.display,
        "part": part,
        "made": later_timestamp(found.statements),
        "kind": kind,
    }
    try:
        return parse({**said, **own, **more})
    except SecondReviewError as problem:
        raise UserError(
            400, translated(str(problem)), gettext("Nothing was recorded."), field=problem.field
        ) from None


def _keep(session: Session, found: SecondReviewState, made: Statement) -> SecondReviewState:
    """Add a statement and its entry in the custody log; the review as it is then, read anew."""
    values = statement_json(made)
    session.add(
        ReviewStatement(
            analysis_id=found.row.id,
            id=made.id,
            kind=made.kind,
            part=made.part,
            made=made.made,
            body=json.dumps(values, ensure_ascii=False),
        )
    )
    details: dict[str, str | int | None] = {
        "kind": made.kind,
        "id": made.id,
        "part": made.part,
        "case": found.case.id,
        "sha256": checksum([values]),
    }
    match made:
        case Judgement():  # what it says is disclosed with the other one
            details["hidden until then"] = made.hidden
        case Decision():
            details["conclusion"] = made.conclusion
        case Acceptance():
            details["about"] = made.about
        case Message() | Proposal():
            pass  # its words are in its checksum
        case _:
            assert_never(made)
    row = found.row
    custody_log.append(session, "second review", details, exhibit=row.exhibit.sha256, analysis=row.id)
    session.flush()
    return queries.find_review_or_404(session, reload_row(session, row.id))
