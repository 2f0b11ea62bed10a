"""Responses with files: byte ranges, compression, static files, and limits on concurrent downloads.

**Ranges.** A playing browser asks for everything from a point on and then reads as slowly as the video runs,
or not at all while it is paused. Waitress sends a file without holding a thread only if it is given the file;
Flask's response to a range is a generator that holds one of its few threads for as long.

**Compression** (Flask-Compress) makes lengths depend on content. An attacker who can make a victim's browser
send requests and sees lengths on the line learns a secret that stands beside the attacker's own words
(BREACH, 2013). So form tokens look different in each response (:func:`webapp.http.security.csrf_token`), and
a page with a query in its address is not compressed.

**Static files** have addresses below a hash of all of them, where nothing ever changes: modules name each
other by relative paths, so one hash has to stand for all. The plain address works too.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from flask import Flask, request
from flask import Response as FlaskResponse
from flask_compress import Compress
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import quote_etag
from werkzeug.wrappers import Response

from detector.schema.formatting import escape_directions
from webapp.errors import UserError

_CHUNK = 256 * 1024
# Text; pictures, video, PDF and zip files are compressed already.
_COMPRESSED_TYPES = ("text/html", "text/css", "text/javascript", "application/json", "image/svg+xml")
_HASH_LENGTH = 16
_CODINGS = ("br", "gzip")


def send_part(path: Path, mimetype: str, tag: str) -> Response:
    """Send the requested part of a file, or the whole of it; raise 416 for a part beyond its end.

    ``tag`` identifies the content: it never belongs to other bytes. A request for several parts gets the
    whole file, as the standard allows.
    """
    size = path.stat().st_size
    start, stop = _requested_range(size, tag)
    response = _send(path.open("rb"), start, stop, mimetype)
    response.accept_ranges = "bytes"
    response.set_etag(tag)
    if (start, stop) != (0, size):
        response.status_code = 206
        response.content_range.set(start, stop, size)
    return response


def send_file_whole(path: Path, mimetype: str) -> Response:
    """Send a file from its beginning to its end, whatever part was asked for."""
    return _send(path.open("rb"), 0, path.stat().st_size, mimetype)


def send_and_forget(path: Path, mimetype: str) -> Response:
    """Send a temporary file: its name is removed at once, its bytes once they are sent."""
    file = path.open("rb")
    path.unlink()
    return _send(file, 0, os.fstat(file.fileno()).st_size, mimetype)


def _send(file: IO[bytes], start: int, stop: int, mimetype: str) -> Response:
    file.seek(start)
    wrapper = request.environ.get("wsgi.file_wrapper")
    # Waitress sends, from the file's position, as much as Content-Length says.
    body = wrapper(file, _CHUNK) if wrapper else _FilePart(file, stop - start)
    response = Response(body, mimetype=mimetype, direct_passthrough=True)
    response.content_length = stop - start
    return response


def _requested_range(size: int, tag: str) -> tuple[int, int]:
    requested, condition = request.range, request.headers.get("If-Range")
    if requested is None or requested.units != "bytes" or len(requested.ranges) != 1:
        return 0, size
    if condition is not None and condition != quote_etag(tag):
        return 0, size  # the client has a part of other content
    part = requested.range_for_length(size)
    if part is None:
        raise RequestedRangeNotSatisfiable(length=size)
    return part


class _FilePart:
    """The next bytes of a file, for servers without ``wsgi.file_wrapper``."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left = file, length

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (data := self._file.read(min(_CHUNK, self._left))):
            self._left -= len(data)
            yield data

    def close(self) -> None:
        self._file.close()


def install(app: Flask) -> None:
    """Compress responses and give static files permanent addresses; before anything that adds headers."""
    assert app.static_folder is not None
    version = _version(Path(app.static_folder))
    app.config.update(
        COMPRESS_REGISTER=False,
        COMPRESS_MIMETYPES=list(_COMPRESSED_TYPES),
        # Not zstd, the default: brotli makes these responses smaller, in about the same time.
        COMPRESS_ALGORITHM=list(_CODINGS),
        COMPRESS_STREAMS=False,  # except for static files they are downloads
    )
    compress = Compress(app)

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["filename"] = f"{version}/{values['filename']}"

    def static(filename: str) -> FlaskResponse:
        first, _, rest = filename.partition("/")
        has_version = len(first) == _HASH_LENGTH and all(char in "0123456789abcdef" for char in first)
        response = app.send_static_file(rest if has_version else filename)
        if response.mimetype in _COMPRESSED_TYPES:
            response.direct_passthrough = False
            response.set_data(response.get_data())  # the files are small; only data of known length compress
        # A page from before an update gets the current file and must not cache it.
        immutable = "public, max-age=31536000, immutable"  # a year stands for always (RFC 8246)
        response.headers["Cache-Control"] = immutable if first == version else "no-cache"
        return response

    app.view_functions["static"] = static

    @app.after_request
    def compress_response(response: FlaskResponse) -> FlaskResponse:
        # Kept files are sent as they are, with the bytes that the custody log names.
        if response.mimetype == "application/json" and response.is_sequence:
            text = response.get_data(as_text=True)
            if (safe := escape_directions(text)) != text:
                response.set_data(safe)
        if response.mimetype == "text/html" and request.query_string:
            return response
        # Flask-Compress takes a coding of ``q=0``, which is refused, for a wanted one.
        qualities = {name: request.accept_encodings[name] for name in (*_CODINGS, "identity")}
        codings = ", ".join(f"{name};q={quality:g}" for name, quality in qualities.items() if quality > 0)
        request.environ["HTTP_ACCEPT_ENCODING"] = codings
        return compress.after_request(response)


@cache
def _version(folder: Path) -> str:
    """Hash all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()[:_HASH_LENGTH]


class ConcurrencyLimit:
    """Limit requests that hold a thread of the server for long, in total and for each account."""

    def __init__(self, total: int, per_account: int, refusal: Callable[[], UserError]) -> None:
        """``refusal`` creates the error for requests beyond the limit."""
        self._total, self._per_account, self._refusal = total, per_account, refusal
        self._taken: Counter[int | None] = Counter()  # by account
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, account: int | None) -> Iterator[None]:
        """Hold a slot for the ``with`` block, or raise the refusal at once.

        Without login the account is None, and only the total counts.
        """
        with self._lock:
            full = self._taken.total() >= self._total
            if full or account is not None and self._taken[account] >= self._per_account:
                raise self._refusal()
            self._taken[account] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[account] -= 1
                self._taken = +self._taken

    def taken(self) -> int:
        """Count the slots in use."""
        with self._lock:
            return self._taken.total()
