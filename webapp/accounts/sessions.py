"""Sessions on the server, and their random token in a cookie that no script reads."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from flask import Response, current_app, request
from sqlalchemy import ColumnElement, Update, delete, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug.http import parse_cookie
from werkzeug.wrappers import Response as Answer

from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.key_files import mac
from webapp.storage.tables import CLOCK_TOLERANCE, SessionRow, User, now

log = logging.getLogger(__name__)


def record_last_use(database: Database, use: Update) -> None:
    """Write it, where that can be done: a full disk keeps nobody from what is there to be read."""
    try:
        with database.begin() as session:
            session.execute(use)
    except OperationalError as problem:
        log.warning("when a session or token was last used cannot be noted: %s", problem.orig)


# How exact "seen" is: a write for every request would be many.
_EXACT = timedelta(minutes=1)
# How long after the password was given accounts may be changed.
CONFIRMED_FOR = timedelta(minutes=15)


def start_session(
    session: Session, user: User, address: str, agent: str, moment: datetime, way: str = "password"
) -> str:
    """A new session; returns its token, which is kept nowhere."""
    token = secrets.token_urlsafe(32)
    session.add(
        SessionRow(
            id=hash_token(token),
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


def find_session(session: Session, settings: Settings, token: str, moment: datetime) -> SessionRow | None:
    """The session of a token while it lasts."""
    row = session.get(SessionRow, hash_token(token))
    if row is None or row.user.disabled is not None or _has_expired(row, settings, moment):
        return None
    return row


def touch_session(database: Database, row: SessionRow, moment: datetime) -> None:
    """Note that it is used."""
    if moment - row.seen >= _EXACT:
        record_last_use(database, update(SessionRow).where(SessionRow.id == row.id).values(seen=moment))


def list_sessions_of(
    session: Session, settings: Settings, user_id: int, moment: datetime
) -> list[SessionRow]:
    """The sessions of an account that last, the latest used first."""
    query = select(SessionRow).where(SessionRow.user_id == user_id).order_by(SessionRow.seen.desc())
    return [row for row in session.scalars(query) if not _has_expired(row, settings, moment)]


def end_sessions(session: Session, *conditions: ColumnElement[bool]) -> int:
    """End the sessions that fit; how many."""
    return int(session.execute(delete(SessionRow).where(*conditions)).rowcount)  # type: ignore[attr-defined]


def end_sessions_of(session: Session, user_id: int, but: str = "") -> int:
    """End all sessions of an account, ``but`` one."""
    return end_sessions(session, SessionRow.user_id == user_id, SessionRow.id != but)


def forget_ended_sessions(session: Session, settings: Settings, moment: datetime) -> None:
    """Remove the rows of sessions that idled out, grew too old, or lie ahead."""
    idle, old, ahead = moment - settings.idle, moment - settings.longest_session, moment + CLOCK_TOLERANCE
    end_sessions(
        session,
        or_(
            SessionRow.seen < idle,
            SessionRow.started < old,
            SessionRow.seen > ahead,
            SessionRow.started > ahead,
        ),
    )


def hash_token(token: str) -> str:
    """What is stored of a token."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def _has_expired(row: SessionRow, settings: Settings, moment: datetime) -> bool:
    idle, age = moment - row.seen, moment - row.started
    # One that lies ahead, by a clock that ran ahead, would last longer than any may.
    return idle >= settings.idle or age >= settings.longest_session or min(idle, age) < -CLOCK_TOLERANCE


SESSION_COOKIE = "reelproof"  # without the prefix of https: cookie_name
_DEVICE = "reelproof-device"
_DEVICE_AGE = timedelta(days=365)


def session_cookie(headers: Mapping[str, str]) -> str:
    """The session's token among raw headers, whichever scheme it was set under."""
    cookies = parse_cookie(headers.get("COOKIE", ""))
    return cookies.get(f"__Host-{SESSION_COOKIE}") or cookies.get(SESSION_COOKIE) or ""


def set_session_cookie(response: Any, user: User, token: str) -> None:
    """Give the browser its session, and remember it as one that knows the account."""
    set_cookie(response, SESSION_COOKIE, token)
    if known_device(user.name) is None:
        made = f"{now():%Y%m%d}.{hash_token(token)[:32]}"
        key = mac(current_app.extensions["secret"], "device", f"{user.name}\0{made}")
        set_cookie(response, _DEVICE, f"{made}.{key}", _DEVICE_AGE)


def clear_session_cookie(response: Response | Answer) -> None:
    """Take the session's cookie away, and what the browser kept of pages."""
    clear_cookie(response, SESSION_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def clear_cookie(response: Response | Answer, name: str) -> None:
    """Take a cookie away."""
    response.delete_cookie(cookie_name(name), secure=request.is_secure, httponly=True, samesite="Lax")


def known_device(name: str) -> str | None:
    """What tells this browser apart, if it has signed in to this account before."""
    text, _, key = request.cookies.get(cookie_name(_DEVICE), "").rpartition(".")
    right = mac(current_app.extensions["secret"], "device", f"{name}\0{text}")
    return text if text and hmac.compare_digest(key.encode(), right.encode()) else None


def set_cookie(response: Any, name: str, value: str, age: timedelta | None = None) -> None:
    """Give the browser a cookie that no script reads."""
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=age,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def cookie_name(name: str) -> str:
    """Behind https no other host of the domain can set or overwrite the cookie."""
    return f"__Host-{name}" if request.is_secure else name
