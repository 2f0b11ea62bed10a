"""Idempotency-Key: a repeated POST gets its first response and does nothing twice."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Collection
from contextlib import ExitStack
from datetime import timedelta

from flask import Response, g, request
from sqlalchemy import delete, select
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as Answered

from webapp import context
from webapp.accounts.permissions import current
from webapp.errors import UserError
from webapp.http.uploads import Incoming, current_request
from webapp.storage.database import Database
from webapp.storage.tables import KeyedRequest, now

LARGEST_JSON = 256 * 1024  # bytes: the longest note and ten thousand tracks fit well


def small_body() -> bytes:
    """The body of this request.

    Raises :class:`UserError` where it has more than :data:`LARGEST_JSON` bytes, before more of it is read,
    also where the request does not say how long it is.
    """
    # Of a body of unknown length Werkzeug gives as much as the limit, without a word of there being more.
    request.max_content_length = LARGEST_JSON + 1
    try:
        data = request.get_data()
    except RequestEntityTooLarge:
        raise _too_large() from None
    if len(data) > LARGEST_JSON:
        raise _too_large()
    return data


def _too_large() -> UserError:
    return UserError(413, "The body is larger than 256 kB.", "Send less in one request.")


HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT = timedelta(days=1)
# Requests that are being answered, by who sent them and their key. In memory, since one process answers: what
# broke off with the database or with the process is not among them, and is done again.
_UNDER_WAY: set[tuple[str, str]] = set()
_KEY = re.compile(r"[!-~]{1,128}")
_KEPT_HEADERS = ("Content-Type", "Location", "Upload-Offset", "Upload-Expires", "Tus-Resumable")


class StillAnswered(UserError):
    """The first request with a key is still being answered."""

    retry_after = 2

    def __init__(self) -> None:
        super().__init__(
            409,
            "The first request with this Idempotency-Key is still being answered.",
            "Ask again in a moment.",
        )


def once(act: Callable[[], Answered], secret: Callable[[str], str] | None = None) -> Answered:
    """Do what ``act`` does, unless a request with the same key was answered already: then that answer again.

    ``secret`` derives that of what was created from its id, where the answer has one as ``secret``.
    Raises :class:`UserError` for a key that cannot be used, that another request was sent with, or
    whose first request is still being answered, and for a body too large to be compared with that
    of another.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return act()
    if not _KEY.fullmatch(key):
        raise UserError(
            400,
            "The Idempotency-Key cannot be used.",
            "Send 1 to 128 visible ASCII characters, such as a UUID.",
        )
    who, fingerprint = current().name, _fingerprint()
    with ExitStack() as answering:
        with context.database().alone() as session:
            session.execute(delete(KeyedRequest).where(KeyedRequest.started < now() - KEPT))
            row = session.get(KeyedRequest, (who, key))
            if row is not None and (known := _known(row, fingerprint, secret)) is not None:
                return known
            if row is None:
                row = KeyedRequest(who=who, key=key, fingerprint=fingerprint, identity=secrets.token_hex(16))
                session.add(row)
            row.started = now()
            g.id_to_create = row.identity
            _UNDER_WAY.add((who, key))
            answering.callback(_UNDER_WAY.discard, (who, key))
        try:
            answered = act()
        except (UserError, HTTPException):
            _forget(who, key)
            raise
        if answered.status_code >= 400:
            _forget(who, key)
        else:
            _keep(who, key, answered, but=() if secret is None else ("secret",))
    return answered


def expire(database: Database) -> None:
    """Remove what was kept for longer than a day."""
    old = KeyedRequest.started < now() - KEPT
    with database.begin() as session:
        found = session.scalar(select(KeyedRequest.key).where(old).limit(1)) is not None
    if found:
        with database.begin() as session:
            session.execute(delete(KeyedRequest).where(old))


def id_to_create() -> str:
    """Id for what this request creates: the same one when the request is sent again under its key."""
    return g.get("id_to_create") or secrets.token_hex(16)


def _known(row: KeyedRequest, fingerprint: str, secret: Callable[[str], str] | None) -> Answered | None:
    """The kept answer; None where the earlier attempt was cut off and this one is to do it."""
    if row.fingerprint != fingerprint:
        raise UserError(
            422,
            "This Idempotency-Key was used for another request.",
            "Take a new key for each new request, and the same one only to send the same again.",
        )
    if row.status is None:
        if (row.who, row.key) in _UNDER_WAY:
            raise StillAnswered
        return None
    body = row.body
    if secret is not None:
        body = _json(json.loads(body or "{}") | {"secret": secret(row.identity)})
    response = Response(body, status=row.status)
    response.headers.update(json.loads(row.headers or "{}"))
    response.headers[REPLAYED] = "true"
    return response


def _fingerprint() -> str:
    """SHA-256 of what makes the request what it is; of a form, its fields and the hashes of its files."""
    about: list[object] = [
        request.method,
        request.path,
        request.query_string.decode("latin-1"),
        request.mimetype,
    ]
    about += [request.headers.get(name) for name in ("Upload-Length", "Upload-Metadata")]
    if request.mimetype == "multipart/form-data":
        asked = current_request()
        about.append(sorted(asked.form.items(multi=True)))
        for name, part in sorted(asked.files.items(multi=True)):
            sha256 = part.stream.sha256 if isinstance(part.stream, Incoming) else ""
            about.append([name, part.filename, sha256])
    else:
        about.append(hashlib.sha256(small_body()).hexdigest())
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _keep(who: str, key: str, answered: Answered, but: Collection[str]) -> None:
    """Keep an answer ``but`` for these fields: the database and its backups are to hold no secret."""
    body = answered.get_data(as_text=True)
    if but:
        body = _json({name: value for name, value in json.loads(body).items() if name not in but})
    kept = {name: answered.headers[name] for name in _KEPT_HEADERS if name in answered.headers}
    with context.database().begin() as session:
        row = session.get(KeyedRequest, (who, key))
        if row is not None:
            row.status, row.headers = answered.status_code, json.dumps(kept)
            row.body = body


def _forget(who: str, key: str) -> None:
    with context.database().begin() as session:
        session.execute(delete(KeyedRequest).where(KeyedRequest.who == who, KeyedRequest.key == key))


def _json(answer: dict[str, object]) -> str:
    """An answer as it is sent."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")) + "\n"
