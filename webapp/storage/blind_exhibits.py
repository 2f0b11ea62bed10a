"""Which exhibits a reviewer has yet to judge, as a part of selects."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from reports.review.second_review import Part
from webapp.storage.tables import AnalysisRow, CaseReview, ReviewStatement

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
