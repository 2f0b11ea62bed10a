"""Slowing down who guesses passwords, without locking out whose account it is.

Wrong passwords are counted by account *and* place, never by account alone, so a stranger
cannot keep somebody else out. A place is a browser that has signed in to this account before
(a signed cookie says so) or, for all others, a network address (of IPv6, the first 64 bits).
A second, wider count by address alone slows down who tries one password on many accounts;
known browsers are not subject to it.

After a few free tries each further one doubles the wait. A try is counted before its
password is looked at, so that many at once gain nothing, and forgotten when it was right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from webapp.http.client_address import network
from webapp.storage.tables import AHEAD, SignInFailure

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


def buckets(name: str, address: str, device: str | None) -> tuple[Bucket, ...]:
    """The counts a try at this account from this place belongs to. ``device`` is a known browser's."""
    if device is not None:
        return (_bucket(f"device\0{name}\0{device}", 5, 5),)
    place = network(address)
    return _bucket(f"account\0{name}\0{place}", 3, 15), _bucket(f"address\0{place}", 30, 1)


def code_bucket(name: str) -> tuple[Bucket, ...]:
    """The count of wrong codes of an account's second factor, from wherever."""
    return (_bucket(f"code\0{name}", 5, 15),)


def try_now(session: Session, counted: tuple[Bucket, ...], moment: datetime) -> timedelta:
    """Count a try; or, with how long it is until the next may be made, do not.

    The session must be alone (:meth:`webapp.storage.database.Database.alone`).
    """
    # One that lies ahead would keep everybody out until that moment, with the right password too.
    gone = or_(SignInFailure.last < moment - _FORGOTTEN_AFTER, SignInFailure.last > moment + AHEAD)
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


def forget(session: Session, counted: tuple[Bucket, ...]) -> None:
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
