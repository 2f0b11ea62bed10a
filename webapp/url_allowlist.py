"""URLs that may be requested: those at or below an address allowed by an administrator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from reports import untrusted_input


@dataclass(frozen=True)
class ParsedUrl:
    """The parts of a URL that allowance and request must agree in."""

    scheme: str
    host: str
    port: int
    path: str

    def covers(self, other: ParsedUrl) -> bool:
        """Tell whether ``other`` is at or below this URL."""
        if (self.scheme, self.host, self.port) != (other.scheme, other.host, other.port):
            return False
        return other.path == self.path or other.path.startswith(self.path.rstrip("/") + "/")


def parse_url(url: str) -> ParsedUrl:
    """Parse a URL; raise ``ValueError`` if it is invalid or ambiguous."""
    if not url.isascii() or any(ord(char) <= 32 for char in url):
        raise ValueError("characters no URL has")
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise ValueError("not http or https with a host and no user")
    path = parts.path or "/"
    if parts.fragment or "\\" in url or _leads_back(path):
        raise ValueError("a fragment, or a path that leads back")
    return ParsedUrl(parts.scheme, host.lower(), port or (443 if parts.scheme == "https" else 80), path)


def _leads_back(path: str) -> bool:
    """Tell whether a path may lead upwards on a server that decodes it, perhaps several times."""
    for _ in range(4):  # no honest path is encoded more often
        parts = [part.partition(";")[0] for part in re.split(r"[/\\]", path)]
        if any(part in ("..", ".") for part in parts) or re.search(r"[\x00-\x1f\x7f]", path):
            return True
        decoded = unquote(path, errors="replace")
        if decoded == path:
            return False
        path = decoded
    return True


def is_safe_endpoint(url: str) -> bool:
    """Tell whether an address from another server is confidential (https or local) and unambiguous."""
    try:
        parse_url(url)
    except ValueError:
        return False
    return untrusted_input.is_confidential(url)


def find_allowing(allowed: Sequence[str], url: str) -> ParsedUrl | None:
    """Return the allowed address that covers a URL, or None."""
    try:
        parsed = parse_url(url)
    except ValueError:
        return None
    return next((address for address in map(parse_url, allowed) if address.covers(parsed)), None)
