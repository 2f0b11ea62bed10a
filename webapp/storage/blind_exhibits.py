"""Which exhibits a second reviewer has yet to judge, as a part of selects."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from webapp.storage.tables import AnalysisRow, CaseReview, ReviewStatement


def hidden_exhibits(user_id: int | None, *hidden: str) -> Select[Any]:
    """Ids of the exhibits that somebody, or anybody, reviews second and has not judged.

    ``hidden`` is what they do not see; none means either.
    """
    # Under names of their own, or they would be taken for tables of the select around it.
    of, other = AnalysisRow.__table__.alias(), AnalysisRow.__table__.alias()
    review, said = CaseReview.__table__.alias(), ReviewStatement.__table__.alias()
    given = (
        select(said.c.id)
        .where(
            other.c.id == said.c.analysis_id,
            said.c.kind == "judgement",
            said.c.part == "second",
            other.c.case_id == of.c.case_id,
            other.c.exhibit_id == of.c.exhibit_id,
        )
        .correlate(of)
        .exists()
    )
    # Without JOIN, which with_loader_criteria() cannot copy into other selects.
    awaited = select(of.c.exhibit_id).where(review.c.case_id == of.c.case_id, ~given)
    if user_id is not None:
        awaited = awaited.where(review.c.second_id == user_id)
    return awaited.where(review.c.blind.in_(hidden)) if hidden else awaited
