"""What need not be sent, or not again: compression, and addresses of static files that never change.

**Compression** (Flask-Compress) makes lengths depend on content. Who can make a victim's browser ask
and sees lengths on the line learns a secret that stands beside their own words (BREACH, 2013). So the
token of forms looks different in each answer (:mod:`webapp.security.requests.request_guard`), and a page
asked for with words of the asker's in its address (a search, a form sent back) goes as it is.

**Static files** are addressed below a hash of all of them: modules name each other by relative paths,
so one hash has to stand for all. At such an address nothing ever changes. The plain address works too.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from flask_compress import Compress

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

    def static(filename: str) -> Response:
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
    def smaller(response: Response) -> Response:
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
