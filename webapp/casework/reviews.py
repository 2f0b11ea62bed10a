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

from language.translation import gettext
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
    """The second review of an analysis with all statements, disclosed or not."""

    row: AnalysisRow
    case: CaseRow
    naming: CaseReview
    people: Mapping[Part, User]
    statements: tuple[Statement, ...]

    def part_of(self, user_id: int | None) -> Part | None:
        """Return the part of an account in the review, if it has one."""
        return next((part for part, user in self.people.items() if user.id == user_id), None)

    def own_judgement(self, part: Part | None) -> Judgement | None:
        """Return the judgement of a part, disclosed or not."""
        return judgement_of(self.statements, part)

    @property
    def disclosed(self) -> SecondReview:
        """The part disclosed to everybody who sees the analysis: both judgements, once both are in."""
        given = tuple(entry.part for entry in self.statements if isinstance(entry, Judgement))
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

    def is_activity_hidden(self, user_id: int | None) -> bool:
        """Tell whether an account is the second reviewer, has yet to judge, and is not to know who has."""
        return self.part_of(user_id) == "second" and self.own_judgement("second") is None

    def disclosed_to(self, user_id: int | None) -> SecondReview:
        """The part disclosed to an account."""
        hides = self.is_activity_hidden(user_id)
        return self.disclosed.model_copy(update={"given": ()}) if hides else self.disclosed


@dataclass(frozen=True)
class ReviewInCase:
    """The state of the second review of one exhibit of a case."""

    row: AnalysisRow
    standing: Standing
    given: tuple[str, ...] | None  # None: hidden from the second reviewer, who has yet to judge
    result: ReviewOutcome | None


@dataclass(frozen=True)
class JudgedReview:
    """A review with both judgements.

    ``alone`` is False if the first could read annotations of the second, as earlier versions allowed.
    """

    first: Judgement
    second: Judgement
    standing: Standing
    alone: bool


def find_review(session: Session, row: AnalysisRow) -> SecondReviewState | None:
    """Find the second review of an analysis; None if another analysis, or none, is under review in its case.

    Raises :class:`~webapp.custody.job_records.AlteredRecord` if it differs from the custody log.
    """

    def read() -> tuple[CaseReview | None, Sequence[ReviewStatement]]:
        case = row.case_id
        naming = None if case is None else session.get(CaseReview, case, populate_existing=True)
        rows = session.scalars(select(ReviewStatement).where(ReviewStatement.analysis_id == row.id)).all()
        people_records.refuse_altered_review(session, row.id, rows, case, naming)
        return naming, rows

    naming, rows = job_records.read_consistently(session, row.id, read)
    reviewed = None if naming is None else analysis_under_review(session, naming.case_id, row.exhibit_id)
    if naming is None or reviewed is None or reviewed.id != row.id:
        return None
    case = session.get_one(CaseRow, naming.case_id)
    statements = parse_statements(statement.body for statement in rows)
    return SecondReviewState(row, case, naming, reviewers_by_part(session, naming), statements)


def find_review_or_404(session: Session, row: AnalysisRow) -> SecondReviewState:
    """Find the second review of an analysis's exhibit in its case; raise a 404 error if there is none.

    It may be that of another analysis (:attr:`SecondReviewState.row`), because the exhibit may have been
    analysed again since somebody opened the review.
    """
    reviewed = None if row.case_id is None else analysis_under_review(session, row.case_id, row.exhibit_id)
    review = None if reviewed is None else find_review(session, reviewed)
    if review is not None:
        return review
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
        else gettext("Users who may arrange cases can name reviewers."),
    )


def reviewers_by_part(session: Session, naming: CaseReview) -> dict[Part, User]:
    """Return the reviewers of a case by part."""
    ids = zip(PARTS, (naming.first_id, naming.second_id, naming.third_id), strict=True)
    return {part: session.get_one(User, user_id) for part, user_id in ids if user_id is not None}


def reviews_in_case(session: Session, case: CaseRow, *, as_second: bool = False) -> list[ReviewInCase]:
    """Return the state of each second review of a case, by file name, as its second reviewer may know it."""
    rows = analyses_under_review(session, [case.id])
    bodies = statements_by_analysis(session, [row.id for row in rows])
    reviews = []
    for row in sorted(rows, key=lambda row: (row.file, row.id)):
        statements = parse_statements(bodies.get(row.id, ()))
        given = tuple(entry.part for entry in statements if isinstance(entry, Judgement))
        known = None if as_second and "second" not in given else given
        reviews.append(ReviewInCase(row, standing_of(statements), known, _outcome(statements)))
    return reviews


