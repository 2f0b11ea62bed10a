"""Sending any part of a large file, as players ask for it, without holding a thread.

A browser that plays asks for everything from a point on and then reads as slowly as the
video runs, or not at all while it is paused. Waitress sends a file on its own only when it
is given one; Flask's answer to a range is a generator, which holds one of its few threads
for as long: eight paused videos, and the app answers nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from flask import request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import quote_etag
from werkzeug.wrappers import Response

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
