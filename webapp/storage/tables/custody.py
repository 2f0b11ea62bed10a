"""The table of the custody log, to which entries can only be added."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.storage.tables.base import Base


class CustodyRow(Base):
    """One entry of the custody log (:mod:`reports.custody.format`). Triggers refuse to change or remove it.

    No foreign keys: an entry stays when what it is about is gone.
    """

    __tablename__ = "custody"
    __table_args__ = (
        Index("custody_exhibit", "exhibit", "number"),
        Index("custody_analysis", "analysis", "action", "number"),
        Index("custody_action", "action", "number"),
    )

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    made: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(40))
    exhibit: Mapped[str | None] = mapped_column(String(64))
    analysis: Mapped[str | None] = mapped_column(String(32))  # or a comparison's id, as in the signed entry
    details: Mapped[str] = mapped_column(Text)  # a JSON object
    previous: Mapped[str] = mapped_column(String(64))
    previous_of_exhibit: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    mac: Mapped[str] = mapped_column(String(64))
