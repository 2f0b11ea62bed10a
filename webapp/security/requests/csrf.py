"""Forms carry a token of the session they were made for; a request without it is refused (CSRF)."""

from __future__ import annotations

import hmac
import secrets

from flask import current_app, g, request
from markupsafe import Markup

from webapp.storage.key_files import mac
from webapp.storage.tables import SessionRow

CSRF_FIELD, CSRF_HEADER = "csrf_token", "X-CSRF-Token"


def csrf_token() -> str:
    """What forms of this session bring along; empty where there is no session to steal.

    Another text each time, under a mask that comes with it: answers are compressed, and their
    lengths must not tell what is in them (BREACH).
    """
    token = bytes.fromhex(_csrf_token())
    mask = secrets.token_bytes(len(token))
    return (mask + _masked(token, mask)).hex()


def _csrf_token() -> str:
    row: SessionRow | None = g.get("session")
    return mac(current_app.extensions["secret"], "form", row.id) if row is not None else ""


def _masked(text: bytes, mask: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(text, mask, strict=True))


def csrf_input() -> Markup:
    """The same as a hidden field of a form."""
    token = csrf_token()
    return (
        Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, token) if token else Markup()
    )


def brings_token() -> bool:
    """Whether the request brings its session's token, in a header or in its form."""
    brought = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    try:
        both = bytes.fromhex(brought)
        token = _masked(both[len(both) // 2 :], both[: len(both) // 2])
    except ValueError:
        return False
    return hmac.compare_digest(token, bytes.fromhex(_csrf_token()))
