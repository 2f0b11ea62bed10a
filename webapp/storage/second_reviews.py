"""Parts of selects about second reviews: the analysis under review, and exhibits not yet judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from reports.review.second_review import Part
from webapp.storage.tables import AnalysisRow, CaseReview, ReviewStatement, State


class ReviewSubject(NamedTuple):
    """An analysis under review as far as that takes to tell; ``begun``: something was said of it."""

    id: str
    case_id: int | None
    exhibit_id: int
    created: datetime
    finished: datetime | None
    begun: bool


def analyses_under_review(session: Session, cases: Iterable[int]) -> list[AnalysisRow]:
    """Of each exhibit in these cases, the analysis under review: one with statements, or the newest done."""
    return load_analyses(session, [each.id for each in review_subjects(session, cases)])


def review_subjects(session: Session, cases: Iterable[int]) -> list[ReviewSubject]:
    """The same as a few columns each, quick for thousands."""
    return _chosen(session, AnalysisRow.case_id.in_(list(cases)))


def analysis_under_review(session: Session, case_id: int, exhibit_id: int) -> AnalysisRow | None:
    """That of one exhibit in one case; None while no analysis of it is done."""
    of_exhibit = _chosen(session, AnalysisRow.case_id == case_id, AnalysisRow.exhibit_id == exhibit_id)
    return session.get(AnalysisRow, of_exhibit[0].id) if of_exhibit else None


def load_analyses(session: Session, ids: Sequence[str]) -> list[AnalysisRow]:
    """These analyses, in this order."""
    rows = {row.id: row for row in session.scalars(select(AnalysisRow).where(AnalysisRow.id.in_(ids)))}
    return [rows[each] for each in ids]


def analyses_with_statements(session: Session, analyses: Iterable[str]) -> set[str]:
    """Ids of those among these of which something was said in a second review."""
    about = ReviewStatement.analysis_id
    return set(session.scalars(select(about).where(about.in_(list(analyses)))))


def _chosen(session: Session, *which: ColumnElement[bool]) -> list[ReviewSubject]:
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
    chosen: dict[tuple[int | None, int], ReviewSubject] = {}
    for row in map(ReviewSubject._make, session.execute(newest)):
        key = row.case_id, row.exhibit_id
        if key not in chosen or (row.begun and not chosen[key].begun):
            chosen[key] = row
    return list(chosen.values())


# Under names of their own, or they would be taken for tables of the select around them. Made once: an alias
# makes all columns of its table, which takes longer than the question.
_of, _other = AnalysisRow.__table__.alias(), AnalysisRow.__table__.alias()
_review, _said = CaseReview.__table__.alias(), ReviewStatement.__table__.alias()


def awaited_judgements(user_id: int, exhibit_id: int) -> Select[Any]:
    """``case_id`` and ``blind`` of the cases in which somebody reviews an exhibit second and has not judged.

    First the one that hides most: “findings” comes before “judgements”.
    """
    columns = _of.c.case_id, _review.c.blind
    own = _awaited(user_id).with_only_columns(*columns).where(_of.c.exhibit_id == exhibit_id)
    return own.order_by(_review.c.blind, _of.c.created)


def hidden_exhibits(user_id: int | None, *hidden: str) -> Select[Any]:
    """Ids of the exhibits that somebody, or anybody, reviews second and has not judged.

    ``hidden`` is what they do not see; none means either.
    """
    awaited = _awaited(user_id)
    return awaited.where(_review.c.blind.in_(hidden)) if hidden else awaited


def unjudged_by_first(user_id: int, exhibit_id: int) -> Select[Any]:
    """The exhibit, in each case in which somebody reviews it second and the first has not judged it."""
    return _awaited(user_id, "first").where(_of.c.exhibit_id == exhibit_id)


def _awaited(user_id: int | None, part: Part = "second") -> Select[Any]:
    """Exhibits that somebody, or anybody, reviews second, and of which the judgement of a part is awaited."""
    given = (
        select(_said.c.id)
        .where(
            _other.c.id == _said.c.analysis_id,
            _said.c.kind == "judgement",
            _said.c.part == part,
            _other.c.case_id == _of.c.case_id,
            _other.c.exhibit_id == _of.c.exhibit_id,
        )
        .correlate(_of)
        .exists()
    )
    # Without JOIN, which with_loader_criteria() cannot copy into other selects.
    awaited = select(_of.c.exhibit_id).where(_review.c.case_id == _of.c.case_id, ~given)
    return awaited if user_id is None else awaited.where(_review.c.second_id == user_id)
