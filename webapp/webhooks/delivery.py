"""``python -m webapp.webhooks.delivery``: sends the messages that are due, in a process of its own.

Nothing waits for it: not the pages, not an analysis. A message is tried for about two days,
each attempt once the one before has failed. The name is looked up once and the connection
made to the address that was checked, so that no second answer of the name server counts.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import logging
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import select

from detector.sandbox.kernel import PARENT, end_with
from detector.version import __version__
from webapp import logs, url_allowlist
from webapp.settings import Settings, read_settings
from webapp.storage.database import Database, connect
from webapp.storage.tables import Delivery, WebhookRow, now
from webapp.url_allowlist import Place
from webapp.webhooks import registry as webhook_registry
from webapp.webhooks.registry import BACK_OFF
from webapp.webhooks.signature import SIGNATURE, secret, signature

log = logging.getLogger(__name__)

TIME_OUT = 10.0  # seconds for each of: connecting, sending, the answer's next bytes
_LONGEST_ANSWER = 64 * 1024
_LOOK_EVERY = 1.0
_AT_A_TIME = 20
_DEADLINE = 30  # seconds for all of one attempt, whatever drips in
# Of IPv6, what was given out for public use; the rest is reserved.
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
# Less 6to4 and Teredo, which stand for IPv4 addresses, private ones included, and what documents use.
_EXCEPT = tuple(map(ipaddress.IPv6Network, ("2002::/16", "2001::/32", "3fff::/20")))


class NotSent(Exception):
    """A message did not get through; the words are kept with it."""

    def __init__(self, words: str, status: int | None = None) -> None:
        super().__init__(words)
        self.status = status


def send(url: str, allowed: Place, body: bytes, headers: dict[str, str]) -> int:
    """POST ``body``; the status of an answer that is 2xx. Raises :class:`NotSent` for all else.

    Follows no redirect and uses no proxy.
    """
    parts = urlsplit(url)
    wanted = url_allowlist.place(url)
    address = _checked_address(wanted, allowed)
    connection = _Pinned(wanted, address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        answer.read(_LONGEST_ANSWER)
    except (OSError, http.client.HTTPException) as problem:
        raise NotSent(f"{type(problem).__name__}: {problem}"[:300]) from None
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise NotSent(f"It answered {answer.status}.", answer.status)
    return answer.status


def _checked_address(wanted: Place, allowed: Place) -> str:
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

    def __init__(self, wanted: Place, address: str) -> None:
        super().__init__(wanted.host, wanted.port, timeout=TIME_OUT)
        self._wanted, self._address = wanted, address
        self.default_port = 443 if wanted.scheme == "https" else 80

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self._wanted.port), TIME_OUT)
        if self._wanted.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._wanted.host)


def round_trip(settings: Settings, database: Database, since: datetime) -> int:
    """Queue what is new and try what is due; how many messages were tried."""
    with database.alone() as session:
        webhook_registry.queue(session, since)
    due = select(Delivery.id).where(Delivery.due <= now()).order_by(Delivery.due).limit(_AT_A_TIME)
    with database.begin() as session:
        ids = session.scalars(due).all()
    for delivery_id in ids:
        attempt(settings, database, delivery_id)
    return len(ids)


def attempt(settings: Settings, database: Database, delivery_id: str) -> None:
    """Try one message, and keep how it fared."""
    with database.begin() as session:
        row = session.get(Delivery, delivery_id)
        hook = session.get(WebhookRow, row.webhook_id) if row is not None else None
    if row is None or hook is None:
        return
    status, problem = None, None
    try:
        allowed = url_allowlist.allowing(settings.webhooks, hook.url)
        if allowed is None:
            raise NotSent("An administrator no longer allows this address.")
        body = row.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Reelproof/{__version__}",
            "Reelproof-Event": row.event,
            "Reelproof-Delivery": row.id,
            SIGNATURE: signature(secret(settings.data, hook.id), int(time.time()), body),
        }
        with _deadline():
            status = send(hook.url, allowed, body, headers)
    except NotSent as failed:
        status, problem = failed.status, str(failed)
    with database.begin() as session:
        kept = session.get(Delivery, delivery_id)
        if kept is None:  # the webhook was deleted meanwhile
            return
        kept.attempts += 1
        kept.status, kept.problem = status, problem
        if problem is None:
            kept.delivered, kept.due = now(), None
        elif kept.attempts > len(BACK_OFF):
            kept.due = None
            log.warning("a webhook's message was given up after %d attempts", kept.attempts)
        else:
            kept.due = now() + timedelta(seconds=BACK_OFF[kept.attempts - 1])


@contextlib.contextmanager
def _deadline() -> Iterator[None]:
    """End the block in time; only the main thread can be interrupted, and this program has no other."""

    def over(_number: int, _frame: object) -> None:
        raise NotSent(f"It took longer than {_DEADLINE} seconds.")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(_DEADLINE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    """Send until told to stop."""
    settings = read_settings()
    logs.prepare(as_json=settings.log_json)
    if parent := os.environ.pop(PARENT, None):
        end_with(int(parent))
    database = connect(settings)
    since = now()
    while True:
        try:
            moment = now()
            tried = round_trip(settings, database, since)
            since = moment
        except Exception as problem:  # if this process ended, no message would be sent any more
            log.warning("webhooks: trying again: %s", problem)
            tried = 0
        if not tried:
            time.sleep(_LOOK_EVERY)


if __name__ == "__main__":
    main()