def count_open_reviews(session: Session, case: CaseRow) -> int:
    """Count the unfinished second reviews of a case."""
    if session.get(CaseReview, case.id) is None:
        return 0
    return sum(review.standing in ("awaited", "differs") for review in reviews_in_case(session, case))


def judged_reviews(session: Session) -> list[JudgedReview]:
    """Load reviews with both judgements; ``session`` comes from :mod:`webapp.accounts.visibility`."""
    query = select(
        ReviewStatement.analysis_id, AnalysisRow.case_id, AnalysisRow.exhibit_id, ReviewStatement.body
    ).join(AnalysisRow, AnalysisRow.id == ReviewStatement.analysis_id)
    bodies: dict[tuple[str, int | None, int], list[str]] = defaultdict(list)
    for analysis_id, case_id, exhibit_id, body in session.execute(query):
        bodies[analysis_id, case_id, exhibit_id].append(body)
    annotated = _first_annotations(session) if bodies else {}
    reviews = []
    for (_, case_id, exhibit_id), of_analysis in bodies.items():
        statements = parse_statements(of_analysis)
        if (pair := _pair(statements)) is not None:
            first, second = pair
            since = annotated.get((case_id, exhibit_id, second.author))
            alone = since is None or since >= first.made
            reviews.append(JudgedReview(first, second, standing_of(statements), alone))
    return reviews


def _first_annotations(session: Session) -> dict[tuple[int | None, int, str], datetime]:
    """Return the time of each author's first annotation of a reviewed exhibit, by case and exhibit."""
    reviewed = select(_of_statement.c.exhibit_id).where(_of_statement.c.id == ReviewStatement.analysis_id)
    keys = AnalysisRow.case_id, AnalysisRow.exhibit_id, AnnotationRow.author
    query = (
        select(*keys, func.min(AnnotationRow.made))
        .join(AnalysisRow, AnalysisRow.id == AnnotationRow.analysis_id)
        .where(AnalysisRow.exhibit_id.in_(reviewed))
        .group_by(*keys)
    )
    return {
        (case_id, exhibit_id, author): since for case_id, exhibit_id, author, since in session.execute(query)
    }


def standing_of(statements: Sequence[Statement]) -> Standing:
    """Derive the state of a review from its statements."""
    pair = _pair(statements)
    if pair is None:
        return "awaited"
    if not differences(*pair):
        return "agreed"
    return "resolved" if _outcome(statements) else "differs"


def statements_by_analysis(session: Session, analyses: Sequence[str]) -> dict[str, list[str]]:
    """Return the JSON of all statements by analysis; analyses without any are left out."""
    query = select(ReviewStatement.analysis_id, ReviewStatement.body).where(
        ReviewStatement.analysis_id.in_(list(analyses))
    )
    bodies: dict[str, list[str]] = defaultdict(list)
    for analysis_id, body in session.execute(query):
        bodies[analysis_id].append(body)
    return dict(bodies)


def parse_statements(bodies: Iterable[str]) -> tuple[Statement, ...]:
    """Parse statements and put them in order of time."""
    return ordered(STATEMENT.validate_json(body) for body in bodies)


def _pair(statements: Sequence[Statement]) -> tuple[Judgement, Judgement] | None:
    by_part = {entry.part: entry for entry in statements if isinstance(entry, Judgement)}
    return (by_part["first"], by_part["second"]) if len(by_part) == 2 else None


def _outcome(statements: Sequence[Statement]) -> ReviewOutcome | None:
    return outcome(review_of_statements(statements))


def review_of_statements(statements: Sequence[Statement]) -> SecondReview:
    """Wrap statements in a review without names."""
    return SecondReview.model_construct(statements=tuple(statements))


PAGE_SIZE = 50
Task = Literal["judge", "answer", "resolve", "decide"]
_BOTH = {("judgement", "first"), ("judgement", "second")}
_FINAL = {"acceptance", "decision"}  # kinds of statements that end a review


@dataclass(frozen=True)
class ReviewTask:
    """A task for a reviewer: what to do with which exhibit, and since when."""

    task: Task
    part: Part
    row: AnalysisRow
    case: CaseRow
    since: datetime


@dataclass(frozen=True)
class ReviewTaskPage:
    """One page of the tasks of a reviewer; ``total`` counts all."""

    rows: tuple[ReviewTask, ...]
    number: int
    pages: int
    total: int


def review_tasks(session: Session, who: Principal | None) -> list[ReviewTask]:
    """Load the tasks of a reviewer, the longest waiting first. Needs no permission: they are their own."""
    return _load(session, _tasks(session, who))


