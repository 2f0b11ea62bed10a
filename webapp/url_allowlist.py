"""URLs that may be requested: those at or below an address allowed by an administrator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from reports import untrusted_input

_SEPARATORS = re.compile(r"[/\\]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_MOST_DECODED = 4


@dataclass(frozen=True)
class ParsedUrl:
    """Where a URL leads: what an allowance and a request must agree in."""

    scheme: str
    host: str
    port: int
    path: str

    def covers(self, other: ParsedUrl) -> bool:
        """Whether ``other`` lies at or below this one."""
        if (self.scheme, self.host, self.port) != (other.scheme, other.host, other.port):
            return False
        return other.path == self.path or other.path.startswith(self.path.rstrip("/") + "/")


def parse_url(url: str) -> ParsedUrl:
    """Take a URL apart; raises ``ValueError`` for one that is none, or that hides something."""
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
    """Whether a path may mean one further up: to a server that decodes it once, or more often."""
    for _ in range(_MOST_DECODED):
        parts = [part.partition(";")[0] for part in _SEPARATORS.split(path)]
        if any(part in ("..", ".") for part in parts) or _CONTROLS.search(path):
            return True
        decoded = unquote(path, errors="replace")
        if decoded == path:
            return False
        path = decoded
    return True  # nothing is encoded so often in earnest


def is_safe_endpoint(url: str) -> bool:
    """Whether an address that another server gave may be used.

    It has to be confidential (by https, or on this machine) and to hide nothing of where it leads.
    """
    try:
        parse_url(url)
    except ValueError:
        return False
    return untrusted_input.is_confidential(url)


def find_allowing(allowed: Sequence[str], url: str) -> ParsedUrl | None:
    """The allowance a URL lies in; none if an administrator allowed no such address."""
    try:
        wanted = parse_url(url)
    except ValueError:
        return None
    return next((each for each in map(parse_url, allowed) if each.covers(wanted)), None)
