"""The second review: judgements given, differences resolved. All of it is recorded.

Who reviews is named in :mod:`webapp.services.review.reviewers`. What the second reviewer does not see until
their judgement is in is decided in :mod:`webapp.security.access.blinding` alone. ``statement_id`` is the id
of what is recorded, if not a new one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, assert_never

from sqlalchemy.orm import Session

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
from reports.text.translation.language import gettext, translated
from webapp import this_app
from webapp.custody import log as custody_log
from webapp.errors import NotReady, UserError
from webapp.queries import second_reviews
from webapp.queries.analyses import still_there
from webapp.queries.second_reviews import Reviewed
from webapp.security.access.permissions import Principal
from webapp.services.case_rules import write_access
from webapp.services.review.times import later_than
from webapp.storage.tables import AnalysisRow, ReviewStatement

MOST_STATEMENTS = 1000  # of one review


def recorded(row: AnalysisRow, statement_id: str) -> Reviewed | None:
    """The review, where this statement is in it already: the request that made it was cut off."""
    with this_app.database().begin() as session:
        found = second_reviews.find_or_404(session, still_there(session, row.id))
        return found if any(each.id == statement_id for each in found.statements) else None


def judge(
    row: AnalysisRow, who: Principal, said: Mapping[str, Any], statement_id: str | None = None
) -> Reviewed:
    """Give one's own judgement: ``conclusion``, ``reasons`` and ``stretches``. It is never changed.

    Raises :class:`~webapp.errors.UserError` for the third reviewer, a second judgement, and stretches that do
    not fit the exhibit.
    """
    with this_app.database().alone() as session:
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


def say(row: AnalysisRow, who: Principal, text: str, statement_id: str | None = None) -> Reviewed:
    """Add to the recorded conversation of both and the third."""
    with this_app.database().alone() as session:
        found, part = _resolving(session, row, who)
        return _keep(session, found, _parsed({"text": text}, who, part, "message", found, statement_id))


def propose(
    row: AnalysisRow, who: Principal, said: Mapping[str, Any], statement_id: str | None = None
) -> Reviewed:
    """Propose a joint conclusion: ``conclusion`` and ``reasons``. A newer proposal replaces it."""
    with this_app.database().alone() as session:
        found, part = _resolving(session, row, who)
        _refuse_third(part)
        return _keep(session, found, _parsed(said, who, part, "proposal", found, statement_id))


def accept(row: AnalysisRow, who: Principal, proposal: str, statement_id: str | None = None) -> Reviewed:
    """Agree with what the other proposes, which resolves the difference.

    Raises :class:`~webapp.errors.UserError` for one's own proposal, and for one that is not the newest.
    """
    with this_app.database().alone() as session:
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
) -> Reviewed:
    """Decide a difference as the third: ``conclusion`` and ``reasons``.

    Raises :class:`~webapp.errors.UserError` for anybody else.
    """
    with this_app.database().alone() as session:
        found, part = _resolving(session, row, who)
        if part != "third":
            raise UserError(
                403,
                gettext("Only the third reviewer decides."),
                gettext("Propose a joint conclusion instead."),
            )
        return _keep(session, found, _parsed(said, who, part, "decision", found, statement_id))


def _taking_part(session: Session, row: AnalysisRow, who: Principal) -> tuple[Reviewed, Part]:
    """The review and one's part in it.

    Raises :class:`UserError` where there is no review, its case is closed, one has no part, or it is full.
    """
    found = second_reviews.find_or_404(session, still_there(session, row.id))
    write_access.refuse_closed(session, row.case_id)
    part = found.part_of(who.user_id)
    if part is None:
        raise UserError(403, gettext("You are no reviewer of this case."), gettext("Its page says who is."))
    if len(found.statements) >= MOST_STATEMENTS:
        raise UserError(409, gettext("This review is as long as it can be."), gettext("Resolve it."))
    return found, part


def _resolving(session: Session, row: AnalysisRow, who: Principal) -> tuple[Reviewed, Part]:
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
    found: Reviewed,
    statement_id: str | None,
    **more: str,
) -> Statement:
    """What somebody says as the statement to be kept; raises :class:`UserError` where it is none."""
    own = {
        "id": statement_id or secrets.token_hex(16),
        "author": who.display,
        "part": part,
        "made": later_than(found.statements),
        "kind": kind,
    }
    try:
        return parse({**said, **own, **more})
    except SecondReviewError as problem:
        raise UserError(
            400, translated(str(problem)), gettext("Nothing was recorded."), field=problem.field
        ) from None


def _keep(session: Session, found: Reviewed, made: Statement) -> Reviewed:
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
    return second_reviews.find_or_404(session, still_there(session, row.id))
