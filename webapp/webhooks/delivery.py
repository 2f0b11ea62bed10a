"""``python -m webapp.webhooks.delivery``: send queued messages, signed, in a process of its own."""

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
from webapp.settings import Settings, read_settings
from webapp.storage.database import Database, connect
from webapp.storage.key_files import webhook_key
from webapp.storage.tables import Delivery, WebhookRow, now
from webapp.url_allowlist import ParsedUrl
from webapp.webhooks import messages

SIGNATURE = "Reelproof-Signature"


def webhook_secret(data: Path, webhook_id: str) -> str:
    """What a webhook's messages are signed with. Made from a key beside the database, and so not in it."""
    digest = hmac.digest(webhook_key(data), f"webhook {webhook_id}".encode(), "sha256")
    return "whsec_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def sign_message(secret: str, moment: int, body: bytes) -> str:
    """The header that lets a receiver know who sent a message, when, and that nobody changed it.

    HMAC-SHA256 over the time in seconds since 1970, a full stop and the body.
    """
    signed = hmac.digest(secret.encode(), f"{moment}.".encode() + body, "sha256").hex()
    return f"t={moment},v1={signed}"


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


log = logging.getLogger(__name__)

# Seconds after each attempt that failed until the next one: about two days in all.
BACK_OFF = (10, 60, 300, 1800, 7200, 21600, 43200, 86400)
_LOOK_EVERY = 1.0  # seconds
_AT_A_TIME = 20  # messages
_LONG = 2.0  # seconds that an attempt takes; one that is refused at once keeps nobody waiting


def deliver_round(settings: Settings, database: Database, since: datetime) -> tuple[int, datetime]:
    """Queue what is new and try what is due; how many messages were tried, and the next round's ``since``.

    Webhooks that failed come last, and the round ends with the first that lets the sender wait: the next
    one begins with what became due for others meanwhile.
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
    due = due.order_by(Delivery.webhook_id.in_(failing), Delivery.due).limit(_AT_A_TIME)
    with database.begin() as session:
        ids = session.scalars(due).all()
    for tried, delivery_id in enumerate(ids, 1):
        if attempt_delivery(settings, database, delivery_id):
            return tried, since
    return len(ids), since


def attempt_delivery(settings: Settings, database: Database, delivery_id: str) -> bool:
    """Try one message, and keep how it fared; whether it failed after a long wait.

    Then the other messages of the webhook are put off: each would have to be waited for as long.
    """
    with database.begin() as session:
        row = session.get(Delivery, delivery_id)
        hook = session.get(WebhookRow, row.webhook_id) if row is not None else None
    if row is None or hook is None:
        return False
    status, problem, begun = None, None, time.monotonic()
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
    except NotSent as failed:
        status, problem = failed.status, str(failed)
    hung = problem is not None and time.monotonic() - begun > _LONG
    with database.begin() as session:
        if hung:
            others = (Delivery.webhook_id == hook.id) & (Delivery.due <= now())
            later = now() + timedelta(seconds=BACK_OFF[0])
            session.execute(update(Delivery).where(others).values(due=later))
        _note(session, delivery_id, status, problem)
    return hung


def _note(session: Session, delivery_id: str, status: int | None, problem: str | None) -> None:
    """Keep how an attempt fared, and when the next one is made."""
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


def main() -> None:
    """Send until told to stop."""
    settings = read_settings()
    logs.configure(as_json=settings.log_json)
    end_with_named_parent()
    database = connect(settings)
    since = messages.initial_since()
    while True:
        try:
            tried, since = deliver_round(settings, database, since)
        except Exception as problem:  # if this process ended, no message would be sent any more
            log.warning("webhooks: trying again: %s", problem)
            tried = 0
        if not tried:
            time.sleep(_LOOK_EVERY)


if __name__ == "__main__":
    main()
