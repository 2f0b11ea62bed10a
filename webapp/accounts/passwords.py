"""Passwords: hash, verify, refuse weak ones, and slow down guessing."""

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

from reports.language.translation import N_, gettext
from webapp.http.request_values import client_network
from webapp.storage.tables import CLOCK_TOLERANCE, SignInFailure

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256  # characters
# zxcvbn's scale of 0 to 4; 3 stands for more than a hundred million guesses.
_STRONG_ENOUGH = 3
# Characters that zxcvbn sees. It tries all ways in which symbols may stand for letters, and takes five
# seconds for 72, its own most.
_LOOKED_AT = 40
# By what zxcvbn calls the longest stretch of a password; of one that it does not recognise nothing is said.
_WHY = {
    "dictionary": N_("Common words, names and passwords, and what resembles them, are tried first."),
    "spatial": N_("Keys that lie side by side are tried first."),
    "repeat": N_("Characters that repeat add next to nothing."),
    "sequence": N_("Letters and figures in their order are tried first."),
    "regex": N_("Years and dates are tried first."),
    "date": N_("Years and dates are tried first."),
}
_AT_ONCE = 2  # hashes computed at a time: 64 MiB each, whoever asks
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for something else


@dataclass(frozen=True)
class Cost:
    """Argon2id's parameters."""

    memory: int = 64 * 1024  # KiB
    passes: int = 3
    lanes: int = 1


class Passwords:
    """Hashes and compares. One object an app; safe in several threads."""

    def __init__(self, cost: Cost = Cost()) -> None:  # noqa: B008  (frozen)
        self._hasher = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory, parallelism=cost.lanes, type=Type.ID
        )
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """What to keep of a password."""
        with self._room:
            return self._hasher.hash(password)

    def verify(self, kept: str | None, password: str) -> bool:
        """Whether it is the password. With nothing kept it takes as long and is not."""
        with self._room:
            dummy = self._dummy  # whoever asks first waits for it, whether there is an account or not
            try:
                self._hasher.verify(kept or dummy, password[: LONGEST_PASSWORD + 1])
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None

    @cached_property
    def _dummy(self) -> str:
        """A hash that no password has, compared with where there is no account; made when first needed."""
        return self._hasher.hash(secrets.token_hex(16))

    def outdated(self, kept: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


def password_weakness(password: str, about: Iterable[str] = ()) -> str | None:
    """Why this cannot be a password, in the language spoken now; None if it can.

    ``about`` are names of the person: a password made of them is guessed early.
    """
    if len(password) < SHORTEST_PASSWORD:
        return gettext(
            "The password is too short: at least %(least)s characters, such as four unrelated words.",
            least=SHORTEST_PASSWORD,
        )
    if len(password) > LONGEST_PASSWORD:
        return gettext("The password is too long: at most %(most)s characters.", most=LONGEST_PASSWORD)
    from zxcvbn import zxcvbn  # its word lists take a while to load

    known = [word for name in about for word in (name, "".join(name.split()), *name.split())]
    found = zxcvbn(password[:_LOOKED_AT], user_inputs=[*known, "reelproof"])
    if found["score"] < _STRONG_ENOUGH:
        longest = max(found["sequence"], key=lambda part: len(part["token"]))
        if why := _WHY.get(longest["pattern"]):
            return gettext("This password is guessed early: %(why)s Choose another one.", why=gettext(why))
        return gettext("This password is guessed early. Choose another one.")
    return None


def generate_password() -> str:
    """A password to give out once: 20 characters, 99 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)


_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Bucket:
    """One count: its key, how many tries are free, and how long the longest wait is."""

    key: str
    free: int
    longest: timedelta

    def wait(self, count: int) -> timedelta:
        """How long after the last of ``count`` wrong tries the next may come."""
        if count < self.free:
            return timedelta()
        return min(self.longest, timedelta(seconds=2 ** min(count - self.free, 20)))


def throttle_buckets(name: str, address: str, device: str | None) -> tuple[Bucket, ...]:
    """The counts a try at this account from this place belongs to. ``device`` is a known browser's."""
    if device is not None:
        return (_bucket(f"device\0{name}\0{device}", 5, 5),)
    place = client_network(address)
    return _bucket(f"account\0{name}\0{place}", 3, 15), _bucket(f"address\0{place}", 30, 1)


def code_bucket(name: str) -> tuple[Bucket, ...]:
    """The count of wrong codes of an account's second factor, from wherever."""
    return (_bucket(f"code\0{name}", 5, 15),)


def throttle_attempt(session: Session, counted: tuple[Bucket, ...], moment: datetime) -> timedelta:
    """Count a try; or, with how long it is until the next may be made, do not.

    The session must be alone (:meth:`webapp.storage.database.Database.alone`).
    """
    # One that lies ahead would keep everybody out until that moment, with the right password too.
    gone = or_(SignInFailure.last < moment - _FORGOTTEN_AFTER, SignInFailure.last > moment + CLOCK_TOLERANCE)
    session.execute(delete(SignInFailure).where(gone))
    rows = [(bucket, session.get(SignInFailure, bucket.key)) for bucket in counted]
    left = [row.last + bucket.wait(row.count) - moment for bucket, row in rows if row is not None]
    if left and max(left) > timedelta():
        return max(left)
    for bucket, row in rows:
        if row is None:
            session.add(SignInFailure(place=bucket.key, count=1, last=moment))
        else:
            row.count, row.last = row.count + 1, moment
    return timedelta()


def forget_attempts(session: Session, counted: tuple[Bucket, ...]) -> None:
    """Take back a try that was right.

    Only the first count starts anew: one right password must not hide thirty wrong ones for other accounts,
    so of the others only this try is taken back.
    """
    for bucket, row in ((b, session.get(SignInFailure, b.key)) for b in counted):
        if row is not None:
            row.count = 0 if bucket is counted[0] else max(0, row.count - 1)


def _bucket(text: str, free: int, minutes: int) -> Bucket:
    # A hash, so that what somebody typed into the wrong field is not kept.
    return Bucket(sha256(text.encode("utf-8", "replace")).hexdigest(), free, timedelta(minutes=minutes))
