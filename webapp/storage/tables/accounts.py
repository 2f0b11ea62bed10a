"""Accounts: who signs in, how, and which programs ask in whose name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.storage.tables.base import Base


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

    :mod:`webapp.security.sign_in.login_throttle` counts them.
    """

    __tablename__ = "sign_in_failures"

    place: Mapped[str] = mapped_column(String(64), primary_key=True)  # a hash of account and place
    count: Mapped[int]
    last: Mapped[datetime]


class ApiToken(Base):
    """A token of the API; only its SHA-256 is kept (:mod:`webapp.security.api_tokens`)."""

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
