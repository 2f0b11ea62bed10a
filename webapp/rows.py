"""Reading rows for pages: one analysis, the latest ones, the place in the queue, what belongs together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple

from flask import current_app
from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from reports.annotations import ANNOTATION, Annotation, OfExhibit, OfSegment, OfSpan, standing
from webapp import access
from webapp.database import Database
from webapp.errors import PageError
from webapp.tables import AnalysisRow, AnnotationRow, State

MOST_COMPARABLE = 5
JUDGEMENTS = (OfSegment, OfExhibit, OfSpan)


def database() -> Database:
    """The app's database."""
    found: Database = current_app.extensions["database"]
    return found


def reading() -> AbstractContextManager[Session]:
    """A session for pages: what who asks may not see is not there."""
    return access.reading(database())


def find(analysis_id: str) -> AnalysisRow:
    """The row of an analysis, or a 404 page that says so; the same page where they may not see it."""
    with reading() as session:
        row = session.get(AnalysisRow, analysis_id)
    if row is None:
        raise PageError(
            404,
            "There is no analysis at this address.",
            "Check the address, or look for the analysis in the library.",
        )
    return row


def latest(count: int) -> tuple[AnalysisRow, ...]:
    """The analyses handed in last, newest first."""
    newest = select(AnalysisRow).order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc())
    with reading() as session:
        return tuple(session.scalars(newest.limit(count)).all())


def ahead(row: AnalysisRow) -> int:
    """How many analyses come before a queued one, the running ones included."""
    earlier = tuple_(AnalysisRow.created, AnalysisRow.id) < tuple_(row.created, row.id)
    waiting = (AnalysisRow.state == State.QUEUED) & earlier
    with database().begin() as session:
        query = select(func.count()).where(waiting | (AnalysisRow.state == State.RUNNING))
        return session.scalar(query) or 0


def others(row: AnalysisRow) -> tuple[AnalysisRow, ...]:
    """The latest other analyses of the same exhibit."""
    query = (
        select(AnalysisRow)
        .where(AnalysisRow.exhibit_id == row.exhibit_id, AnalysisRow.id != row.id)
        .order_by(AnalysisRow.created.desc())
        .limit(5)
    )
    with reading() as session:
        return tuple(session.scalars(query).all())


class Other(NamedTuple):
    """Another finished analysis of the same exhibit, as far as a link to it says."""

    id: str
    model: str | None
    created: datetime


def comparable(session: Session, shown: Sequence[AnalysisRow]) -> dict[str, list[Other]]:
    """By id, the latest other finished analyses of the same exhibit."""
    done = [row for row in shown if row.state == State.DONE]
    # The state is looked at here: SQLite would go through all that are done instead of these few exhibits.
    query = select(
        AnalysisRow.exhibit_id, AnalysisRow.state, AnalysisRow.id, AnalysisRow.model, AnalysisRow.created
    ).where(AnalysisRow.exhibit_id.in_({row.exhibit_id for row in done}))
    finished: dict[int, list[Other]] = defaultdict(list)
    for exhibit, state, analysis_id, model, created in session.execute(query):
        if state == State.DONE:
            finished[exhibit].append(Other(analysis_id, model, created))
    for found in finished.values():
        found.sort(key=lambda other: other.created, reverse=True)
    return {
        row.id: [other for other in finished[row.exhibit_id] if other.id != row.id][:MOST_COMPARABLE]
        for row in done
    }


def judgements(session: Session, shown: Sequence[AnalysisRow]) -> Counter[str]:
    """By id, how many judgements of reviewers stand."""
    ids = [row.id for row in shown]
    query = select(AnnotationRow.analysis_id, AnnotationRow.body).where(AnnotationRow.analysis_id.in_(ids))
    said: dict[str, list[Annotation]] = defaultdict(list)
    for analysis_id, body in session.execute(query):
        said[analysis_id].append(ANNOTATION.validate_json(body))
    counts: Counter[str] = Counter()
    for analysis_id, all_said in said.items():
        counts[analysis_id] = sum(isinstance(a, JUDGEMENTS) for a in standing(all_said))
    return counts
