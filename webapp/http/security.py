"""Protection against other web sites: allowed hosts, request origins, security headers, CSRF tokens.

Without login there are no cookies, and everybody who can reach the port on this machine may use the app; the
threat is a hostile page in the same browser. With login these checks come before those of
:mod:`webapp.accounts.request_guard`.
"""

from __future__ import annotations

import hmac
import logging
import secrets

from flask import Flask, Response, abort, current_app, g, request
from markupsafe import Markup

from language.translation import N_
from reports.untrusted_input import is_loopback
from webapp.settings import Settings
from webapp.storage.key_files import mac
from webapp.storage.tables import SessionRow

log = logging.getLogger(__name__)

_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# A report on its own has its style sheet and pictures inside, and no script may run.
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
# An exhibit may be crafted to look like a page to a browser; with this policy it is harmless.
MEDIA_POLICY = "default-src 'none'; sandbox"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with it browsers send the app's own forms with the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()",
}
CSRF_FIELD, CSRF_HEADER = "csrf_token", "X-CSRF-Token"


def install(app: Flask, settings: Settings) -> None:
    """Check every request before its route, and add the headers to every response."""
    allowed = frozenset(settings.allowed_hosts)
    warned = False

    @app.before_request
    def check() -> None:
        nonlocal warned
        if settings.proxy and not warned and _lacks_scheme(settings.proxy):
            warned = True
            log.warning(
                "a request by the proxy %s has no X-Forwarded-Proto: it counts as plain http, so cookies are "
                "not Secure and there is no HSTS. Have the proxy set it: docs/deployment.md#a-proxy-with-tls",
                settings.proxy,
            )
        if host_name(request.host) not in allowed:
            abort(
                400, N_("Reelproof does not answer to this host name. Use the address it printed at start.")
            )
        if request.method not in ("GET", "HEAD", "OPTIONS") and not same_origin():
            abort(403, N_("This request came from another web site and was refused."))

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _POLICY)  # a report sets its own
        response.headers.update(_HEADERS)
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"  # exhibits are confidential
        return response


def host_name(host: str) -> str:
    """Return ``Host`` in lower case without its port; an IPv6 address keeps its brackets."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


def _lacks_scheme(proxy: str) -> bool:
    """Tell whether the proxy passed on this request without the scheme it came by."""
    if "X-Forwarded-Proto" in request.headers:
        return False
    # waitress removes X-Forwarded-For unless it comes from the proxy. A shell on the proxy's machine does not
    # count: it asks for a loopback host.
    return "X-Forwarded-For" in request.headers or (
        request.remote_addr == proxy and not is_loopback(host_name(request.host))
    )


def same_origin() -> bool:
    """Tell whether an unsafe request comes from a page of this app, or from no page at all (a shell)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:  # no page can forge it; older browsers only send an origin
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or origin == f"{request.scheme}://{request.host}"


def csrf_token() -> str:
    """Return a form token of this session; empty without a session.

    It differs each time, by a random mask that it contains: responses are compressed, and their lengths must
    not reveal the token (BREACH).
    """
    token = bytes.fromhex(_session_csrf_token())
    mask = secrets.token_bytes(len(token))
    return (mask + _xor(token, mask)).hex()


def csrf_input() -> Markup:
    """Return the token as a hidden field of a form."""
    if not (token := csrf_token()):
        return Markup()
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, token)


def has_csrf_token() -> bool:
    """Tell whether a header or the form contains a token of the caller's session."""
    text = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    try:
        masked = bytes.fromhex(text)
        token = _xor(masked[len(masked) // 2 :], masked[: len(masked) // 2])
    except ValueError:
        return False
    return hmac.compare_digest(token, bytes.fromhex(_session_csrf_token()))


def _session_csrf_token() -> str:
    row: SessionRow | None = g.get("session")
    return mac(current_app.extensions["secret"], "form", row.id) if row is not None else ""


def _xor(data: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(data, mask, strict=True))
