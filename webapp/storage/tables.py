"""The database tables. Alembic migrations create them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment with no zone rather than guess one."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment its zone again."""
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value


class Base(DeclarativeBase):
    """Root of the tables."""

    type_annotation_map = {datetime: UtcDateTime()}


CLOCK_TOLERANCE = timedelta(minutes=1)
"""What lies further ahead than this was recorded by a clock that ran ahead; requests overtake each other."""


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


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
    # JSON of a `detector.schema.analysis.Summary`, in a column with the name of earlier versions
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


class User(Base):
    """An account. It is never removed, only disabled: the custody log names it."""

    __tablename__ = "users"
    __table_args__ = (Index("users_subject", "subject", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)  # what they sign in as, in small letters
    display: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(16))
    password: Mapped[str] = mapped_column(String(200))  # Argon2id, with its parameters
    password_set: Mapped[datetime]
    one_time: Mapped[bool]  # given out by somebody else; changed at the first sign-in
    disabled: Mapped[datetime | None]
    created: Mapped[datetime]
    factor_secret: Mapped[str | None] = mapped_column(String(200))  # encrypted, base64
    factor_since: Mapped[datetime | None]  # a code is asked for since; none: the secret does not count yet
    factor_step: Mapped[int] = mapped_column(BigInteger, default=0)  # the last that a code was used of
    subject: Mapped[str | None] = mapped_column(String(64))  # a hash of who it is at the provider
    language: Mapped[str] = mapped_column(String(8), default="")  # of pages; empty: what the browser asks for


class RecoveryCode(Base):
    """A code in place of one of the second factor; only its SHA-256 is kept."""

    __tablename__ = "recovery_codes"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    used: Mapped[datetime | None]


class SessionRow(Base):
    """Somebody signed in. The token itself is only in their cookie; here is its SHA-256."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    started: Mapped[datetime]
    seen: Mapped[datetime]  # the last request, to the minute
    confirmed: Mapped[datetime]  # when the password was last given
    address: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str] = mapped_column(String(200))  # what the browser calls itself
    way: Mapped[str] = mapped_column(String(16), default="password")  # or "provider"

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class SignInFailure(Base):
    """Wrong passwords in a row, for one account from one place.

    :mod:`webapp.accounts.passwords` counts them.
    """

    __tablename__ = "sign_in_failures"

    place: Mapped[str] = mapped_column(String(64), primary_key=True)  # a hash of account and place
    count: Mapped[int]
    last: Mapped[datetime]


class ApiToken(Base):
    """A token of the API; only its SHA-256 is kept (:mod:`webapp.accounts.tokens`)."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    scopes: Mapped[str] = mapped_column(String(255))  # separated by spaces
    user_id: Mapped[int | None]  # whose; none: of the person on this machine
    made: Mapped[datetime]
    expires: Mapped[datetime | None]
    used: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


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
    closed: Mapped[datetime | None]  # nothing in it is changed since (:mod:`webapp.cases.closing`)
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

    ``blind`` is a :data:`reports.review.second_review.Hidden`, which :mod:`webapp.review.blinding`
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
    """A file that comes in parts; its bytes lie in ``uploads/``.

    (:mod:`webapp.analyses.uploads.resumable`).
    """

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


class WebhookRow(Base):
    """Where to tell what became of jobs, and of alerts (:mod:`webapp.webhooks.messages`)."""

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


__all__ = [
    "CLOCK_TOLERANCE",
    "AnalysisRow",
    "AnnotationRow",
    "ApiToken",
    "Base",
    "CaseDetailsRow",
    "CaseMember",
    "CaseReview",
    "CaseRow",
    "Choice",
    "ComparisonRow",
    "Condition",
    "CustodyRow",
    "Delivery",
    "Exhibit",
    "FingerprintBlock",
    "FingerprintRow",
    "JOBS",
    "JobRow",
    "KeyedRequest",
    "MatchRow",
    "Milestone",
    "Priority",
    "RecoveryCode",
    "ReviewStatement",
    "SessionRow",
    "SignInFailure",
    "State",
    "UploadRow",
    "User",
    "UtcDateTime",
    "WebhookRow",
    "WorkerRow",
    "now",
]
