"""Second reviews: that of an analysis as far as somebody may see it, and what waits for somebody."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, cast, get_args

from sqlalchemy import ColumnElement, func, or_, select
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
    open_proposal,
    ordered,
    outcome,
)
from reports.text.translation.language import gettext
from webapp.custody import altered, review_records
from webapp.errors import UserError
from webapp.security.access import permissions
from webapp.security.access.permissions import Permission, Principal
from webapp.storage.reviewed_analyses import loaded, subject, subject_rows, subjects
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseReview, CaseRow, ReviewStatement, User

_of_statement = AnalysisRow.__table__.alias()

PAGE_SIZE = 50
PARTS: tuple[Part, ...] = get_args(Part)
Standing = Literal["awaited", "agreed", "differs", "resolved"]
Task = Literal["judge", "answer", "resolve", "decide"]


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
class Waiting:
    """Something that waits for somebody: what they are to do with which exhibit, and since when."""

    task: Task
    part: Part
    row: AnalysisRow
    case: CaseRow
    since: datetime


@dataclass(frozen=True)
class WaitingPage:
    """One page of what waits for somebody; ``total`` is all of it."""

    rows: tuple[Waiting, ...]
    number: int
    pages: int
    total: int


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


def waiting(session: Session, who: Principal | None) -> list[Waiting]:
    """What waits for somebody, the longest first. Needs nobody's permission: it tells no more than that."""
    return _loaded(session, _tasks(session, who))


def waiting_page(session: Session, who: Principal | None, number: int) -> WaitingPage:
    """A part of the same; numbers past the end give the last page."""
    found = _tasks(session, who)
    pages = max(1, math.ceil(len(found) / PAGE_SIZE))
    number = min(max(number, 1), pages)
    rows = _loaded(session, found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE])
    return WaitingPage(tuple(rows), number, pages, len(found))


def waiting_count(session: Session, who: Principal | None) -> int | None:
    """How much waits for somebody; None where they take part in no review."""
    if who is None or who.user_id is None:
        return None
    if session.scalar(select(CaseReview.case_id).where(_names(who.user_id)).limit(1)) is None:
        return None
    return len(_tasks(session, who))


def in_case(session: Session, case: CaseRow) -> list[InCase]:
    """Where each exhibit of a case stands, by name."""
    rows = subjects(session, [case.id])
    said = _statements(session, [row.id for row in rows])
    found = []
    for row in sorted(rows, key=lambda each: (each.file, each.id)):
        statements = _parsed(said.get(row.id, ()))
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
        statements = _parsed(said)
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


def _names(user_id: int) -> ColumnElement[bool]:
    return or_(
        *(each == user_id for each in (CaseReview.first_id, CaseReview.second_id, CaseReview.third_id))
    )


class _Task(NamedTuple):
    since: datetime
    analysis_id: str
    task: Task
    part: Part
    case_id: int


def _tasks(session: Session, who: Principal | None) -> list[_Task]:
    """What waits for somebody, the longest first.

    The number of them stands on every page: rows are not loaded, and what was said is only read where both
    judgements are in and nobody has ended it.
    """
    if who is None or who.user_id is None:
        return []
    open_cases = select(CaseReview).join(CaseRow, CaseRow.id == CaseReview.case_id)
    open_cases = open_cases.where(_names(who.user_id), CaseRow.closed.is_(None))
    named = {naming.case_id: naming for naming in session.scalars(open_cases)}
    if not named:
        return []
    rows = subject_rows(session, named)
    said = _kinds(session, named)
    both: list[tuple[str, CaseReview, Part]] = []
    found = []
    for row in rows:
        naming = named[row.case_id or 0]
        part = _part(naming, who.user_id)
        kinds = said.get(row.id, set())
        if part != "third" and ("judgement", part) not in kinds:
            since = max(naming.named, row.finished or row.created)
            found.append(_Task(since, row.id, "judge", part, naming.case_id))
        elif {("judgement", "first"), ("judgement", "second")} <= kinds and not _ENDED & {
            kind for kind, _part_of_it in kinds
        }:
            both.append((row.id, naming, part))
    bodies = _statements(session, [analysis_id for analysis_id, *_rest in both])
    for analysis_id, naming, part in both:
        statements = _parsed(bodies.get(analysis_id, ()))
        task = _difference_task(naming, part, statements)
        if task is not None:
            since = max(each.made for each in statements)
            found.append(_Task(since, analysis_id, task, part, naming.case_id))
    return sorted(found)


_ENDED = {"acceptance", "decision"}  # kinds of statements after which nothing waits for anybody


def _loaded(session: Session, tasks: Sequence[_Task]) -> list[Waiting]:
    rows = loaded(session, [each.analysis_id for each in tasks])
    return [
        Waiting(each.task, each.part, row, session.get_one(CaseRow, each.case_id), each.since)
        for each, row in zip(tasks, rows, strict=True)
    ]


def _part(naming: CaseReview, user_id: int) -> Part:
    return "first" if naming.first_id == user_id else "second" if naming.second_id == user_id else "third"


def _difference_task(naming: CaseReview, part: Part, statements: Sequence[Statement]) -> Task | None:
    """What is to be done once both judgements are in."""
    if standing(statements) != "differs":
        return None
    proposal = open_proposal(_as_review(statements))
    if proposal is not None and part != "third" and proposal.part != part:
        return "answer"
    if part == "third":
        return "decide"
    return "resolve" if naming.third_id is None and proposal is None else None


def _kinds(session: Session, cases: Iterable[int]) -> dict[str, set[tuple[str, str]]]:
    """Kind and part of all that was said of analyses of these cases."""
    query = select(ReviewStatement.analysis_id, ReviewStatement.kind, ReviewStatement.part).join(
        AnalysisRow, AnalysisRow.id == ReviewStatement.analysis_id
    )
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for analysis_id, kind, part in session.execute(query.where(AnalysisRow.case_id.in_(list(cases)))):
        found[analysis_id].add((kind, part))
    return dict(found)


def _statements(session: Session, analyses: Sequence[str]) -> dict[str, list[str]]:
    query = select(ReviewStatement.analysis_id, ReviewStatement.body).where(
        ReviewStatement.analysis_id.in_(list(analyses))
    )
    found: dict[str, list[str]] = defaultdict(list)
    for analysis_id, body in session.execute(query):
        found[analysis_id].append(body)
    return dict(found)


def _parsed(bodies: Iterable[str]) -> tuple[Statement, ...]:
    return ordered(STATEMENT.validate_json(body) for body in bodies)


def _pair(statements: Sequence[Statement]) -> tuple[Judgement, Judgement] | None:
    by_part = {e.part: e for e in statements if isinstance(e, Judgement)}
    return (by_part["first"], by_part["second"]) if len(by_part) == 2 else None


def _outcome(statements: Sequence[Statement]) -> ReviewOutcome | None:
    return outcome(_as_review(statements))


def _as_review(statements: Sequence[Statement]) -> SecondReview:
    """Statements alone as a review: who is named in it does not matter."""
    return SecondReview.model_construct(statements=tuple(statements))
