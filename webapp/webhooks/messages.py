"""Register webhooks, and queue the messages they subscribed to."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from detector import timestamps
from reports.language.translation import gettext
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.jobs.states import ENDED
from webapp.storage.second_reviews import hidden_exhibits
from webapp.storage.tables import (
    JOBS,
    AnalysisRow,
    ComparisonRow,
    Delivery,
    Exhibit,
    MatchRow,
    WebhookRow,
    now,
)
from webapp.url_allowlist import find_allowing

ANALYSIS_EVENTS, COMPARISON_EVENTS = (tuple(f"{table.noun}.{state}" for state in ENDED) for table in JOBS)
OPERATIONS_EVENTS = ("operations.alert", "operations.resolved")
EVENTS = ANALYSIS_EVENTS + COMPARISON_EVENTS + OPERATIONS_EVENTS
MAX_WEBHOOKS = 50


def add_webhook(
    session: Session, allowed: Sequence[str], url: str, events: Sequence[str], who: str, wanted_id: str
) -> WebhookRow:
    """Make a webhook, and record it; raises :class:`UserError` for an address that is not allowed."""
    if (known := session.get(WebhookRow, wanted_id)) is not None:
        return known
    if find_allowing(allowed, url) is None:
        raise UserError(
            403,
            gettext("Webhooks to this address are not allowed."),
            gettext(
                "An administrator allows addresses with REELPROOF_WEBHOOKS; without it nothing is "
                "sent anywhere."
            ),
        )
    if len(session.scalars(select(WebhookRow.id)).all()) >= MAX_WEBHOOKS:
        raise UserError(
            409,
            gettext("There are %(most)s webhooks, the most there can be.", most=MAX_WEBHOOKS),
            gettext("Delete one of them."),
        )
    row = WebhookRow(id=wanted_id, url=url, events=" ".join(dict.fromkeys(events)), who=who, made=now())
    session.add(row)
    _record(session, "webhook made", row)
    return row


def remove_webhook(session: Session, webhook_id: str) -> bool:
    """Forget a webhook and its messages, and record that; False if there is none such."""
    session.execute(delete(Delivery).where(Delivery.webhook_id == webhook_id))
    row = session.get(WebhookRow, webhook_id)
    if row is None:
        return False
    session.delete(row)
    _record(session, "webhook removed", row)
    return True


def _record(session: Session, what: str, row: WebhookRow) -> None:
    """Put it into the custody log: of the address its server, since what is behind that may be secret."""
    parts = urlsplit(row.url)
    details = {
        "what": what,
        "webhook": row.id,
        "server": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        "address sha256": hashlib.sha256(row.url.encode()).hexdigest(),
        "events": row.events,
    }
    custody_log.append(session, "configuration", details)


_KEPT = timedelta(days=30)
_LATE = timedelta(hours=1)  # what ended this long before the sender last looked is still told of
# So is what ended this long before it was started: workers elsewhere go on while the pages are not up. Not as
# long as messages are kept, by which what was told is known.
_MISSED = _KEPT - timedelta(days=1)
MAX_QUEUED = 50  # messages at once: nobody else writes meanwhile


def initial_since() -> datetime:
    """Since when what ended may be untold, for a sender that begins."""
    return now() - _MISSED


def queue_ended_jobs(session: Session, since: datetime) -> int:
    """Queue what ended after ``since`` and is queued nowhere yet; how many messages that is.

    Where it is :data:`MOST_QUEUED`, there may be more.
    """
    new = 0
    for hook in session.scalars(select(WebhookRow)).all():
        for table in JOBS:
            new += _queue_jobs(session, hook, table, since, MAX_QUEUED - new)
    session.execute(delete(Delivery).where(Delivery.due.is_(None), Delivery.happened < now() - _KEPT))
    return new


def queue_alert(session: Session, event: str, name: str, words: str, happened: datetime) -> None:
    """Queue what passed a threshold, or no longer does, to whoever listens to it."""
    for hook in session.scalars(select(WebhookRow)):
        if event not in hook.events.split():
            continue
        message_id = secrets.token_hex(16)
        body = {
            "id": message_id,
            "event": event,
            "happened": timestamps.iso_milliseconds(happened),
            "alert": name,
            "words": words,
            "href": "/operations",
        }
        session.add(_message(hook, message_id, name, event, happened, body))


def _queue_jobs(
    session: Session,
    hook: WebhookRow,
    table: type[AnalysisRow] | type[ComparisonRow],
    since: datetime,
    most: int,
) -> int:
    """Queue what ended of one kind of job for one webhook, up to ``most``; how many messages that is."""
    told = [state for state in ENDED if f"{table.noun}.{state}" in hook.events.split()]
    queued = select(Delivery.id).where(
        Delivery.webhook_id == hook.id,
        Delivery.about == table.id,
        Delivery.happened == table.finished,
    )
    ended = select(table).where(
        table.state.in_(told), table.finished >= max(since - _LATE, hook.made), ~queued.exists()
    )
    rows: Sequence[Any] = session.scalars(ended.order_by(table.finished).limit(most)).all()
    hidden = _hidden(session, {each for row in rows for each in _exhibits(row)})
    for row in rows:
        session.add(_of_job(session, hook, row, not hidden.isdisjoint(_exhibits(row))))
    return len(rows)


def _copies(session: Session, row: AnalysisRow) -> int:
    """How many other exhibits show the same as its exhibit, or a part of it."""
    either = or_(MatchRow.exhibit_id == row.exhibit_id, MatchRow.other_id == row.exhibit_id)
    return session.scalar(select(func.count()).select_from(MatchRow).where(either)) or 0


def _exhibits(row: AnalysisRow | ComparisonRow) -> tuple[int, ...]:
    """The exhibits that a job tells of: a comparison of both."""
    return (row.exhibit_id, row.reference_id) if isinstance(row, ComparisonRow) else (row.exhibit_id,)


def _hidden(session: Session, exhibits: Set[int]) -> Set[int]:
    """Of which exhibits the machine's findings are hidden from a second reviewer."""
    hidden = Exhibit.id.in_(hidden_exhibits(None, "findings"))
    return set(session.scalars(select(Exhibit.id).where(Exhibit.id.in_(exhibits), hidden)))


