"""Webhooks, and what is on its way to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.storage.tables.base import Base


class WebhookRow(Base):
    """Where to tell what became of jobs, and of alerts (:mod:`webapp.webhooks.registry`)."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    events: Mapped[str] = mapped_column(String(255))  # separated by spaces
    who: Mapped[str] = mapped_column(String(120))
    made: Mapped[datetime]


class Delivery(Base):
    """One event on its way to one webhook: the same event is never queued twice."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "analysis_id", "happened"),
        Index("deliveries_due", "due"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"), index=True)
    about: Mapped[str] = mapped_column("analysis_id", String(32))  # id of a job, or an alert's name
    event: Mapped[str] = mapped_column(String(40))
    happened: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    due: Mapped[datetime | None]  # none: delivered, or given up
    delivered: Mapped[datetime | None]
    status: Mapped[int | None]  # of the last answer
    problem: Mapped[str | None] = mapped_column(String(300))  # why the last attempt failed
