"""The database tables. Alembic migrations create them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    case,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from detector.schema.formatting import N_

CLOCK_TOLERANCE = timedelta(minutes=1)
"""A moment further ahead than this was recorded by a clock that ran fast; overlapping requests stay below."""


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware moment in UTC. SQLite drops the time zone, so it is restored on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Reject a naive datetime instead of guessing its time zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Restore the time zone."""
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value


class Base(DeclarativeBase):
    """Base class of all tables."""

    type_annotation_map = {datetime: UtcDateTime()}


class Condition(StrEnum):
    """Result of the latest check of an exhibit's stored file."""

    FITS = "fits"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class Exhibit(Base):
    """An uploaded file, stored unchanged and identified by its SHA-256."""

    __tablename__ = "exhibits"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(255))  # of the first upload; never used as a path
    bytes: Mapped[int] = mapped_column(BigInteger)
    path: Mapped[str] = mapped_column(String(255))  # relative to the data folder
    created: Mapped[datetime]
    checked: Mapped[datetime | None]  # when the stored file was last hashed again
    condition: Mapped[str | None] = mapped_column(String(16))  # its result, a :class:`Condition`


class State(StrEnum):
    """State of a job."""

    QUEUED = N_("queued")
    RUNNING = N_("running")
    EXPLAINING = "explaining"  # shown, never stored: see :attr:`JobRow.shown_state`
    PAUSED = N_("paused")
    DONE = N_("done")
    FAILED = N_("failed")
    CANCELLED = N_("cancelled")


class Priority(IntEnum):
    """Priority of a job. The highest priority runs first, then the oldest job."""

    LOW = 0
    NORMAL = 1
    HIGH = 2

    @property
    def words(self) -> str:
        """The name used by pages, the API and the custody log."""
        return self.name.lower()


class JobRow(Base):
    """A job for the workers and its state. This row is authoritative, not the broker's message."""

    __abstract__ = True
    noun: ClassVar[str]  # the name of this kind of job in the custody log and in messages

    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # unguessable
    state: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(default=Priority.NORMAL)  # a :class:`Priority`
    queue: Mapped[str | None] = mapped_column(String(8))  # where it was sent; None: not sent yet
    stage: Mapped[str] = mapped_column(String(80), default="")
    progress: Mapped[float] = mapped_column(default=0.0)
    error: Mapped[str | None]
    remedy: Mapped[str | None]
    failure: Mapped[str | None] = mapped_column(Text)  # the error's Cause as JSON; None: before 0.3
    created: Mapped[datetime]
    sent: Mapped[datetime | None]  # when the broker was last told about it
    started: Mapped[datetime | None]
    finished: Mapped[datetime | None]
    heartbeat: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(120))  # host:process of the last attempt

    @property
    def shown_state(self) -> State:
        """The state that people and programs see.

        An analysis that runs, or waits for another attempt, is *explaining* once its finding is published.
        """
        return State(self.state)

    @property
    def failed_on_its_file(self) -> bool:
        """Whether the engine could not read a file, so that another attempt would fail as well.

        Such an error message includes the remedy, so the column ``remedy`` is empty.
        """
        return self.state == State.FAILED and bool(self.error) and not self.remedy


class AnalysisRow(JobRow):
    """An analysis of an exhibit."""

    __tablename__ = "analyses"
    noun = "analysis"
    __table_args__ = (
        Index("analyses_newest", "created", "id"),
        Index("analyses_state", "state"),
        Index("analyses_model", "model"),
        Index("analyses_finished", "finished"),
        Index("analyses_outcome", "outcome"),
    )

    exhibit_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), index=True)
    file: Mapped[str] = mapped_column(String(255))  # original file name of this upload
    # On faces; "inconclusive" for a recording of sound.
    verdict: Mapped[str | None] = mapped_column(String(40))
    probability: Mapped[float | None]
    # What :mod:`webapp.storage.finding_columns` derives from verdict and summary.
    outcome: Mapped[str | None] = mapped_column(String(16))
    sound_only: Mapped[bool] = mapped_column(default=False, server_default=false())
    voice_verdict: Mapped[str | None] = mapped_column(String(40))
    voice_probability: Mapped[float | None]
    # A `detector.schema.summary.Summary` as JSON; earlier versions named the column "finding".
    summary: Mapped[str | None] = mapped_column("finding", Text)
    # JSON: ids of segments a reviewer looked at and did not flag; None: no segment was annotated
    unflagged: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(String(60))  # None: the default when the analysis starts
    changed_parameters: Mapped[str | None] = mapped_column("settings", Text)  # JSON; None: the defaults
    duration: Mapped[float | None]  # of the exhibit, in seconds
    frame_rate: Mapped[str | None] = mapped_column(Text)  # as in the result; None: a photo, or unknown
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"), index=True)

    exhibit: Mapped[Exhibit] = relationship(lazy="joined", innerjoin=True)

    @property
    def shown_state(self) -> State:
        """See :attr:`JobRow.shown_state`."""
        is_published = self.verdict is not None and self.state in (State.QUEUED, State.RUNNING)
        return State.EXPLAINING if is_published else State(self.state)

    @property
    def has_finding(self) -> bool:
        """Whether a finding is published, with or without its pictures."""
        return self.shown_state in (State.EXPLAINING, State.DONE)


