"""Which second reviews wait for somebody: the queue of a reviewer, and how long it is."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from reports.review.second_review import Part, Statement, open_proposal
from webapp.queries.second_reviews import as_review, parsed, standing, statements_by_analysis
from webapp.security.access.permissions import Principal
from webapp.storage.reviewed_analyses import loaded, subject_rows
from webapp.storage.tables import AnalysisRow, CaseReview, CaseRow, ReviewStatement

PAGE_SIZE = 50
Task = Literal["judge", "answer", "resolve", "decide"]
_BOTH = {("judgement", "first"), ("judgement", "second")}
_ENDED = {"acceptance", "decision"}  # kinds of statements after which nothing waits for anybody


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
        elif kinds >= _BOTH and _ENDED.isdisjoint(kind for kind, _of_part in kinds):
            both.append((row.id, naming, part))
    return sorted([*found, *_after_judgements(session, both)])


def _after_judgements(session: Session, both: Sequence[tuple[str, CaseReview, Part]]) -> Iterator[_Task]:
    """What waits in reviews, by id of their analysis, that have both judgements and have not ended."""
    bodies = statements_by_analysis(session, [analysis_id for analysis_id, *_rest in both])
    for analysis_id, naming, part in both:
        statements = parsed(bodies.get(analysis_id, ()))
        task = _difference_task(naming, part, statements)
        if task is not None:
            since = max(each.made for each in statements)
            yield _Task(since, analysis_id, task, part, naming.case_id)


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
    proposal = open_proposal(as_review(statements))
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
