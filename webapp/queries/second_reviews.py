"""Second reviews: that of an analysis, and where those of a case, or all of them, stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reports.review.second_review import (
    STATEMENT,
    Hidden,
    Judgement,
    Part,
    ReviewOutcome,
    SecondReview,
    Statement,
    differences,
    judgement_of,
    ordered,
    outcome,
)
from reports.text.translation.language import gettext
from webapp.custody import altered
from webapp.custody.records import review_records
from webapp.errors import UserError
from webapp.security.access import permissions
from webapp.security.access.permissions import Permission
from webapp.storage.reviewed_analyses import subject, subjects
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseReview, CaseRow, ReviewStatement, User

_of_statement = AnalysisRow.__table__.alias()

PARTS: tuple[Part, ...] = get_args(Part)
Standing = Literal["awaited", "agreed", "differs", "resolved"]


@dataclass(frozen=True)
class Reviewed:
    """The second review of an analysis: who makes it, and all that was said, disclosed or not."""

    row: AnalysisRow
    case: CaseRow
    naming: CaseReview
    people: Mapping[Part, User]
    statements: tuple[Statement, ...]

    def part_of(self, user_id: int | None) -> Part | None:
        """As what somebody takes part, if they do."""
        return next((part for part, user in self.people.items() if user.id == user_id), None)

    def own_judgement(self, part: Part | None) -> Judgement | None:
        """The judgement of the first or second, disclosed or not."""
        return judgement_of(self.statements, part)

    @property
    def disclosed(self) -> SecondReview:
        """What anybody who sees the analysis may know: judgements together, once both are in."""
        given = tuple(e.part for e in self.statements if isinstance(e, Judgement))
        third = self.people.get("third")
        return SecondReview(
            analysis=self.row.id,
            exhibit_sha256=self.row.exhibit.sha256,
            first=self.people["first"].display,
            second=self.people["second"].display,
            third=third.display if third else None,
            blind=cast(Hidden, self.naming.blind),
            named=self.naming.named,
            given=tuple(part for part in ("first", "second") if part in given),
            statements=self.statements if len(given) == 2 else (),
        )


@dataclass(frozen=True)
class InCase:
    """Where the second review of one exhibit of a case stands."""

    row: AnalysisRow
    standing: Standing
    given: tuple[str, ...]
    result: ReviewOutcome | None


@dataclass(frozen=True)
class BothJudged:
    """The judgements of a review that has both, and where it stands.

    ``alone`` is whether the first could not read what the second had annotated, as earlier versions let them.
    """

    first: Judgement
    second: Judgement
    standing: Standing
    alone: bool


def find(session: Session, row: AnalysisRow) -> Reviewed | None:
    """The second review of an analysis; None where its case names no reviewers, or another one is reviewed.

    Raises :class:`~webapp.custody.altered.AlteredRecord` where it is not that of the custody log.
    """

    def read() -> tuple[CaseReview | None, Sequence[ReviewStatement]]:
        case = row.case_id
        naming = None if case is None else session.get(CaseReview, case, populate_existing=True)
        said = session.scalars(select(ReviewStatement).where(ReviewStatement.analysis_id == row.id)).all()
        review_records.refuse_altered_review(session, row.id, said, case, naming)
        return naming, said

    naming, said = altered.compared(session, row.id, read)
    reviewed = None if naming is None else subject(session, naming.case_id, row.exhibit_id)
    if naming is None or reviewed is None or reviewed.id != row.id:
        return None
    statements = ordered(STATEMENT.validate_json(each.body) for each in said)
    case = session.get_one(CaseRow, naming.case_id)
    return Reviewed(row, case, naming, reviewers(session, naming), statements)


def find_or_404(session: Session, row: AnalysisRow) -> Reviewed:
    """The second review of an analysis's exhibit in its case, or a 404 page.

    It may be that of another analysis (:attr:`Reviewed.row`): what is reviewed is the exhibit, which may have
    been analysed again since somebody opened the review.
    """
    reviewed = None if row.case_id is None else subject(session, row.case_id, row.exhibit_id)
    found = None if reviewed is None else find(session, reviewed)
    if found is not None:
        return found
    if row.case_id is not None and session.get(CaseReview, row.case_id) is not None:
        raise UserError(
            404,
            gettext("The second review of this exhibit has not begun."),
            gettext("It begins when an analysis of it is done."),
        )
    who = permissions.somebody()
    raise UserError(
        404,
        gettext("There is no second review of this analysis."),
        gettext("Name a first and a second reviewer on the page of its case.")
        if who is not None and who.may(Permission.ARRANGE)
        else gettext("Whoever may arrange cases can name reviewers."),
    )


def reviewers(session: Session, naming: CaseReview) -> dict[Part, User]:
    """Who takes part, by part."""
    ids = zip(PARTS, (naming.first_id, naming.second_id, naming.third_id), strict=True)
    return {part: session.get_one(User, user_id) for part, user_id in ids if user_id is not None}


def in_case(session: Session, case: CaseRow) -> list[InCase]:
    """Where each exhibit of a case stands, by name."""
    rows = subjects(session, [case.id])
    said = statements_by_analysis(session, [row.id for row in rows])
    found = []
    for row in sorted(rows, key=lambda each: (each.file, each.id)):
        statements = parsed(said.get(row.id, ()))
        given = tuple(e.part for e in statements if isinstance(e, Judgement))
        result = _outcome(statements)
        found.append(InCase(row, standing(statements), given, result))
    return found


def open_in(session: Session, case: CaseRow) -> int:
    """How many second reviews of a case are not finished."""
    if session.get(CaseReview, case.id) is None:
        return 0
    return sum(each.standing in ("awaited", "differs") for each in in_case(session, case))


def both_in(session: Session) -> list[BothJudged]:
    """All reviews with both judgements; ``session`` is narrowed to what who asks may see."""
    query = select(
        ReviewStatement.analysis_id, AnalysisRow.case_id, AnalysisRow.exhibit_id, ReviewStatement.body
    ).join(AnalysisRow, AnalysisRow.id == ReviewStatement.analysis_id)
    bodies: dict[tuple[str, int | None, int], list[str]] = defaultdict(list)
    for analysis_id, case_id, exhibit_id, body in session.execute(query):
        bodies[analysis_id, case_id, exhibit_id].append(body)
    annotated = _annotated(session) if bodies else {}
    found = []
    for (_, case_id, exhibit_id), said in bodies.items():
        statements = parsed(said)
        if (pair := _pair(statements)) is not None:
            first, second = pair
            since = annotated.get((case_id, exhibit_id, second.author))
            alone = since is None or since >= first.made
            found.append(BothJudged(first, second, standing(statements), alone))
    return found


def _annotated(session: Session) -> dict[tuple[int | None, int, str], datetime]:
    """Since when each author has annotated an exhibit that is reviewed, in any analysis of it in a case."""
    reviewed = select(_of_statement.c.exhibit_id).where(_of_statement.c.id == ReviewStatement.analysis_id)
    whose = AnalysisRow.case_id, AnalysisRow.exhibit_id, AnnotationRow.author
    query = (
        select(*whose, func.min(AnnotationRow.made))
        .join(AnalysisRow, AnalysisRow.id == AnnotationRow.analysis_id)
        .where(AnalysisRow.exhibit_id.in_(reviewed))
        .group_by(*whose)
    )
    return {
        (case_id, exhibit_id, author): since for case_id, exhibit_id, author, since in session.execute(query)
    }


def standing(statements: Sequence[Statement]) -> Standing:
    """Where a review stands, by all that was said in it."""
    pair = _pair(statements)
    if pair is None:
        return "awaited"
    if not differences(*pair):
        return "agreed"
    return "resolved" if _outcome(statements) else "differs"


def statements_by_analysis(session: Session, analyses: Sequence[str]) -> dict[str, list[str]]:
    """By id of these analyses, the JSON of all that was said; nothing of one of which nothing was."""
    query = select(ReviewStatement.analysis_id, ReviewStatement.body).where(
        ReviewStatement.analysis_id.in_(list(analyses))
    )
    found: dict[str, list[str]] = defaultdict(list)
    for analysis_id, body in session.execute(query):
        found[analysis_id].append(body)
    return dict(found)


def parsed(bodies: Iterable[str]) -> tuple[Statement, ...]:
    """The statements that this JSON holds, in order of time."""
    return ordered(STATEMENT.validate_json(body) for body in bodies)


def _pair(statements: Sequence[Statement]) -> tuple[Judgement, Judgement] | None:
    by_part = {e.part: e for e in statements if isinstance(e, Judgement)}
    return (by_part["first"], by_part["second"]) if len(by_part) == 2 else None


def _outcome(statements: Sequence[Statement]) -> ReviewOutcome | None:
    return outcome(as_review(statements))


def as_review(statements: Sequence[Statement]) -> SecondReview:
    """Statements alone as a review: who is named in it does not matter."""
    return SecondReview.model_construct(statements=tuple(statements))
