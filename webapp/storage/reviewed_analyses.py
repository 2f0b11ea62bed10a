"""Which analysis of an exhibit is under review, where its case has several of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from webapp.storage.tables import AnalysisRow, ReviewStatement, State


class Subject(NamedTuple):
    """An analysis under review as far as that takes to tell; ``begun``: something was said of it."""

    id: str
    case_id: int | None
    exhibit_id: int
    created: datetime
    finished: datetime | None
    begun: bool


def subjects(session: Session, cases: Iterable[int]) -> list[AnalysisRow]:
    """Of each exhibit in these cases, the analysis under review: one with statements, or the newest done."""
    return loaded(session, [each.id for each in subject_rows(session, cases)])


def subject_rows(session: Session, cases: Iterable[int]) -> list[Subject]:
    """The same as a few columns each, quick for thousands."""
    return _chosen(session, AnalysisRow.case_id.in_(list(cases)))


def subject(session: Session, case_id: int, exhibit_id: int) -> AnalysisRow | None:
    """That of one exhibit in one case; None while no analysis of it is done."""
    of_exhibit = _chosen(session, AnalysisRow.case_id == case_id, AnalysisRow.exhibit_id == exhibit_id)
    return session.get(AnalysisRow, of_exhibit[0].id) if of_exhibit else None


def loaded(session: Session, ids: Sequence[str]) -> list[AnalysisRow]:
    """These analyses, in this order."""
    rows = {row.id: row for row in session.scalars(select(AnalysisRow).where(AnalysisRow.id.in_(ids)))}
    return [rows[each] for each in ids]


def begun(session: Session, analyses: Iterable[str]) -> set[str]:
    """Ids of those among these of which something was said in a second review."""
    about = ReviewStatement.analysis_id
    return set(session.scalars(select(about).where(about.in_(list(analyses)))))


def _chosen(session: Session, *which: ColumnElement[bool]) -> list[Subject]:
    spoken_of = select(ReviewStatement.id).where(ReviewStatement.analysis_id == AnalysisRow.id).exists()
    newest = (
        select(
            AnalysisRow.id,
            AnalysisRow.case_id,
            AnalysisRow.exhibit_id,
            AnalysisRow.created,
            AnalysisRow.finished,
            spoken_of,
        )
        .where(*which, AnalysisRow.state == State.DONE)
        .order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc())
    )
    chosen: dict[tuple[int | None, int], Subject] = {}
    for row in map(Subject._make, session.execute(newest)):
        key = row.case_id, row.exhibit_id
        if key not in chosen or (row.begun and not chosen[key].begun):
            chosen[key] = row
    return list(chosen.values())
