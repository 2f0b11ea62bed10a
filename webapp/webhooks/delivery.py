"""``python -m webapp.webhooks.delivery``: send queued messages, signed, in a process of its own.

Neither pages nor analyses wait for it. A message is tried for about two days.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import http.client
import ipaddress
import logging
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from detector.process.signals import end_with_named_parent
from detector.version import __version__
from webapp import logs, url_allowlist
from webapp.rest.webhook_messages import DEADLINE, SIGNATURE, STEP
from webapp.settings import Settings, read_settings
from webapp.storage.database import Database, connect
from webapp.storage.key_files import webhook_key
from webapp.storage.tables import Delivery, WebhookRow, now
from webapp.url_allowlist import ParsedUrl
from webapp.webhooks import messages

log = logging.getLogger(__name__)

# Seconds between attempts, about two days in all.
BACK_OFF = (10, 60, 300, 1800, 7200, 21600, 43200, 86400)
_POLL_INTERVAL = 1.0  # seconds
_BATCH = 20  # messages
_SLOW = 2.0  # seconds; a faster failure delays no other message
# The IPv6 addresses assigned for public use; the rest is reserved.
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
# Except 6to4 and Teredo, which embed IPv4 addresses including private ones, and the documentation prefix.
_EXCLUDED_IPV6 = tuple(map(ipaddress.IPv6Network, ("2002::/16", "2001::/32", "3fff::/20")))


def webhook_secret(data: Path, webhook_id: str) -> str:
    """Return the secret that signs a webhook's messages, derived from a key outside the database."""
    digest = hmac.digest(webhook_key(data), f"webhook {webhook_id}".encode(), "sha256")
    return "whsec_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def sign_message(secret: str, timestamp: int, body: bytes) -> str:
    """Return the header that proves sender, time and integrity of a message.

    It is the HMAC-SHA256 of the Unix time, a full stop and the body.
    """
    signature = hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hex()
    return f"t={timestamp},v1={signature}"


