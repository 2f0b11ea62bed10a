"""Which analysis of an exhibit is under review, where its case has several of them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from webapp.storage.tables import AnalysisRow, ReviewStatement, State


def subjects(session: Session, cases: Iterable[int]) -> list[AnalysisRow]:
    """Of each exhibit in these cases, the analysis under review: one with statements, or the newest done."""
    return _chosen(session, select(AnalysisRow).where(AnalysisRow.case_id.in_(list(cases))))


def subject(session: Session, case_id: int, exhibit_id: int) -> AnalysisRow | None:
    """That of one exhibit in one case; None while no analysis of it is done."""
    own = select(AnalysisRow).where(AnalysisRow.case_id == case_id, AnalysisRow.exhibit_id == exhibit_id)
    return next(iter(_chosen(session, own)), None)


def begun(session: Session, analyses: Iterable[str]) -> set[str]:
    """Ids of those among these of which something was said in a second review."""
    about = ReviewStatement.analysis_id
    return set(session.scalars(select(about).where(about.in_(list(analyses)))))


def _chosen(session: Session, analyses: Select[AnalysisRow]) -> list[AnalysisRow]:
    newest = analyses.where(AnalysisRow.state == State.DONE).order_by(
        AnalysisRow.created.desc(), AnalysisRow.id.desc()
    )
    rows = session.scalars(newest).all()
    spoken_of = begun(session, [row.id for row in rows])
    chosen: dict[tuple[int | None, int], AnalysisRow] = {}
    for row in rows:
        key = row.case_id, row.exhibit_id
        if key not in chosen or (row.id in spoken_of and chosen[key].id not in spoken_of):
            chosen[key] = row
    return list(chosen.values())