def shown_state(row: Any = AnalysisRow) -> ColumnElement[str]:
    """Return :attr:`JobRow.shown_state` as a column; ``row`` may be columns of an alias of the analyses."""
    is_published = row.verdict.is_not(None) & row.state.in_((State.QUEUED, State.RUNNING))
    return case((is_published, State.EXPLAINING.value), else_=row.state)


class ComparisonRow(JobRow):
    """A comparison of an exhibit with a reference, another exhibit."""

    __tablename__ = "comparisons"
    __table_args__ = (Index("comparisons_state", "state"),)
    noun = "comparison"

    exhibit_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), index=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), index=True)
    file: Mapped[str] = mapped_column(String(255))  # the exhibit's name for the person who asked
    reference_file: Mapped[str] = mapped_column(String(255))
    asked_by: Mapped[str] = mapped_column(String(120))  # a principal's name
    related: Mapped[bool | None]  # None: not done
    segments: Mapped[int | None]  # how many were found
    outcome: Mapped[str | None] = mapped_column(Text)  # a `detector.schema.comparison.Outcome`

    exhibit: Mapped[Exhibit] = relationship(lazy="joined", innerjoin=True, foreign_keys=[exhibit_id])
    reference: Mapped[Exhibit] = relationship(lazy="joined", innerjoin=True, foreign_keys=[reference_id])


JOBS: tuple[type[AnalysisRow] | type[ComparisonRow], ...] = (AnalysisRow, ComparisonRow)
"""All kinds of jobs. Their ids are random, so an id identifies a job of only one kind."""


class WorkerRow(Base):
    """A worker process, and its last sign of life."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)  # host:process
    started: Mapped[datetime]
    seen: Mapped[datetime]


class User(Base):
    """An account. Accounts are disabled but never removed: the custody log names them."""

    __tablename__ = "users"
    __table_args__ = (Index("users_subject", "subject", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)  # for signing in, in lower case
    display: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(16))
    password: Mapped[str] = mapped_column(String(200))  # Argon2id, with its parameters
    password_set: Mapped[datetime]
    one_time: Mapped[bool]  # set by somebody else, so it must be changed at the first sign-in
    disabled: Mapped[datetime | None]
    created: Mapped[datetime]
    factor_secret: Mapped[str | None] = mapped_column(String(200))  # encrypted, base64
    factor_since: Mapped[datetime | None]  # when the second factor became active; None: not confirmed yet
    factor_step: Mapped[int] = mapped_column(BigInteger, default=0)  # time step of the last code used
    subject: Mapped[str | None] = mapped_column(String(64))  # a hash of the identity at the provider
    language: Mapped[str] = mapped_column(String(8), default="")  # of pages; empty: as the browser asks


class RecoveryCode(Base):
    """A single-use replacement for a code of the second factor. Only its SHA-256 is stored."""

    __tablename__ = "recovery_codes"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    used: Mapped[datetime | None]


class SessionRow(Base):
    """A session of a signed-in user. Only the cookie holds the token; the id is its SHA-256."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    started: Mapped[datetime]
    seen: Mapped[datetime]  # the last request, to the minute
    confirmed: Mapped[datetime]  # when the password was last entered
    address: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str] = mapped_column(String(200))  # the browser's User-Agent
    way: Mapped[str] = mapped_column(String(16), default="password")  # or "provider"

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class SignInFailure(Base):
    """Consecutive wrong passwords for one account from one place, for throttling."""

    __tablename__ = "sign_in_failures"

    place: Mapped[str] = mapped_column(String(64), primary_key=True)  # a hash of account and place
    count: Mapped[int]
    last: Mapped[datetime]


