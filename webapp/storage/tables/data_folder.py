"""What is to be known of a whole data folder."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.storage.tables.base import Base


class Milestone(Base):
    """Something that is to happen once in the life of a data folder, and when it did."""

    __tablename__ = "milestones"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    reached: Mapped[datetime]


class Choice(Base):
    """Something a person chose for the whole data folder, where nothing chosen means the shipped default."""

    __tablename__ = "choices"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
    made: Mapped[datetime]
