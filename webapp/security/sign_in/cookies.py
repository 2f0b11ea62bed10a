"""Cookies: a browser's session, and that it has signed in to an account before. No script reads them."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Response, current_app, request
from werkzeug.http import parse_cookie
from werkzeug.wrappers import Response as Answer

from webapp.security.sign_in import sessions
from webapp.storage.key_files import mac
from webapp.storage.tables import User, now

SESSION = "reelproof"  # without the prefix of https: cookie_name
_DEVICE = "reelproof-device"
_DEVICE_AGE = timedelta(days=365)


def session_cookie(headers: Mapping[str, str]) -> str:
    """The session's token among raw headers, whichever scheme it was set under."""
    cookies = parse_cookie(headers.get("COOKIE", ""))
    return cookies.get(f"__Host-{SESSION}") or cookies.get(SESSION) or ""


def set_session_cookie(response: Any, user: User, token: str) -> None:
    """Give the browser its session, and remember it as one that knows the account."""
    set_cookie(response, SESSION, token)
    if known_device(user.name) is None:
        made = f"{now():%Y%m%d}.{sessions.hashed(token)[:32]}"
        key = mac(current_app.extensions["secret"], "device", f"{user.name}\0{made}")
        set_cookie(response, _DEVICE, f"{made}.{key}", _DEVICE_AGE)


def clear_session_cookie(response: Response | Answer) -> None:
    """Take the session's cookie away, and what the browser kept of pages."""
    clear_cookie(response, SESSION)
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
