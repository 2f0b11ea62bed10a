"""Sessions on the server, and their random token in a cookie that no script reads.

The token is 256 random bits; only its SHA-256 is stored. A session ends by signing out, by idling, by its
age, when its account is disabled, and when role or password change.
"""

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
from werkzeug.wrappers import Response as WerkzeugResponse

from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.key_files import mac
from webapp.storage.tables import CLOCK_TOLERANCE, SessionRow, User, now

log = logging.getLogger(__name__)

CONFIRMED_FOR = timedelta(minutes=15)  # after entering the password: how long accounts may be changed
SESSION_COOKIE = "reelproof"  # without the prefix of https: cookie_name
_LAST_USE_RESOLUTION = timedelta(minutes=1)  # or each request would write
_DEVICE_COOKIE = "reelproof-device"
_DEVICE_COOKIE_AGE = timedelta(days=365)


def record_last_use(database: Database, statement: Update) -> None:
    """Store when a session or token was last used; a full disk does not prevent reading."""
    try:
        with database.begin() as session:
            session.execute(statement)
    except OperationalError as error:
        log.warning("cannot store when a session or token was last used: %s", error.orig)


def start_session(
    session: Session, user: User, address: str, agent: str, moment: datetime, way: str = "password"
) -> str:
    """Start a session and return its token, which is not stored."""
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
    """Find the session of a token unless it has expired."""
    row = session.get(SessionRow, hash_token(token))
    if row is None or row.user.disabled is not None or _has_expired(row, settings, moment):
        return None
    return row


def touch_session(database: Database, row: SessionRow, moment: datetime) -> None:
    """Record that a session is in use."""
    if moment - row.seen >= _LAST_USE_RESOLUTION:
        record_last_use(database, update(SessionRow).where(SessionRow.id == row.id).values(seen=moment))


def list_sessions_of(
    session: Session, settings: Settings, user_id: int, moment: datetime
) -> list[SessionRow]:
    """List the sessions of an account that have not expired, the latest used first."""
    query = select(SessionRow).where(SessionRow.user_id == user_id).order_by(SessionRow.seen.desc())
    return [row for row in session.scalars(query) if not _has_expired(row, settings, moment)]


def end_sessions(session: Session, *conditions: ColumnElement[bool]) -> int:
    """End the sessions that meet the conditions; return how many."""
    return int(session.execute(delete(SessionRow).where(*conditions)).rowcount)  # type: ignore[attr-defined]


def end_sessions_of(session: Session, user_id: int, except_session: str = "") -> int:
    """End all sessions of an account except one."""
    return end_sessions(session, SessionRow.user_id == user_id, SessionRow.id != except_session)


def delete_expired_sessions(session: Session, settings: Settings, moment: datetime) -> None:
    """Delete the rows of sessions that idled out, are too old, or lie in the future."""
    ahead = moment + CLOCK_TOLERANCE
    end_sessions(
        session,
        or_(
            SessionRow.seen < moment - settings.idle,
            SessionRow.started < moment - settings.longest_session,
            SessionRow.seen > ahead,
            SessionRow.started > ahead,
        ),
    )


def hash_token(token: str) -> str:
    """Return the hash under which a token is stored."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def _has_expired(row: SessionRow, settings: Settings, moment: datetime) -> bool:
    idle, age = moment - row.seen, moment - row.started
    # A session in the future, from a clock that was fast, would last longer than any may.
    return idle >= settings.idle or age >= settings.longest_session or min(idle, age) < -CLOCK_TOLERANCE


def session_cookie(headers: Mapping[str, str]) -> str:
    """Read the session's token from raw headers, for either scheme."""
    cookies = parse_cookie(headers.get("COOKIE", ""))
    return cookies.get(f"__Host-{SESSION_COOKIE}") or cookies.get(SESSION_COOKIE) or ""


def set_session_cookie(response: Any, user: User, token: str) -> None:
    """Set the session's cookie, and mark the browser as one that knows the account."""
    set_cookie(response, SESSION_COOKIE, token)
    if known_device(user.name) is None:
        device = f"{now():%Y%m%d}.{hash_token(token)[:32]}"
        set_cookie(response, _DEVICE_COOKIE, f"{device}.{_device_mac(user.name, device)}", _DEVICE_COOKIE_AGE)


def clear_session_cookie(response: Response | WerkzeugResponse) -> None:
    """Delete the session's cookie and what the browser stored of pages."""
    clear_cookie(response, SESSION_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def clear_cookie(response: Response | WerkzeugResponse, name: str) -> None:
    """Delete a cookie."""
    response.delete_cookie(cookie_name(name), secure=request.is_secure, httponly=True, samesite="Lax")


def known_device(name: str) -> str | None:
    """Return what identifies this browser if it has signed in to the account before."""
    device, _, signature = request.cookies.get(cookie_name(_DEVICE_COOKIE), "").rpartition(".")
    expected = _device_mac(name, device)
    return device if device and hmac.compare_digest(signature.encode(), expected.encode()) else None


def _device_mac(name: str, device: str) -> str:
    return mac(current_app.extensions["secret"], "device", f"{name}\0{device}")


def set_cookie(response: Any, name: str, value: str, age: timedelta | None = None) -> None:
    """Set a cookie that no script reads."""
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
    """Return a cookie's name: with the prefix of https no other host of the domain can set it."""
    return f"__Host-{name}" if request.is_secure else name
