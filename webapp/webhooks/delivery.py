"""``python -m webapp.webhooks.delivery``: sends the messages that are due, in a process of its own.

Nothing waits for it: not the pages, not an analysis. A message is tried for about two days,
each attempt once the one before has failed.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from detector.process.parent import end_with_starter
from detector.version import __version__
from webapp import logs, url_allowlist
from webapp.settings import Settings, read_settings
from webapp.storage.database import Database, connect
from webapp.storage.tables import Delivery, WebhookRow, now
from webapp.webhooks import messages, request
from webapp.webhooks.request import NotSent
from webapp.webhooks.signature import SIGNATURE, secret, signature

log = logging.getLogger(__name__)

# Seconds after each attempt that failed until the next one: about two days in all.
BACK_OFF = (10, 60, 300, 1800, 7200, 21600, 43200, 86400)
_LOOK_EVERY = 1.0  # seconds
_AT_A_TIME = 20  # messages
_LONG = 2.0  # seconds that an attempt takes; one that is refused at once keeps nobody waiting


def round_trip(settings: Settings, database: Database, since: datetime) -> tuple[int, datetime]:
    """Queue what is new and try what is due; how many messages were tried, and the next round's ``since``.

    Webhooks that failed come last, and the round ends with the first that lets the sender wait: the next
    one begins with what became due for others meanwhile.
    """
    moment = now()
    with database.begin() as session:
        if session.scalar(select(WebhookRow.id).limit(1)) is None:
            return 0, moment
    with database.alone() as session:
        if messages.queue_ended(session, since) < messages.MOST_QUEUED:
            since = moment
    failing = select(Delivery.webhook_id).where(Delivery.due.is_not(None), Delivery.problem.is_not(None))
    due = select(Delivery.id).where(Delivery.due <= now())
    due = due.order_by(Delivery.webhook_id.in_(failing), Delivery.due).limit(_AT_A_TIME)
    with database.begin() as session:
        ids = session.scalars(due).all()
    for tried, delivery_id in enumerate(ids, 1):
        if attempt(settings, database, delivery_id):
            return tried, since
    return len(ids), since


def attempt(settings: Settings, database: Database, delivery_id: str) -> bool:
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
        status = request.send(hook.url, allowed, body, headers)
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
    logs.prepare(as_json=settings.log_json)
    end_with_starter()
    database = connect(settings)
    since = messages.first_look()
    while True:
        try:
            tried, since = round_trip(settings, database, since)
        except Exception as problem:  # if this process ended, no message would be sent any more
            log.warning("webhooks: trying again: %s", problem)
            tried = 0
        if not tried:
            time.sleep(_LOOK_EVERY)


if __name__ == "__main__":
    main()
