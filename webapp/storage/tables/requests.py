"""Requests that may come twice or in parts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.storage.tables.base import Base


class KeyedRequest(Base):
    """A request that came with an Idempotency-Key, and its answer once there is one."""

    __tablename__ = "keyed_requests"

    who: Mapped[str] = mapped_column(String(120), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    identity: Mapped[str] = mapped_column(String(32))  # id of what it creates
    started: Mapped[datetime]
    status: Mapped[int | None]
    headers: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)


class UploadRow(Base):
    """A file that comes in parts; its bytes lie in ``uploads/`` (:mod:`webapp.intake.resumable`)."""

    __tablename__ = "uploads"
    __table_args__ = (Index("uploads_expires", "expires"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    who: Mapped[str] = mapped_column(String(120))
    file: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)  # bytes that are flushed; more may lie in the file
    sha256: Mapped[str | None] = mapped_column(String(64))  # as announced
    created: Mapped[datetime]
    expires: Mapped[datetime]
    analysis_id: Mapped[str | None] = mapped_column(String(32))  # what became of it
