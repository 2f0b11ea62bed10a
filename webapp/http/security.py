"""Protection against other web sites: allowed hosts, request origins, security headers, CSRF tokens."""

from __future__ import annotations

import hmac
import logging
import secrets

from flask import Flask, Response, abort, current_app, g, request
from markupsafe import Markup

from reports.language.translation import N_
from reports.untrusted_input import is_loopback
from webapp.settings import Settings
from webapp.storage.key_files import mac
from webapp.storage.tables import SessionRow

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


def has_csrf_token() -> bool:
    """Whether the request brings its session's token, in a header or in its form."""
    brought = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    try:
        both = bytes.fromhex(brought)
        token = _masked(both[len(both) // 2 :], both[: len(both) // 2])
    except ValueError:
        return False
    return hmac.compare_digest(token, bytes.fromhex(_csrf_token()))
