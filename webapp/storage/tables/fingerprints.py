"""What exhibits look like, and which show the same."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.storage.tables.base import Base


class FingerprintRow(Base):
    """What an exhibit looks like (:mod:`detector.fingerprint`); goes with the exhibit.

    Numbers are never given twice: blocks of the index go by them.
    """

    __tablename__ = "fingerprints"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    exhibit_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), unique=True)
    version: Mapped[int]
    made: Mapped[datetime]
    looks: Mapped[bytes] = mapped_column(LargeBinary)  # 32 bytes each; none: nothing to find it by
    # Last: SQLite then reads the columns before it without this one.
    body: Mapped[bytes | None] = mapped_column(LargeBinary)  # none: the file could not be read


class FingerprintBlock(Base):
    """The looks of SIZE fingerprints with numbers one after another, together, so that they are read at once.

    Derived from their rows: removed where one of these goes, and made again.
    """

    __tablename__ = "fingerprint_blocks"
    SIZE: ClassVar[int] = 1024

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # id of fingerprints // SIZE
    owners: Mapped[bytes] = mapped_column(LargeBinary)  # int32, the fingerprint of each look
    codes: Mapped[bytes] = mapped_column(LargeBinary)  # uint64, four columns one after another


class MatchRow(Base):
    """Two exhibits that show the same, or one a part of the other; ``other_id`` was there first.

    ``body`` is a :class:`detector.fingerprint.match.Match` as JSON, told of ``exhibit_id``.
    """

    __tablename__ = "matches"

    exhibit_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), primary_key=True, index=True)
    of_all: Mapped[bool]  # copies of one another, and not only in part
    found: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)
