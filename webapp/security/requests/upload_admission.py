"""Large uploads, looked at before their bodies are taken in.

The server keeps a whole request on the disk before the app sees it. With login on, nobody
unknown may fill the disk that way, and nobody may send more than a few at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from webapp.errors import UserError
from webapp.security import api_tokens
from webapp.security.access.permissions import Permission
from webapp.security.requests import request_guard
from webapp.security.sign_in import cookies
from webapp.settings import Settings

log = logging.getLogger(__name__)

# What any form without files needs; larger bodies are uploads.
SMALL = 512 * 1024


def _later(status: int, error: str, remedy: str, seconds: int) -> UserError:
    refusal = UserError(status, error, remedy)
    refusal.retry_after = seconds
    return refusal


_NOT_SIGNED_IN = "You are not signed in, or your token does not work (any more)."
NOT_SIGNED_IN = UserError(
    401,
    _NOT_SIGNED_IN,
    f"Sign in, or send a token {api_tokens.MADE}. Then hand the file in again.",
)
# Of a part of an upload: those that came before are kept.
NOT_SIGNED_IN_FOR_PART = UserError(
    401,
    _NOT_SIGNED_IN,
    f"Send a token {api_tokens.MADE}. The parts that arrived are kept for a day: ask with HEAD where to go "
    "on, then send the part that starts there.",
)
NOT_ALLOWED = UserError(403, "Your role does not hand in files.", "Ask an administrator for another one.")
TOO_MANY = _later(
    429, "You are sending as many files as you may at once.", "Wait until one has arrived.", seconds=5
)
_UNKNOWN = "The database cannot be reached, or is busy."
UNKNOWN = _later(503, _UNKNOWN, "Try again in a minute. Nothing of the file was kept.", seconds=10)
UNKNOWN_FOR_PART = _later(
    503, _UNKNOWN, "Send the same part again in a minute: those before it are kept.", seconds=10
)
_BRINGS_FILES = (Permission.ANALYSE, Permission.ANNOTATE, Permission.CONFIGURE)


class Admission:
    """Counts the uploads on their way in. Used by the server's one thread that reads."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._settings: Settings = app.extensions["settings"]
        self._under_way: Counter[str] = Counter()

    def enter(
        self, headers: Mapping[str, str], length: int | None, *, is_part: bool = False
    ) -> UserError | str:
        """Why a body of ``length`` bytes (none: not said) is refused, or who sends it, for :meth:`leave`.

        An empty name needs no leaving. ``headers`` are named as waitress names them. ``is_part`` says that it
        is one of an upload that can be gone on with.
        """
        if not self._settings.login or (length is not None and length <= SMALL):
            return ""
        authorization, cookie = headers.get("AUTHORIZATION", ""), cookies.session_cookie(headers)
        # Nothing is written here: the one thread that reads must not wait for whoever writes.
        try:
            who, row = request_guard.identify(self._app, authorization, cookie, used=False)
        except SQLAlchemyError as problem:
            log.error("an upload is refused: %s", getattr(problem, "orig", problem))
            return UNKNOWN_FOR_PART if is_part else UNKNOWN
        if who is None or (row is not None and row.user.one_time):
            return NOT_SIGNED_IN_FOR_PART if is_part else NOT_SIGNED_IN
        if not any(who.may(permission) for permission in _BRINGS_FILES):
            return NOT_ALLOWED
        if self._under_way[who.name] >= self._settings.uploads_at_once:
            return TOO_MANY
        self._under_way[who.name] += 1
        return who.name

    def leave(self, name: str) -> None:
        """An upload has arrived, or broke off."""
        if name:
            self._under_way[name] -= 1
            self._under_way += Counter()  # forgets zeros
