"""Reading rows for pages: one analysis, a page of the list, the place in the queue."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import func, select, tuple_

from webapp.database import Database
from webapp.errors import PageError
from webapp.tables import AnalysisRow, State

PAGE_SIZE = 25


@dataclass(frozen=True)
class Page:
    """One page of the list, newest first."""

    rows: tuple[AnalysisRow, ...]
    number: int
    pages: int
    total: int


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


def page(number: int) -> Page:
    """Page ``number`` of all analyses; numbers past the end give the last page."""
    with database().begin() as session:
        total = session.scalar(select(func.count()).select_from(AnalysisRow)) or 0
        pages = max(1, math.ceil(total / PAGE_SIZE))
        number = min(max(number, 1), pages)
        newest = select(AnalysisRow).order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc())
        rows = session.scalars(newest.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)).all()
    return Page(tuple(rows), number, pages, total)


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