def review_task_page(session: Session, who: Principal | None, number: int) -> ReviewTaskPage:
    """Load a page of the tasks; numbers past the end give the last page."""
    tasks = _tasks(session, who)
    pages = max(1, math.ceil(len(tasks) / PAGE_SIZE))
    number = min(max(number, 1), pages)
    rows = _load(session, tasks[(number - 1) * PAGE_SIZE : number * PAGE_SIZE])
    return ReviewTaskPage(tuple(rows), number, pages, len(tasks))


def count_review_tasks(session: Session, who: Principal | None) -> int | None:
    """Count the tasks of an account; None if it reviews nothing."""
    if who is None or who.user_id is None:
        return None
    if session.scalar(select(CaseReview.case_id).where(_takes_part(who.user_id)).limit(1)) is None:
        return None
    return len(_tasks(session, who))


def _takes_part(user_id: int) -> ColumnElement[bool]:
    parts = (CaseReview.first_id, CaseReview.second_id, CaseReview.third_id)
    return or_(*(part == user_id for part in parts))


class _Task(NamedTuple):
    since: datetime
    analysis_id: str
    task: Task
    part: Part
    case_id: int


def _tasks(session: Session, who: Principal | None) -> list[_Task]:
    """Find the tasks of a reviewer, the longest waiting first.

    Every page shows their number, so rows are not loaded, and statements are read only for unfinished reviews
    with both judgements.
    """
    if who is None or who.user_id is None:
        return []
    open_cases = select(CaseReview).join(CaseRow, CaseRow.id == CaseReview.case_id)
    open_cases = open_cases.where(_takes_part(who.user_id), CaseRow.closed.is_(None))
    namings = {naming.case_id: naming for naming in session.scalars(open_cases)}
    if not namings:
        return []
    kinds_by_analysis = _statement_kinds(session, namings)
    judged: list[tuple[str, CaseReview, Part]] = []
    tasks = []
    for row in review_subjects(session, namings):
        naming = namings[row.case_id or 0]
        part = _part(naming, who.user_id)
        kinds = kinds_by_analysis.get(row.id, set())
        if part != "third" and ("judgement", part) not in kinds:
            since = max(naming.named, row.finished or row.created)
            tasks.append(_Task(since, row.id, "judge", part, naming.case_id))
        elif kinds >= _BOTH and _FINAL.isdisjoint(kind for kind, _of_part in kinds):
            judged.append((row.id, naming, part))
    return sorted([*tasks, *_difference_tasks(session, judged)])


def _difference_tasks(session: Session, judged: Sequence[tuple[str, CaseReview, Part]]) -> Iterator[_Task]:
    """Yield the tasks in unfinished reviews with both judgements, given by the id of their analysis."""
    bodies = statements_by_analysis(session, [analysis_id for analysis_id, *_rest in judged])
    for analysis_id, naming, part in judged:
        statements = parse_statements(bodies.get(analysis_id, ()))
        task = _difference_task(naming, part, statements)
        if task is not None:
            since = max(statement.made for statement in statements)
            yield _Task(since, analysis_id, task, part, naming.case_id)


def _load(session: Session, tasks: Sequence[_Task]) -> list[ReviewTask]:
    rows = load_analyses(session, [task.analysis_id for task in tasks])
    return [
        ReviewTask(task.task, task.part, row, session.get_one(CaseRow, task.case_id), task.since)
        for task, row in zip(tasks, rows, strict=True)
    ]


def _part(naming: CaseReview, user_id: int) -> Part:
    return "first" if naming.first_id == user_id else "second" if naming.second_id == user_id else "third"


def _difference_task(naming: CaseReview, part: Part, statements: Sequence[Statement]) -> Task | None:
    """Return what a reviewer has to do once both judgements are in."""
    if standing_of(statements) != "differs":
        return None
    proposal = open_proposal(review_of_statements(statements))
    if proposal is not None and part != "third" and proposal.part != part:
        return "answer"
    if part == "third":
        return "decide"
    return "resolve" if naming.third_id is None and proposal is None else None


def _statement_kinds(session: Session, cases: Iterable[int]) -> dict[str, set[tuple[str, str]]]:
    """Return kinds and parts of the statements on analyses of these cases."""
    query = select(ReviewStatement.analysis_id, ReviewStatement.kind, ReviewStatement.part).join(
        AnalysisRow, AnalysisRow.id == ReviewStatement.analysis_id
    )
    kinds: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for analysis_id, kind, part in session.execute(query.where(AnalysisRow.case_id.in_(list(cases)))):
        kinds[analysis_id].add((kind, part))
    return dict(kinds)
