"""Idempotency-Key: a repeated POST gets its first response and does nothing twice.

For a day the database holds the account, the key, a hash of the request and the response without its secret,
which is derived again. A created object takes its id from that row, so that even a crash between creating and
responding makes no second one. A refused request changed nothing and is not stored: its key may be used
again.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from flask import Response, g, request
from sqlalchemy import delete, select
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as WerkzeugResponse

from webapp import context
from webapp.accounts.permissions import current
from webapp.errors import UserError
from webapp.http.uploads import Incoming, current_request
from webapp.storage.database import Database
from webapp.storage.tables import KeyedRequest, now

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LIFETIME = timedelta(days=1)
LARGEST_JSON = 256 * 1024  # bytes: enough for the longest note and ten thousand tracks
# Requests in progress, by account and key. In memory, since one process answers: a request that broke off
# with the process is not among them and is repeated.
_IN_PROGRESS: set[tuple[str, str]] = set()
_STORED_HEADERS = ("Content-Type", "Location", "Upload-Offset", "Upload-Expires", "Tus-Resumable")


class StillAnswered(UserError):
    """The first request with a key is still in progress."""

    retry_after = 2

    def __init__(self) -> None:
        super().__init__(
            409,
            "The first request with this Idempotency-Key is still being answered.",
            "Ask again in a moment.",
        )


def small_body() -> bytes:
    """Return the request's body.

    Raises :class:`UserError` beyond :data:`LARGEST_JSON` bytes, before more is read, also where the request
    does not state its length.
    """
    # Of a body of unknown length Werkzeug silently returns no more than the limit.
    request.max_content_length = LARGEST_JSON + 1
    try:
        data = request.get_data()
    except RequestEntityTooLarge:
        data = None
    if data is None or len(data) > LARGEST_JSON:
        raise UserError(413, "The body is larger than 256 kB.", "Send less in one request.")
    return data


def run_once(
    act: Callable[[], WerkzeugResponse], secret: Callable[[str], str] | None = None
) -> WerkzeugResponse:
    """Call ``act``, or return the stored response if a request with the same key was answered before.

    ``secret`` derives the response's field ``secret`` from the id of the created object. Raises
    :class:`UserError` for an invalid key, for one of another request, while the first request is still in
    progress, and for a body too large to be hashed.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return act()
    if not re.fullmatch(r"[!-~]{1,128}", key):
        raise UserError(
            400,
            "The Idempotency-Key cannot be used.",
            "Send 1 to 128 visible ASCII characters, such as a UUID.",
        )
    who, fingerprint = current().name, _fingerprint()
    with ExitStack() as cleanup:
        with context.database().alone() as session:
            session.execute(delete(KeyedRequest).where(KeyedRequest.started < now() - LIFETIME))
            row = session.get(KeyedRequest, (who, key))
            if row is None:
                row = KeyedRequest(who=who, key=key, fingerprint=fingerprint, identity=secrets.token_hex(16))
                session.add(row)
            elif (stored := _stored_response(row, fingerprint, secret)) is not None:
                return stored
            row.started = now()
            g.id_to_create = row.identity
            _IN_PROGRESS.add((who, key))
            cleanup.callback(_IN_PROGRESS.discard, (who, key))
        try:
            response = act()
        except (UserError, HTTPException):
            _forget(who, key)
            raise
        if response.status_code >= 400:
            _forget(who, key)
        else:
            _store(who, key, response, has_secret=secret is not None)
    return response


def delete_expired(database: Database) -> None:
    """Delete responses that were stored for longer than a day."""
    expired = KeyedRequest.started < now() - LIFETIME
    with database.begin() as session:
        exists = session.scalar(select(KeyedRequest.key).where(expired).limit(1)) is not None
    if exists:
        with database.begin() as session:
            session.execute(delete(KeyedRequest).where(expired))


def id_to_create() -> str:
    """Return the id for the object that this request creates, the same one if the request is repeated."""
    return g.get("id_to_create") or secrets.token_hex(16)


def _stored_response(
    row: KeyedRequest, fingerprint: str, secret: Callable[[str], str] | None
) -> WerkzeugResponse | None:
    """Return the stored response, or None if the earlier attempt was cut off and has to be repeated."""
    if row.fingerprint != fingerprint:
        raise UserError(
            422,
            "This Idempotency-Key was used for another request.",
            "Take a new key for each new request, and the same one only to send the same again.",
        )
    if row.status is None:
        if (row.who, row.key) in _IN_PROGRESS:
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
    """Hash the parts of a request that distinguish it; of a form, its fields and its files' hashes."""
    parts: list[object] = [
        request.method,
        request.path,
        request.query_string.decode("latin-1"),
        request.mimetype,
        request.headers.get("Upload-Length"),
        request.headers.get("Upload-Metadata"),
    ]
    if request.mimetype == "multipart/form-data":
        upload = current_request()
        parts.append(sorted(upload.form.items(multi=True)))
        for name, part in sorted(upload.files.items(multi=True)):
            sha256 = part.stream.sha256 if isinstance(part.stream, Incoming) else ""
            parts.append([name, part.filename, sha256])
    else:
        parts.append(hashlib.sha256(small_body()).hexdigest())
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _store(who: str, key: str, response: WerkzeugResponse, *, has_secret: bool) -> None:
    body = response.get_data(as_text=True)
    if has_secret:  # the database and its backups must hold no secret
        body = _json({name: value for name, value in json.loads(body).items() if name != "secret"})
    headers = {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers}
    with context.database().begin() as session:
        row = session.get(KeyedRequest, (who, key))
        if row is not None:
            row.status, row.headers, row.body = response.status_code, json.dumps(headers), body


def _forget(who: str, key: str) -> None:
    with context.database().begin() as session:
        session.execute(delete(KeyedRequest).where(KeyedRequest.who == who, KeyedRequest.key == key))


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
