"""Who is signed in: sessions on the server, a random token in a cookie.

The token is 256 random bits; only its SHA-256 is stored. A session ends by signing out, by
lying idle, by its age, when its account is disabled, and when role or password change.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from webapp.security import last_use
from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.tables import AHEAD, SessionRow, User

# How exact "seen" is: a write for every request would be many.
_EXACT = timedelta(minutes=1)
# How long after the password was given accounts may be changed.
CONFIRMED_FOR = timedelta(minutes=15)


def start(
    session: Session, user: User, address: str, agent: str, moment: datetime, way: str = "password"
) -> str:
    """A new session; returns its token, which is kept nowhere."""
    token = secrets.token_urlsafe(32)
    session.add(
        SessionRow(
            id=hashed(token),
            user=user,
            started=moment,
            seen=moment,
            confirmed=moment,
            address=address[:45],
            agent="".join(char for char in agent if char.isprintable())[:200],
            way=way,
        )
    )
    return token


def find(session: Session, settings: Settings, token: str, moment: datetime) -> SessionRow | None:
    """The session of a token while it lasts."""
    row = session.get(SessionRow, hashed(token))
    if row is None or row.user.disabled is not None or _has_expired(row, settings, moment):
        return None
    return row


def touch(database: Database, row: SessionRow, moment: datetime) -> None:
    """Note that it is used."""
    if moment - row.seen >= _EXACT:
        last_use.note(database, update(SessionRow).where(SessionRow.id == row.id).values(seen=moment))


def of_user(session: Session, settings: Settings, user_id: int, moment: datetime) -> list[SessionRow]:
    """The sessions of an account that last, the latest used first."""
    query = select(SessionRow).where(SessionRow.user_id == user_id).order_by(SessionRow.seen.desc())
    return [row for row in session.scalars(query) if not _has_expired(row, settings, moment)]


def end(session: Session, *conditions: ColumnElement[bool]) -> int:
    """End the sessions that fit; how many."""
    return int(session.execute(delete(SessionRow).where(*conditions)).rowcount)  # type: ignore[attr-defined]


def end_of_user(session: Session, user_id: int, but: str = "") -> int:
    """End all sessions of an account, ``but`` one."""
    return end(session, SessionRow.user_id == user_id, SessionRow.id != but)


def forget_ended(session: Session, settings: Settings, moment: datetime) -> None:
    """Remove the rows of sessions that idled out, grew too old, or lie ahead."""
    idle, old, ahead = moment - settings.idle, moment - settings.longest_session, moment + AHEAD
    end(
        session,
        or_(
            SessionRow.seen < idle,
            SessionRow.started < old,
            SessionRow.seen > ahead,
            SessionRow.started > ahead,
        ),
    )


def hashed(token: str) -> str:
    """What is stored of a token."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def _has_expired(row: SessionRow, settings: Settings, moment: datetime) -> bool:
    idle, age = moment - row.seen, moment - row.started
    # One that lies ahead, by a clock that ran ahead, would last longer than any may.
    return idle >= settings.idle or age >= settings.longest_session or min(idle, age) < -AHEAD