class NotSent(Exception):
    """A message was not delivered; the reason is stored with it."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


def send(url: str, allowed: ParsedUrl, body: bytes, headers: dict[str, str]) -> int:
    """POST ``body``, without redirects or proxies, and return a 2xx status; raise :class:`NotSent` otherwise.

    ``allowed`` is the allowlist's entry that covers ``url``.
    """
    with _deadline():
        parts = urlsplit(url)
        target_url = url_allowlist.parse_url(url)
        # The name is resolved once and the connection made to the checked address, so that a different
        # second answer of the name server (DNS rebinding) has no effect.
        connection = _PinnedConnection(target_url, resolve_checked(target_url, allowed))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", target, body, headers)
            response = connection.getresponse()  # status and headers; the body does not matter
        except (OSError, http.client.HTTPException) as problem:
            raise NotSent(f"{type(problem).__name__}: {problem}"[:300]) from None
        finally:
            connection.close()
        if not 200 <= response.status < 300:
            raise NotSent(f"It answered {response.status}.", response.status)
        return response.status


def resolve_checked(url: ParsedUrl, allowed: ParsedUrl) -> str:
    """Resolve the host; a private address is accepted only if the allowlist names an address or localhost."""
    try:
        results = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except OSError as problem:
        raise NotSent(f"{url.host} has no address: {problem}"[:300]) from None
    names_address = _is_address(allowed.host) or allowed.host == "localhost"
    for address in (str(result[4][0]) for result in results):
        if names_address or _is_public(address):
            return address
    raise NotSent(
        f"{url.host} leads into a private network. To allow that, list the address itself in "
        "REELPROOF_WEBHOOKS."
    )


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _PUBLIC_IPV6 or any(address in network for network in _EXCLUDED_IPV6)
    ):
        return False
    return address.is_global and not address.is_multicast


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class _PinnedConnection(http.client.HTTPConnection):
    """A connection to a given address that uses the host name for TLS and the Host header."""

    def __init__(self, url: ParsedUrl, address: str) -> None:
        super().__init__(url.host, url.port, timeout=STEP)
        self._url, self._address = url, address
        self.default_port = 443 if url.scheme == "https" else 80

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self._url.port), STEP)
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._url.host)


@contextlib.contextmanager
def _deadline() -> Iterator[None]:
    """Interrupt the block after :data:`DEADLINE`. Works in the main thread, the sender's only one."""

    def interrupt(_number: int, _frame: object) -> None:
        raise NotSent(f"It took longer than {DEADLINE} seconds.")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(DEADLINE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def deliver_round(settings: Settings, database: Database, since: datetime) -> tuple[int, datetime]:
    """Queue new messages and try those that are due; return the number tried and the next ``since``.

    Webhooks that failed come last, and the round ends with the first slow failure: the next round begins with
    messages for others that became due meanwhile.
    """
    moment = now()
    with database.begin() as session:
        if session.scalar(select(WebhookRow.id).limit(1)) is None:
            return 0, moment
    with database.alone() as session:
        if messages.queue_ended_jobs(session, since) < messages.MAX_QUEUED:
            since = moment
    failing = select(Delivery.webhook_id).where(Delivery.due.is_not(None), Delivery.problem.is_not(None))
    due = select(Delivery.id).where(Delivery.due <= now())
    due = due.order_by(Delivery.webhook_id.in_(failing), Delivery.due).limit(_BATCH)
    with database.begin() as session:
        ids = session.scalars(due).all()
    for count, delivery_id in enumerate(ids, 1):
        if attempt_delivery(settings, database, delivery_id):
            return count, since
    return len(ids), since


def attempt_delivery(settings: Settings, database: Database, delivery_id: str) -> bool:
    """Try to deliver a message and store the result; return whether it failed slowly.

    In that case the other messages of the webhook are postponed: each would take as long.
    """
    with database.begin() as session:
        row = session.get(Delivery, delivery_id)
        hook = session.get(WebhookRow, row.webhook_id) if row is not None else None
    if row is None or hook is None:
        return False
    status, problem, start = None, None, time.monotonic()
    try:
        allowed = url_allowlist.find_allowing(settings.webhooks, hook.url)
        if allowed is None:
            raise NotSent("An administrator no longer allows this address.")
        body = row.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Reelproof/{__version__}",
            "Reelproof-Event": row.event,
            "Reelproof-Delivery": row.id,
            SIGNATURE: sign_message(webhook_secret(settings.data, hook.id), int(time.time()), body),
        }
        status = send(hook.url, allowed, body, headers)
    except NotSent as error:
        status, problem = error.status, str(error)
    failed_slowly = problem is not None and time.monotonic() - start > _SLOW
    with database.begin() as session:
        if failed_slowly:
            others = (Delivery.webhook_id == hook.id) & (Delivery.due <= now())
            later = now() + timedelta(seconds=BACK_OFF[0])
            session.execute(update(Delivery).where(others).values(due=later))
        _store_result(session, delivery_id, status, problem)
    return failed_slowly


def _store_result(session: Session, delivery_id: str, status: int | None, problem: str | None) -> None:
    """Store the result of an attempt, and schedule the next one if it failed."""
    row = session.get(Delivery, delivery_id)
    if row is None:  # the webhook was deleted meanwhile
        return
    row.attempts += 1
    row.status, row.problem = status, problem
    if problem is None:
        row.delivered, row.due = now(), None
    elif row.attempts > len(BACK_OFF):
        row.due = None
        log.warning("a webhook's message was given up after %d attempts", row.attempts)
    else:
        row.due = now() + timedelta(seconds=BACK_OFF[row.attempts - 1])


def main() -> None:
    """Send messages until the process is stopped."""
    settings = read_settings()
    logs.configure(as_json=settings.log_json)
    end_with_named_parent()
    database = connect(settings)
    since = messages.initial_since()
    while True:
        try:
            count, since = deliver_round(settings, database, since)
        except Exception as problem:  # the process must go on, or nothing would be sent any more
            log.warning("webhooks: trying again: %s", problem)
            count = 0
        if not count:
            time.sleep(_POLL_INTERVAL)


if __name__ == "__main__":
    main()
