"""Read second reviews: one, those of a case, and those that wait for a reviewer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, cast, get_args

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from reports.language.translation import gettext
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
from webapp.accounts import permissions
from webapp.accounts.permissions import Permission, Principal
from webapp.custody import job_records, people_records
from webapp.errors import UserError
from webapp.storage.second_reviews import (
    analyses_under_review,
    analysis_under_review,
    load_analyses,
    review_subjects,
)
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseReview, CaseRow, ReviewStatement, User

_of_statement = AnalysisRow.__table__.alias()

PARTS: tuple[Part, ...] = get_args(Part)
Standing = Literal["awaited", "agreed", "differs", "resolved"]


@dataclass(frozen=True)
class SecondReviewState:
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
class ReviewInCase:
    """Where the second review of one exhibit of a case stands."""

    row: AnalysisRow
    standing: Standing
    given: tuple[str, ...]
    result: ReviewOutcome | None


@dataclass(frozen=True)
class JudgedReview:
    """The judgements of a review that has both, and where it stands.

    ``alone`` is whether the first could not read what the second had annotated, as earlier versions let them.
    """

    first: Judgement
    second: Judgement
    standing: Standing
    alone: bool


def find_review(session: Session, row: AnalysisRow) -> SecondReviewState | None:
    """The second review of an analysis; None where its case names no reviewers, or another one is reviewed.

    Raises :class:`~webapp.custody.job_records.AlteredRecord` where it is not that of the custody log.
    """

    def read() -> tuple[CaseReview | None, Sequence[ReviewStatement]]:
        case = row.case_id
        naming = None if case is None else session.get(CaseReview, case, populate_existing=True)
        said = session.scalars(select(ReviewStatement).where(ReviewStatement.analysis_id == row.id)).all()
        people_records.refuse_altered_review(session, row.id, said, case, naming)
        return naming, said

    naming, said = job_records.read_consistently(session, row.id, read)
    reviewed = None if naming is None else analysis_under_review(session, naming.case_id, row.exhibit_id)
    if naming is None or reviewed is None or reviewed.id != row.id:
        return None
    statements = ordered(STATEMENT.validate_json(each.body) for each in said)
    case = session.get_one(CaseRow, naming.case_id)
    return SecondReviewState(row, case, naming, reviewers_by_part(session, naming), statements)


def find_review_or_404(session: Session, row: AnalysisRow) -> SecondReviewState:
    """The second review of an analysis's exhibit in its case, or a 404 page.

    It may be that of another analysis (:attr:`Reviewed.row`): what is reviewed is the exhibit, which may have
    been analysed again since somebody opened the review.
    """
    reviewed = None if row.case_id is None else analysis_under_review(session, row.case_id, row.exhibit_id)
    found = None if reviewed is None else find_review(session, reviewed)
    if found is not None:
        return found
    if row.case_id is not None and session.get(CaseReview, row.case_id) is not None:
        raise UserError(
            404,
            gettext("The second review of this exhibit has not begun."),
            gettext("It begins when an analysis of it is done."),
        )
    who = permissions.current_or_none()
    raise UserError(
        404,
        gettext("There is no second review of this analysis."),
        gettext("Name a first and a second reviewer on the page of its case.")
        if who is not None and who.may(Permission.ARRANGE)
        else gettext("Whoever may arrange cases can name reviewers."),
    )


def reviewers_by_part(session: Session, naming: CaseReview) -> dict[Part, User]:
    """Who takes part, by part."""
    ids = zip(PARTS, (naming.first_id, naming.second_id, naming.third_id), strict=True)
    return {part: session.get_one(User, user_id) for part, user_id in ids if user_id is not None}


def reviews_in_case(session: Session, case: CaseRow) -> list[ReviewInCase]:
    """Where each exhibit of a case stands, by name."""
    rows = analyses_under_review(session, [case.id])
    said = statements_by_analysis(session, [row.id for row in rows])
    found = []
    for row in sorted(rows, key=lambda each: (each.file, each.id)):
        statements = parse_statements(said.get(row.id, ()))
        given = tuple(e.part for e in statements if isinstance(e, Judgement))
        result = _outcome(statements)
        found.append(ReviewInCase(row, standing_of(statements), given, result))
    return found


def count_open_reviews(session: Session, case: CaseRow) -> int:
    """How many second reviews of a case are not finished."""
    if session.get(CaseReview, case.id) is None:
        return 0
    return sum(each.standing in ("awaited", "differs") for each in reviews_in_case(session, case))


def judged_reviews(session: Session) -> list[JudgedReview]:
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
        statements = parse_statements(said)
        if (pair := _pair(statements)) is not None:
            first, second = pair
            since = annotated.get((case_id, exhibit_id, second.author))
            alone = since is None or since >= first.made
            found.append(JudgedReview(first, second, standing_of(statements), alone))
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


def standing_of(statements: Sequence[Statement]) -> Standing:
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


def parse_statements(bodies: Iterable[str]) -> tuple[Statement, ...]:
    """The statements that this JSON holds, in order of time."""
    return ordered(STATEMENT.validate_json(body) for body in bodies)


def _pair(statements: Sequence[Statement]) -> tuple[Judgement, Judgement] | None:
    by_part = {e.part: e for e in statements if isinstance(e, Judgement)}
    return (by_part["first"], by_part["second"]) if len(by_part) == 2 else None


def _outcome(statements: Sequence[Statement]) -> ReviewOutcome | None:
    return outcome(review_of_statements(statements))


def review_of_statements(statements: Sequence[Statement]) -> SecondReview:
    """Statements alone as a review: who is named in it does not matter."""
    return SecondReview.model_construct(statements=tuple(statements))


PAGE_SIZE = 50
Task = Literal["judge", "answer", "resolve", "decide"]
_BOTH = {("judgement", "first"), ("judgement", "second")}
_ENDED = {"acceptance", "decision"}  # kinds of statements after which nothing waits for anybody


@dataclass(frozen=True)
class ReviewTask:
    """Something that waits for somebody: what they are to do with which exhibit, and since when."""

    task: Task
    part: Part
    row: AnalysisRow
    case: CaseRow
    since: datetime


@dataclass(frozen=True)
class ReviewTaskPage:
    """One page of what waits for somebody; ``total`` is all of it."""

    rows: tuple[ReviewTask, ...]
    number: int
    pages: int
    total: int


def review_tasks(session: Session, who: Principal | None) -> list[ReviewTask]:
    """What waits for somebody, the longest first. Needs nobody's permission: it tells no more than that."""
    return _loaded(session, _tasks(session, who))


