"""Cases: what belongs together, who may see it, and what an examiner says of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.storage.tables.base import Base


class CaseRow(Base):
    """What belongs together, and who may see it."""

    __tablename__ = "cases"
    # The custody log names cases by their numbers: that of a purged one is not given again.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))  # not unique: a refusal would tell of cases not to be seen
    description: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(40))  # a principal's name
    closed: Mapped[datetime | None]  # nothing in it is changed since (:mod:`webapp.services.cases.closing`)
    exported: Mapped[datetime | None]  # whole, the last time


class CaseMember(Base):
    """Somebody who may see a case."""

    __tablename__ = "case_members"

    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)


class CaseDetailsRow(Base):
    """What an examiner says of the case of an analysis: :class:`reports.inputs.case.CaseDetails` as JSON."""

    __tablename__ = "case_details"

    analysis_id: Mapped[str] = mapped_column(ForeignKey("analyses.id"), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    changed: Mapped[datetime]