def _of_job(session: Session, hook: WebhookRow, row: AnalysisRow | ComparisonRow, withheld: bool) -> Delivery:
    """The message: what happened and where to look, and nothing of the exhibit but its SHA-256.

    ``withheld``: who reviews it second is not to know the finding, and may read what the webhook feeds.
    """
    assert row.finished is not None, "by when it ended it was found"
    message_id, event, happened = secrets.token_hex(16), f"{row.noun}.{row.state}", row.finished
    body: dict[str, Any] = {
        "id": message_id,
        "event": event,
        "happened": timestamps.iso_milliseconds(happened),
        "state": str(row.state),
        "exhibit": row.exhibit.sha256,
    }
    if isinstance(row, ComparisonRow):
        body |= {
            "comparison": row.id,
            "href": f"/api/v1/comparisons/{row.id}",
            "reference": row.reference.sha256,
            "related": None if withheld else row.related,
            "segments": None if withheld else row.segments,
            "outcome": None if withheld else row.outcome,
        }
    else:
        body |= {
            "analysis": row.id,
            "href": f"/api/v1/analyses/{row.id}",
            "verdict": None if withheld else row.verdict,
            # Webhooks are made by administrators, who see everything.
            "copies": _copies(session, row),
            "kind": json.loads(row.summary)["kind"] if row.summary and not withheld else None,
        }
    if withheld:
        body["withheld"] = True
    return _message(hook, message_id, row.id, event, happened, body)


def _message(
    hook: WebhookRow, message_id: str, about: str, event: str, happened: datetime, body: dict[str, Any]
) -> Delivery:
    return Delivery(
        id=message_id,
        webhook_id=hook.id,
        about=about,
        event=event,
        happened=happened,
        body=json.dumps(body),
        attempts=0,
        due=now(),
    )
