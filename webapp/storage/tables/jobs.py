"""Jobs, which are analyses and comparisons, and the workers that do them."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import ClassVar

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.storage.tables.base import Base
from webapp.storage.tables.exhibits import Exhibit


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(IntEnum):
    """Which of the jobs that wait comes first: the highest, then the oldest."""

    LOW = 0
    NORMAL = 1
    HIGH = 2

    @property
    def words(self) -> str:
        """As pages, programs and the custody log know it."""
        return self.name.lower()


class JobRow(Base):
    """What workers do, and where it stands. This row is authoritative, not the broker."""

    __abstract__ = True
    noun: ClassVar[str]  # what the custody log and messages call it

    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # unguessable
    state: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(default=Priority.NORMAL)  # a :class:`Priority`
    queue: Mapped[str | None] = mapped_column(String(8))  # where it was sent; none: nowhere yet
    stage: Mapped[str] = mapped_column(String(80), default="")
    progress: Mapped[float] = mapped_column(default=0.0)
    error: Mapped[str | None]
    remedy: Mapped[str | None]
    created: Mapped[datetime]
    sent: Mapped[datetime | None]  # when the broker was last told of it
    started: Mapped[datetime | None]
    finished: Mapped[datetime | None]
    heartbeat: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(120))  # host:process of the last attempt

    @property
    def failed_on_its_file(self) -> bool:
        """Whether the engine could not read a file, which no further attempt would change.

        What it says of a file holds what to do as well, so that no remedy stands beside it.
        """
        return self.state == State.FAILED and bool(self.error) and not self.remedy


class AnalysisRow(JobRow):
    """One analysis of an exhibit."""

    __tablename__ = "analyses"
    noun = "analysis"
    __table_args__ = (
        Index("analyses_newest", "created", "id"),
        Index("analyses_state", "state"),
        Index("analyses_model", "model"),
        Index("analyses_finished", "finished"),
    )

    exhibit_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), index=True)
    file: Mapped[str] = mapped_column(String(255))  # original file name of this upload
    verdict: Mapped[str | None] = mapped_column(String(40))
    probability: Mapped[float | None]
    # JSON of a `detector.schema.summary.Summary`, in a column with the name of earlier versions
    summary: Mapped[str | None] = mapped_column("finding", Text)
    # JSON: ids of its segments looked at, not flagged; none: nobody annotated a segment
    unflagged: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(String(60))  # its name; none: the default when it starts
    changed_parameters: Mapped[str | None] = mapped_column("settings", Text)  # as JSON; none: the defaults
    duration: Mapped[float | None]  # of the exhibit, seconds
    # as the analysis states it; none: a photo, or unknown
    frame_rate: Mapped[str | None] = mapped_column(Text)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # who handed it in
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"), index=True)

    exhibit: Mapped[Exhibit] = relationship(lazy="joined", innerjoin=True)


class ComparisonRow(JobRow):
    """One comparison of an exhibit with a reference, another exhibit."""

    __tablename__ = "comparisons"
    __table_args__ = (Index("comparisons_state", "state"),)
    noun = "comparison"

    exhibit_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), index=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), index=True)
    file: Mapped[str] = mapped_column(String(255))  # what who asked knew the exhibit as
    reference_file: Mapped[str] = mapped_column(String(255))
    asked_by: Mapped[str] = mapped_column(String(120))  # a principal's name
    related: Mapped[bool | None]  # none: not done
    segments: Mapped[int | None]  # how many were found
    outcome: Mapped[str | None] = mapped_column(Text)  # a `detector.schema.comparison.Outcome`

    exhibit: Mapped[Exhibit] = relationship(lazy="joined", innerjoin=True, foreign_keys=[exhibit_id])
    reference: Mapped[Exhibit] = relationship(lazy="joined", innerjoin=True, foreign_keys=[reference_id])


JOBS: tuple[type[AnalysisRow] | type[ComparisonRow], ...] = (AnalysisRow, ComparisonRow)
"""Every kind of job. Their ids are random, so an id is of one of them alone."""


class WorkerRow(Base):
    """A worker that is there, and when it last said so."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)  # host:process
    started: Mapped[datetime]
    seen: Mapped[datetime]