class ApiToken(Base):
    """A token of the API. Only its SHA-256 is stored."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    scopes: Mapped[str] = mapped_column(String(255))  # separated by spaces
    user_id: Mapped[int | None]  # the owner; None: the local user of this machine
    made: Mapped[datetime]
    expires: Mapped[datetime | None]
    used: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


class CaseRow(Base):
    """A case: analyses that belong together, and the people who may see them."""

    __tablename__ = "cases"
    # The custody log refers to cases by number, so the number of a purged case is never reused.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    # Not unique: refusing a duplicate would reveal cases that the user may not see.
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(40))  # a principal's name
    closed: Mapped[datetime | None]  # nothing in the case may change while this is set
    exported: Mapped[datetime | None]  # the last complete export


class CaseMember(Base):
    """A user who may see a case."""

    __tablename__ = "case_members"

    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)


class CaseDetailsRow(Base):
    """Case details of an analysis: a :class:`reports.inputs.case.CaseDetails` as JSON."""

    __tablename__ = "case_details"

    analysis_id: Mapped[str] = mapped_column(ForeignKey("analyses.id"), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    changed: Mapped[datetime]


class AnnotationRow(Base):
    """An annotation of an analysis; ``body`` is a :data:`reports.review.annotations.Annotation` as JSON.

    Rows are added and never changed. The other columns repeat what searches need.
    """

    __tablename__ = "annotations"
    __table_args__ = (Index("annotations_author", "author", "analysis_id"),)

    analysis_id: Mapped[str] = mapped_column(ForeignKey("analyses.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    author: Mapped[str] = mapped_column(String(80))  # or the importing user, if the author is not verified
    verdict: Mapped[str | None] = mapped_column(String(16))
    made: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)


class CaseReview(Base):
    """The reviewers of a case, and what the second reviewer must not see before judging.

    ``blind`` is a :data:`reports.review.second_review.Hidden`, read by :mod:`webapp.casework.blinding`.
    """

    __tablename__ = "case_reviews"

    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    first_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    second_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    third_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # decides differences
    blind: Mapped[str] = mapped_column(String(16))
    named: Mapped[datetime]


class ReviewStatement(Base):
    """A judgement, message, proposal, acceptance or decision of a second review.

    Rows are added and never changed. ``body`` is JSON as defined by :mod:`reports.review.second_review`; the
    other columns repeat what searches need.
    """

    __tablename__ = "review_statements"

    analysis_id: Mapped[str] = mapped_column(ForeignKey("analyses.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    part: Mapped[str] = mapped_column(String(8))
    made: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)


class CustodyRow(Base):
    """One entry of the custody log (:mod:`reports.custody.format`). Triggers reject changes and deletions.

    No foreign keys: an entry outlives the rows it refers to.
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


class FingerprintRow(Base):
    """The perceptual fingerprint of an exhibit (:mod:`detector.fingerprint`), deleted with the exhibit."""

    __tablename__ = "fingerprints"
    # Ids are never reused: blocks of the index refer to them.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    exhibit_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), unique=True)
    version: Mapped[int]
    made: Mapped[datetime]
    looks: Mapped[bytes] = mapped_column(LargeBinary)  # 32 bytes each; empty: nothing to search by
    # The last column, so that SQLite can read the others without it.
    body: Mapped[bytes | None] = mapped_column(LargeBinary)  # None: the file could not be read


class FingerprintBlock(Base):
    """The looks of ``SIZE`` consecutive fingerprints in one row, so that one read fetches them.

    Derived data: removed when one of its fingerprints is removed, and built again later.
    """

    __tablename__ = "fingerprint_blocks"
    SIZE: ClassVar[int] = 1024

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # fingerprint id // SIZE
    owners: Mapped[bytes] = mapped_column(LargeBinary)  # int32, the fingerprint id of each look
    codes: Mapped[bytes] = mapped_column(LargeBinary)  # uint64, four columns one after another


class MatchRow(Base):
    """Two exhibits of which one shows the same as the other or a part of it; ``other_id`` was there first.

    ``body`` is a :class:`detector.fingerprint.match.Match` as JSON, seen from ``exhibit_id``.
    """

    __tablename__ = "matches"

    exhibit_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"), primary_key=True, index=True)
    of_all: Mapped[bool]  # complete copies of one another, not only parts
    found: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)


class Milestone(Base):
    """A named event in the life of a data folder, and when it happened."""

    __tablename__ = "milestones"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    reached: Mapped[datetime]


class Choice(Base):
    """A choice a person made for the whole data folder; without a row the shipped default applies."""

    __tablename__ = "choices"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
    made: Mapped[datetime]


class KeyedRequest(Base):
    """A request that carried an Idempotency-Key, and its response once there is one."""

    __tablename__ = "keyed_requests"

    who: Mapped[str] = mapped_column(String(120), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    identity: Mapped[str] = mapped_column(String(32))  # id of the row the request creates
    started: Mapped[datetime]
    status: Mapped[int | None]
    headers: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)


class UploadRow(Base):
    """A resumable upload; its bytes are in ``uploads/`` (:mod:`webapp.exhibits.uploads.resumable`)."""

    __tablename__ = "uploads"
    __table_args__ = (Index("uploads_expires", "expires"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    who: Mapped[str] = mapped_column(String(120))
    file: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)  # bytes flushed to disk; the file may hold more
    sha256: Mapped[str | None] = mapped_column(String(64))  # as announced
    created: Mapped[datetime]
    expires: Mapped[datetime]
    analysis_id: Mapped[str | None] = mapped_column(String(32))  # the analysis started from it


class WebhookRow(Base):
    """A webhook: an address that is notified of finished jobs and of alerts."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    events: Mapped[str] = mapped_column(String(255))  # separated by spaces
    who: Mapped[str] = mapped_column(String(120))
    made: Mapped[datetime]


class Delivery(Base):
    """A message queued for one webhook; the same event is never queued twice."""

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
    due: Mapped[datetime | None]  # None: delivered, or given up
    delivered: Mapped[datetime | None]
    status: Mapped[int | None]  # of the last response
    problem: Mapped[str | None] = mapped_column(String(300))  # why the last attempt failed
