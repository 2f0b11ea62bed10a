"""Passwords: hash, verify, refuse weak ones, and slow down guessing.

Hashes are Argon2id (RFC 9106) with 64 MiB, three passes and one lane, more than OWASP's password storage
cheat sheet asks for. Rules follow NIST SP 800-63B: a minimum length and a test for passwords that are guessed
early, but no rules about kinds of characters.

Wrong passwords are counted by account *and* place, never by account alone, so a stranger cannot lock out the
owner. A place is a browser that has signed in to this account before (a signed cookie proves it) or, for all
others, a network address (of IPv6, the first 64 bits). A second, wider count by address alone slows down
trying one password on many accounts; known browsers are exempt from it. After a few free attempts each
further one doubles the wait. An attempt is counted before its password is checked, so that parallel attempts
gain nothing, and taken back when it succeeds.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from language.translation import N_, gettext
from webapp.http.request_values import client_network
from webapp.storage.tables import CLOCK_TOLERANCE, SignInFailure

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256  # characters
_MIN_SCORE = 3  # of zxcvbn, from 0 to 4: more than a hundred million guesses
# zxcvbn tries all ways in which symbols may stand for letters: 72 characters, its own limit, take 5 seconds.
_CHECKED_CHARACTERS = 40
# Explanations by the pattern that zxcvbn reports for the longest part of the password.
_EXPLANATIONS = {
    "dictionary": N_("Common words, names and passwords, and similar ones, are tried first."),
    "spatial": N_("Adjacent keys are tried first."),
    "repeat": N_("Repeated characters add almost no strength."),
    "sequence": N_("Sequences of letters and digits are tried first."),
    "regex": N_("Years and dates are tried first."),
    "date": N_("Years and dates are tried first."),
}
_CONCURRENT_HASHES = 2  # each takes 64 MiB
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without characters that are mistaken for others
_FAILURES_EXPIRE_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Cost:
    """Parameters of Argon2id."""

    memory: int = 64 * 1024  # KiB
    passes: int = 3
    lanes: int = 1


class Passwords:
    """Hash and verify passwords. Each app has one instance, which threads may share."""

    def __init__(self, cost: Cost = Cost()) -> None:  # noqa: B008  (frozen)
        self._hasher = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory, parallelism=cost.lanes, type=Type.ID
        )
        self._slots = threading.BoundedSemaphore(_CONCURRENT_HASHES)

    def hash(self, password: str) -> str:
        """Hash a password."""
        with self._slots:
            return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Check a password. Without a stored hash this takes as long and returns False."""
        with self._slots:
            dummy = (
                self._dummy
            )  # computed in any case, so that the first caller waits with or without account
            try:
                self._hasher.verify(stored or dummy, password[: LONGEST_PASSWORD + 1])
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    @cached_property
    def _dummy(self) -> str:
        return self._hasher.hash(secrets.token_hex(16))

    def outdated(self, stored: str) -> bool:
        """Tell whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)


def password_weakness(password: str, about: Iterable[str] = ()) -> str | None:
    """Explain, in the current language, why a password is refused; None if it is accepted.

    ``about`` are names of the person: passwords made of them are guessed early.
    """
    if len(password) < SHORTEST_PASSWORD:
        return gettext(
            "The password is too short: at least %(least)s characters, such as four unrelated words.",
            least=SHORTEST_PASSWORD,
        )
    if len(password) > LONGEST_PASSWORD:
        return gettext("The password is too long: at most %(most)s characters.", most=LONGEST_PASSWORD)
    from zxcvbn import zxcvbn  # its word lists take a while to load

    words = [word for name in about for word in (name, "".join(name.split()), *name.split())]
    estimate = zxcvbn(password[:_CHECKED_CHARACTERS], user_inputs=[*words, "reelproof"])
    if estimate["score"] >= _MIN_SCORE:
        return None
    longest = max(estimate["sequence"], key=lambda part: len(part["token"]))
    if why := _EXPLANATIONS.get(longest["pattern"]):
        return gettext("This password is easy to guess: %(why)s Choose another one.", why=gettext(why))
    return gettext("This password is easy to guess. Choose another one.")


def generate_password() -> str:
    """Generate a one-time password of 20 characters, 99 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)


@dataclass(frozen=True)
class Bucket:
    """One count of failures: its key, the number of free attempts, and the longest wait."""

    key: str
    free: int
    longest: timedelta

    def wait(self, count: int) -> timedelta:
        """Return how long after the last of ``count`` failures the next attempt is allowed."""
        if count < self.free:
            return timedelta()
        return min(self.longest, timedelta(seconds=2 ** min(count - self.free, 20)))


def throttle_buckets(name: str, address: str, device: str | None) -> tuple[Bucket, ...]:
    """Return the counts for an attempt at an account from an address or a known browser, ``device``."""
    if device is not None:
        return (_bucket(f"device\0{name}\0{device}", 5, 5),)
    network = client_network(address)
    return _bucket(f"account\0{name}\0{network}", 3, 15), _bucket(f"address\0{network}", 30, 1)


def code_bucket(name: str) -> tuple[Bucket, ...]:
    """Return the count of wrong codes of an account's second factor, from any place."""
    return (_bucket(f"code\0{name}", 5, 15),)


def throttle_attempt(session: Session, buckets: tuple[Bucket, ...], moment: datetime) -> timedelta:
    """Count an attempt and return a zero wait; or return the remaining wait without counting.

    The session must be alone (:meth:`webapp.storage.database.Database.alone`).
    """
    # A failure in the future would keep everybody out until then, even with the right password.
    expired = or_(
        SignInFailure.last < moment - _FAILURES_EXPIRE_AFTER, SignInFailure.last > moment + CLOCK_TOLERANCE
    )
    session.execute(delete(SignInFailure).where(expired))
    rows = [(bucket, session.get(SignInFailure, bucket.key)) for bucket in buckets]
    waits = [row.last + bucket.wait(row.count) - moment for bucket, row in rows if row is not None]
    if waits and max(waits) > timedelta():
        return max(waits)
    for bucket, row in rows:
        if row is None:
            session.add(SignInFailure(place=bucket.key, count=1, last=moment))
        else:
            row.count, row.last = row.count + 1, moment
    return timedelta()


def forget_attempts(session: Session, buckets: tuple[Bucket, ...]) -> None:
    """Take back an attempt that succeeded.

    Only the first count is reset. From the others only this attempt is subtracted: one right password must
    not hide thirty wrong ones for other accounts.
    """
    for bucket in buckets:
        if (row := session.get(SignInFailure, bucket.key)) is not None:
            row.count = 0 if bucket is buckets[0] else max(0, row.count - 1)


def _bucket(text: str, free: int, minutes: int) -> Bucket:
    # Hashed: somebody may have typed a password into the field of the name.
    return Bucket(sha256(text.encode("utf-8", "replace")).hexdigest(), free, timedelta(minutes=minutes))
