"""What keeps other web sites out: host names, where requests come from, and headers.

Without login there are no cookies, and whoever can reach the port on this machine may use
the app; the threat is a hostile page in the same browser. With login these checks come
before those of :mod:`webapp.security.requests.request_guard`.
"""

from __future__ import annotations

import logging

from flask import Flask, Response, abort, request

from reports.plain_http import is_loopback
from reports.text.translation.language import N_
from webapp.settings import Settings

log = logging.getLogger(__name__)

_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# A report shown on its own: its style sheet and pictures are inside it, and nothing may run.
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
# An exhibit may be made to look like a page to a browser; as one it could do nothing.
MEDIA_POLICY = "default-src 'none'; sandbox"
# Not "no-referrer": with it browsers send the app's own form with the origin "null".
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()",
}
_HSTS = "max-age=31536000; includeSubDomains"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Flask, settings: Settings) -> None:
    """Check every request before its route, and put the headers on every answer."""
    allowed = frozenset(settings.allowed_hosts)
    told: set[str] = set()  # of one message, that it was logged

    @app.before_request
    def check() -> None:
        if settings.proxy and not told and _unsaid_scheme(settings.proxy):
            told.add("scheme")
            log.warning(
                "a request by the proxy %s has no X-Forwarded-Proto: it counts as plain http, so cookies are "
                "not Secure and there is no HSTS. Have the proxy set it: docs/deployment.md#a-proxy-with-tls",
                settings.proxy,
            )
        if host_name(request.host) not in allowed:
            abort(
                400, N_("Reelproof does not answer to this host name. Use the address it printed at start.")
            )
        if request.method not in _SAFE and not same_origin():
            abort(403, N_("This request came from another web site and was refused."))

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _POLICY)  # a report brings its own
        response.headers.update(_HEADERS)
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = _HSTS
        if request.endpoint != "static":
            # Exhibits are confidential: nothing of them belongs in a cache.
            response.headers["Cache-Control"] = "no-store"
        return response


def host_name(host: str) -> str:
    """``Host`` without its port, in small letters; an IPv6 address keeps its brackets."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


def _unsaid_scheme(proxy: str) -> bool:
    """Whether the proxy brings this request without saying by which scheme it came.

    From anybody else waitress takes away ``X-Forwarded-For``. A shell on the proxy's machine is no proxy.
    """
    if "X-Forwarded-Proto" in request.headers:
        return False
    return "X-Forwarded-For" in request.headers or (
        request.remote_addr == proxy and not is_loopback(host_name(request.host))
    )


def same_origin() -> bool:
    """Whether an unsafe request comes from a page of this app, or from no page at all (a shell)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:  # no page can forge it; older browsers only send an origin
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or origin == f"{request.scheme}://{request.host}"
