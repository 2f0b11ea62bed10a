"""Exhibits: the files handed in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.storage.tables.base import Base


class Condition(StrEnum):
    """What hashing an exhibit's kept file again showed."""

    FITS = "fits"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class Exhibit(Base):
    """A file handed in, unchanged, known by its SHA-256."""

    __tablename__ = "exhibits"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(255))  # as first handed in; never used as a path
    bytes: Mapped[int] = mapped_column(BigInteger)
    path: Mapped[str] = mapped_column(String(255))  # relative to the data folder
    created: Mapped[datetime]
    checked: Mapped[datetime | None]  # when the kept file was last hashed again
    condition: Mapped[str | None] = mapped_column(String(16))  # what that showed, a :class:`Condition`
