"""What people said of an analysis: annotations, and the statements of a second review."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.storage.tables.base import Base


class AnnotationRow(Base):
    """What somebody said of an analysis; :mod:`reports.review.annotations` gives ``body`` its meaning.

    Rows are added and never changed. The other columns repeat what searches need.
    """

    __tablename__ = "annotations"
    __table_args__ = (Index("annotations_author", "author", "analysis_id"),)

    analysis_id: Mapped[str] = mapped_column(ForeignKey("analyses.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    author: Mapped[str] = mapped_column(String(80))  # or who imported it, where the author is not verified
    verdict: Mapped[str | None] = mapped_column(String(16))
    made: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)


class CaseReview(Base):
    """Who reviews the exhibits of a case a second time, and what the second does not see until then.

    ``blind`` is a :data:`reports.review.second_review.Hidden`, which :mod:`webapp.security.access.blinding`
    reads.
    """

    __tablename__ = "case_reviews"

    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    first_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    second_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    third_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # decides differences
    blind: Mapped[str] = mapped_column(String(16))
    named: Mapped[datetime]


class ReviewStatement(Base):
    """A judgement, message, proposal, acceptance or decision of a second review; never changed.

    :mod:`reports.review.second_review` gives ``body`` its meaning. The other columns repeat what searches
    need.
    """

    __tablename__ = "review_statements"

    analysis_id: Mapped[str] = mapped_column(ForeignKey("analyses.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    part: Mapped[str] = mapped_column(String(8))
    made: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)
