"""What the server cannot read is refused before the app sees it, in words and with what to do about it."""

from __future__ import annotations

import socket

from http_servers import served
from werkzeug.http import parse_options_header

CASES = (
    (b"GET / HTTP/1.1\r\nX: ".ljust(1 << 18, b"x"), 431, "delete the cookies"),
    (b"\x16\x03\x01 hello\r\n\r\n", 400, "Reelproof cannot read this HTTP request"),
    (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400, "with a proxy in front"),
    (b"POST /cases HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400, "Reelproof cannot read this HTTP request"),
    (
        b"POST /cases HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        400,
        "Reelproof cannot read this HTTP request",
    ),
    (b"POST /api/v1/analyses HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, '"remedy":"Use a '),
    (b"POST /cases HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "Send it with Content-Length"),
)


def test_unreadable_requests_are_explained(app) -> None:
    with served(app) as address:
        for request, status, words in CASES:
            with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 10) as link:
                link.sendall(request)
                answer = b"".join(iter(lambda: link.recv(65536), b"")).decode()
            head, _, body = answer.partition("\r\n\r\n")
            assert head.split()[1] == str(status) and words in body, (request[:60], answer)
            lines = dict(line.split(": ", 1) for line in head.splitlines()[1:])
            kind = "application/problem+json" if b"/api/" in request else "text/plain"
            assert parse_options_header(lines["Content-Type"])[0] == kind and lines["X-Request-Id"]
