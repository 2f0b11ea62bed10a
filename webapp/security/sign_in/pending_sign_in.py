"""Between password and code: a cookie, signed and good for five minutes, says whose password was right.

There is no session yet, so nothing else can be done with it.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import current_app, request
from sqlalchemy.orm import Session

from webapp.security.sign_in import cookies, second_factor
from webapp.storage.key_files import mac
from webapp.storage.tables import User, now

_COOKIE = "reelproof-pending"
_LASTS = timedelta(minutes=5)


def set_cookie(response: Any, user: User) -> None:
    """Remember in the browser that this account's password was right."""
    until = now() + _LASTS
    text = f"{user.id}.{int(until.timestamp())}"
    cookies.set_cookie(response, _COOKIE, f"{text}.{_seal(until, user)}", _LASTS)


def clear_cookie(response: Any) -> None:
    """Forget it."""
    cookies.clear_cookie(response, _COOKIE)


def find(session: Session) -> User | None:
    """The account whose password was right a moment ago, in this browser."""
    parts = request.cookies.get(cookies.cookie_name(_COOKIE), "").split(".")
    if len(parts) != 3 or not all(each.isascii() and each.isdigit() and len(each) < 12 for each in parts[:2]):
        return None
    until, user = datetime.fromtimestamp(int(parts[1]), UTC), session.get(User, int(parts[0]))
    if user is None or user.disabled is not None or user.factor_since is None or until < now():
        return None
    return user if hmac.compare_digest(parts[2].encode(), _seal(until, user).encode()) else None


def _seal(until: datetime, user: User) -> str:
    return mac(current_app.extensions["secret"], "second factor", second_factor.seal(until, user))
