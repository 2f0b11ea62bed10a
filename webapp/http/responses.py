"""Responses with files: byte ranges, compression, static files, and limits on concurrent downloads."""

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

from webapp.errors import UserError

_CHUNK = 256 * 1024


def send_part(path: Path, mimetype: str, tag: str) -> Response:
    """The part of the file that the request asks for, or the whole of it.

    ``tag`` names the file's content: it never belongs to other bytes. Raises 416 for a part that
    is not there. Several parts at once are answered with the whole, as the standard allows.
    """
    size = path.stat().st_size
    start, stop = _requested_range(size, tag)
    response = _sent(path.open("rb"), start, stop, mimetype)
    response.accept_ranges = "bytes"
    response.set_etag(tag)
    if (start, stop) != (0, size):
        response.status_code = 206
        response.content_range.set(start, stop, size)
    return response


def send_and_forget(path: Path, mimetype: str) -> Response:
    """The whole of a file that nobody needs afterwards: its name goes at once, its bytes once sent."""
    file = path.open("rb")
    path.unlink()
    return _sent(file, 0, os.fstat(file.fileno()).st_size, mimetype)


def _sent(file: IO[bytes], start: int, stop: int, mimetype: str) -> Response:
    file.seek(start)
    wrapper = request.environ.get("wsgi.file_wrapper")
    # Waitress sends, from where the file stands, as much as Content-Length says.
    body = wrapper(file, _CHUNK) if wrapper else _Part(file, stop - start)
    response = Response(body, mimetype=mimetype, direct_passthrough=True)
    response.content_length = stop - start
    return response


def _requested_range(size: int, tag: str) -> tuple[int, int]:
    """Where the part starts and where it stops."""
    asked, condition = request.range, request.headers.get("If-Range")
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return 0, size
    if condition is not None and condition != quote_etag(tag):
        return 0, size  # it holds a part of something else
    part = asked.range_for_length(size)
    if part is None:
        raise RequestedRangeNotSatisfiable(length=size)
    return part


class _Part:
    """The next bytes of a file, for servers that do not send files themselves."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left = file, length

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (data := self._file.read(min(_CHUNK, self._left))):
            self._left -= len(data)
            yield data

    def close(self) -> None:
        self._file.close()


# Kinds of answers that are text; pictures, video, PDF and zips are compressed in themselves.
_KINDS = ("text/html", "text/css", "text/javascript", "application/json", "image/svg+xml")
_FOREVER = "public, max-age=31536000, immutable"  # a year, which stands for always (RFC 8246)
_HASH = 16
_CODINGS = ("br", "gzip")


def install(app: Flask) -> None:
    """Compress answers and give static files addresses that last; before anything that adds headers."""
    assert app.static_folder is not None
    folder = Path(app.static_folder)
    version = _version(folder)
    app.config.update(
        COMPRESS_REGISTER=False,
        COMPRESS_MIMETYPES=list(_KINDS),
        # Not zstd, the first by default: brotli makes these answers smaller, in about the same time.
        COMPRESS_ALGORITHM=list(_CODINGS),
        COMPRESS_STREAMS=False,  # static files aside, they are downloads
    )
    compress = Compress(app)

    @app.url_defaults
    def lasting(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["filename"] = f"{version}/{values['filename']}"

    def static(filename: str) -> FlaskResponse:
        first, _, rest = filename.partition("/")
        asked = len(first) == _HASH and all(char in "0123456789abcdef" for char in first)
        response = app.send_static_file(rest if asked else filename)
        if response.mimetype in _KINDS:
            response.direct_passthrough = False
            response.set_data(response.get_data())  # small, and no stream: it has a length to compress
        # A page of another version, from before an update, gets what there is and keeps nothing.
        response.headers["Cache-Control"] = _FOREVER if first == version else "no-cache"
        return response

    app.view_functions["static"] = static

    @app.after_request
    def smaller(response: FlaskResponse) -> FlaskResponse:
        if response.mimetype == "text/html" and request.query_string:
            return response
        _leave_out_refused()
        return compress.after_request(response)


def _leave_out_refused() -> None:
    """Write Accept-Encoding as Flask-Compress reads it: it takes a coding of ``q=0``, refused, for wanted."""
    wanted = {name: request.accept_encodings[name] for name in (*_CODINGS, "identity")}
    codings = ", ".join(f"{name};q={quality:g}" for name, quality in wanted.items() if quality > 0)
    request.environ["HTTP_ACCEPT_ENCODING"] = codings


@cache
def _version(folder: Path) -> str:
    """The same as long as all files are."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()[:_HASH]


class ConcurrencyLimit:
    """So many places ``in_all``, and ``of_one`` account; ``refusal`` makes what others are told."""

    def __init__(self, in_all: int, of_one: int, refusal: Callable[[], UserError]) -> None:
        self._in_all, self._of_one, self._refusal = in_all, of_one, refusal
        self._taken: Counter[int | None] = Counter()  # by account
        self._lock = threading.Lock()

    @contextmanager
    def place(self, who: int | None) -> Iterator[None]:
        """Hold a place for the ``with`` block; raises the refusal at once where there is none.

        ``who`` is an account; where nobody signs in, everybody is none, and only the places in all count.
        """
        with self._lock:
            too_many = self._taken.total() >= self._in_all
            if too_many or who is not None and self._taken[who] >= self._of_one:
                raise self._refusal()
            self._taken[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[who] -= 1
                self._taken = +self._taken

    def taken(self) -> int:
        """How many are taken."""
        with self._lock:
            return self._taken.total()
