"""One request of a webhook: a POST to a checked address, within a time, with no redirect and no proxy.

The name is looked up once and the connection made to the address that was checked, so that no second
answer of the name server counts.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from webapp import url_allowlist
from webapp.url_allowlist import ParsedUrl

STEP = 10.0  # seconds for each of: connecting, sending, the answer's next bytes
DEADLINE = 30  # seconds for all of one request, whatever drips in
# Of IPv6, what was given out for public use; the rest is reserved.
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
# Less 6to4 and Teredo, which stand for IPv4 addresses, private ones included, and what documents use.
_EXCEPT = tuple(map(ipaddress.IPv6Network, ("2002::/16", "2001::/32", "3fff::/20")))


class NotSent(Exception):
    """A message did not get through; the words are kept with it."""

    def __init__(self, words: str, status: int | None = None) -> None:
        super().__init__(words)
        self.status = status


def send(url: str, allowed: ParsedUrl, body: bytes, headers: dict[str, str]) -> int:
    """POST ``body``; the status of an answer that is 2xx. Raises :class:`NotSent` for all else.

    ``allowed`` is what an administrator listed that covers ``url``.
    """
    with _deadline():
        return _send(url, allowed, body, headers)


def _send(url: str, allowed: ParsedUrl, body: bytes, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    wanted = url_allowlist.parse_url(url)
    address = _checked_address(wanted, allowed)
    connection = _Pinned(wanted, address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()  # its first lines: the rest says nothing to us
    except (OSError, http.client.HTTPException) as problem:
        raise NotSent(f"{type(problem).__name__}: {problem}"[:300]) from None
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise NotSent(f"It answered {answer.status}.", answer.status)
    return answer.status


def _checked_address(wanted: ParsedUrl, allowed: ParsedUrl) -> str:
    """The address of the host; one of a private network only where the allowance names it literally."""
    try:
        found = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)
    except OSError as problem:
        raise NotSent(f"{wanted.host} has no address: {problem}"[:300]) from None
    addresses = [str(each[4][0]) for each in found]
    literal = _is_address(allowed.host) or allowed.host == "localhost"
    for address in addresses:
        if literal or _public(address):
            return address
    raise NotSent(
        f"{wanted.host} leads into a private network. To allow that, list the address itself in "
        "REELPROOF_WEBHOOKS."
    )


def _public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and (
        found not in _GIVEN_OUT or any(found in net for net in _EXCEPT)
    ):
        return False
    return found.is_global and not found.is_multicast


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, under the name it was looked up for."""

    def __init__(self, wanted: ParsedUrl, address: str) -> None:
        super().__init__(wanted.host, wanted.port, timeout=STEP)
        self._wanted, self._address = wanted, address
        self.default_port = 443 if wanted.scheme == "https" else 80

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self._wanted.port), STEP)
        if self._wanted.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._wanted.host)


@contextlib.contextmanager
def _deadline() -> Iterator[None]:
    """End the block in time; only the main thread can be interrupted, and the sender has no other."""

    def over(_number: int, _frame: object) -> None:
        raise NotSent(f"It took longer than {DEADLINE} seconds.")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(DEADLINE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
