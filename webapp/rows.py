"""Reading rows for pages: one analysis, the latest ones, the place in the queue, what belongs together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from flask import current_app
from sqlalchemy import func, select, tuple_

from reports.annotations import ANNOTATION, Annotation, OfExhibit, OfSegment, OfSpan, standing
from webapp.database import Database
from webapp.errors import PageError
from webapp.tables import AnalysisRow, AnnotationRow, State

MOST_COMPARABLE = 5
JUDGEMENTS = (OfSegment, OfExhibit, OfSpan)


def database() -> Database:
    """The app's database."""
    found: Database = current_app.extensions["database"]
    return found


def find(analysis_id: str) -> AnalysisRow:
    """The row of an analysis, or a 404 page that says so."""
    with database().begin() as session:
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
    with database().begin() as session:
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
    with database().begin() as session:
        return tuple(session.scalars(query).all())


def comparable(shown: Sequence[AnalysisRow]) -> dict[str, list[AnalysisRow]]:
    """By id, the latest other finished analyses of the same exhibit."""
    exhibits = {row.exhibit_id for row in shown if row.state == State.DONE}
    query = (
        select(AnalysisRow)
        .where(AnalysisRow.exhibit_id.in_(exhibits), AnalysisRow.state == State.DONE)
        .order_by(AnalysisRow.created.desc())
    )
    finished: dict[int, list[AnalysisRow]] = defaultdict(list)
    with database().begin() as session:
        for row in session.scalars(query) if exhibits else ():
            finished[row.exhibit_id].append(row)
    return {
        row.id: [other for other in finished[row.exhibit_id] if other.id != row.id][:MOST_COMPARABLE]
        for row in shown
        if row.state == State.DONE
    }


def judgements(shown: Sequence[AnalysisRow]) -> Counter[str]:
    """By id, how many judgements of reviewers stand."""
    ids = [row.id for row in shown]
    query = select(AnnotationRow.analysis_id, AnnotationRow.body).where(AnnotationRow.analysis_id.in_(ids))
    said: dict[str, list[Annotation]] = defaultdict(list)
    with database().begin() as session:
        for analysis_id, body in session.execute(query):
            said[analysis_id].append(ANNOTATION.validate_json(body))
    counts: Counter[str] = Counter()
    for analysis_id, all_said in said.items():
        counts[analysis_id] = sum(isinstance(a, JUDGEMENTS) for a in standing(all_said))
    return counts
