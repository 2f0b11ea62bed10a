"""Queries about second reviews that several features share: analyses under review, judgements due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from reports.review.second_review import Part
from webapp.storage.tables import AnalysisRow, CaseReview, ReviewStatement, State

# Under names of their own, or they would be taken for tables of the surrounding select. Created once: an
# alias creates all columns of its table, which takes longer than the query.
_analysis, _reviewed = AnalysisRow.__table__.alias(), AnalysisRow.__table__.alias()
_review, _statement = CaseReview.__table__.alias(), ReviewStatement.__table__.alias()


class ReviewSubject(NamedTuple):
    """The columns needed to select the analysis under review; ``begun``: the review has statements."""

    id: str
    case_id: int | None
    exhibit_id: int
    created: datetime
    finished: datetime | None
    begun: bool


def analyses_under_review(session: Session, cases: Iterable[int]) -> list[AnalysisRow]:
    """Return, for each exhibit in these cases, the analysis under review.

    This is the analysis that has statements, or else the newest finished one.
    """
    return load_analyses(session, [subject.id for subject in review_subjects(session, cases)])


def review_subjects(session: Session, cases: Iterable[int]) -> list[ReviewSubject]:
    """Like :func:`analyses_under_review`, but a few columns only: fast for thousands."""
    return _select_subjects(session, AnalysisRow.case_id.in_(list(cases)))


def analysis_under_review(session: Session, case_id: int, exhibit_id: int) -> AnalysisRow | None:
    """Return the analysis under review of one exhibit in one case; None if none is finished."""
    subjects = _select_subjects(session, AnalysisRow.case_id == case_id, AnalysisRow.exhibit_id == exhibit_id)
    return session.get(AnalysisRow, subjects[0].id) if subjects else None


def load_analyses(session: Session, ids: Sequence[str]) -> list[AnalysisRow]:
    """Return the analyses with these ids, in this order."""
    rows = {row.id: row for row in session.scalars(select(AnalysisRow).where(AnalysisRow.id.in_(ids)))}
    return [rows[id_] for id_ in ids]


def analyses_with_statements(session: Session, analyses: Iterable[str]) -> set[str]:
    """Return the ids of those analyses whose second review has begun."""
    column = ReviewStatement.analysis_id
    return set(session.scalars(select(column).where(column.in_(list(analyses)))))


def _select_subjects(session: Session, *conditions: ColumnElement[bool]) -> list[ReviewSubject]:
    begun = select(ReviewStatement.id).where(ReviewStatement.analysis_id == AnalysisRow.id).exists()
    newest_first = (
        select(
            AnalysisRow.id,
            AnalysisRow.case_id,
            AnalysisRow.exhibit_id,
            AnalysisRow.created,
            AnalysisRow.finished,
            begun,
        )
        .where(*conditions, AnalysisRow.state == State.DONE)
        .order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc())
    )
    subjects: dict[tuple[int | None, int], ReviewSubject] = {}
    for subject in map(ReviewSubject._make, session.execute(newest_first)):
        key = subject.case_id, subject.exhibit_id
        if key not in subjects or (subject.begun and not subjects[key].begun):
            subjects[key] = subject
    return list(subjects.values())


def awaited_judgements(user_id: int, exhibit_id: int) -> Select[Any]:
    """Select ``case_id`` and ``blind`` of the cases in which a second reviewer has not judged an exhibit yet.

    The case that hides most comes first: “findings” sorts before “judgements”.
    """
    columns = _analysis.c.case_id, _review.c.blind
    own = _unjudged(user_id).with_only_columns(*columns).where(_analysis.c.exhibit_id == exhibit_id)
    return own.order_by(_review.c.blind, _analysis.c.created)


def hidden_exhibits(user_id: int | None, *hidden: str) -> Select[Any]:
    """Select ids of exhibits that the user, or anybody, reviews second and has not judged yet.

    ``hidden`` restricts the selection to reviews that hide one of these; by default any.
    """
    unjudged = _unjudged(user_id)
    return unjudged.where(_review.c.blind.in_(hidden)) if hidden else unjudged


def unjudged_by_first(user_id: int, exhibit_id: int) -> Select[Any]:
    """Select the exhibit once per case in which the user reviews second and the first has not judged yet."""
    return _unjudged(user_id, "first").where(_analysis.c.exhibit_id == exhibit_id)


def _unjudged(user_id: int | None, part: Part = "second") -> Select[Any]:
    """Select exhibits that the user, or anybody, reviews second, and that lack the judgement of ``part``."""
    judged = (
        select(_statement.c.id)
        .where(
            _reviewed.c.id == _statement.c.analysis_id,
            _statement.c.kind == "judgement",
            _statement.c.part == part,
            _reviewed.c.case_id == _analysis.c.case_id,
            _reviewed.c.exhibit_id == _analysis.c.exhibit_id,
        )
        .correlate(_analysis)
        .exists()
    )
    # Without JOIN, which with_loader_criteria() cannot copy into other selects.
    unjudged = select(_analysis.c.exhibit_id).where(_review.c.case_id == _analysis.c.case_id, ~judged)
    return unjudged if user_id is None else unjudged.where(_review.c.second_id == user_id)