def review_task_page(session: Session, who: Principal | None, number: int) -> ReviewTaskPage:
    """A part of the same; numbers past the end give the last page."""
    found = _tasks(session, who)
    pages = max(1, math.ceil(len(found) / PAGE_SIZE))
    number = min(max(number, 1), pages)
    rows = _loaded(session, found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE])
    return ReviewTaskPage(tuple(rows), number, pages, len(found))


def count_review_tasks(session: Session, who: Principal | None) -> int | None:
    """How much waits for somebody; None where they take part in no review."""
    if who is None or who.user_id is None:
        return None
    if session.scalar(select(CaseReview.case_id).where(_takes_part(who.user_id)).limit(1)) is None:
        return None
    return len(_tasks(session, who))


def _takes_part(user_id: int) -> ColumnElement[bool]:
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
    open_cases = open_cases.where(_takes_part(who.user_id), CaseRow.closed.is_(None))
    named = {naming.case_id: naming for naming in session.scalars(open_cases)}
    if not named:
        return []
    rows = review_subjects(session, named)
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
        elif kinds >= _BOTH and _ENDED.isdisjoint(kind for kind, _of_part in kinds):
            both.append((row.id, naming, part))
    return sorted([*found, *_after_judgements(session, both)])


def _after_judgements(session: Session, both: Sequence[tuple[str, CaseReview, Part]]) -> Iterator[_Task]:
    """What waits in reviews, by id of their analysis, that have both judgements and have not ended."""
    bodies = statements_by_analysis(session, [analysis_id for analysis_id, *_rest in both])
    for analysis_id, naming, part in both:
        statements = parse_statements(bodies.get(analysis_id, ()))
        task = _difference_task(naming, part, statements)
        if task is not None:
            since = max(each.made for each in statements)
            yield _Task(since, analysis_id, task, part, naming.case_id)


def _loaded(session: Session, tasks: Sequence[_Task]) -> list[ReviewTask]:
    rows = load_analyses(session, [each.analysis_id for each in tasks])
    return [
        ReviewTask(each.task, each.part, row, session.get_one(CaseRow, each.case_id), each.since)
        for each, row in zip(tasks, rows, strict=True)
    ]


def _part(naming: CaseReview, user_id: int) -> Part:
    return "first" if naming.first_id == user_id else "second" if naming.second_id == user_id else "third"


def _difference_task(naming: CaseReview, part: Part, statements: Sequence[Statement]) -> Task | None:
    """What is to be done once both judgements are in."""
    if standing_of(statements) != "differs":
        return None
    proposal = open_proposal(review_of_statements(statements))
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
