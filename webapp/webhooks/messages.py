"""Register webhooks, and queue the messages they subscribed to.

Webhooks only go to addresses that begin with one of ``REELPROOF_WEBHOOKS``; by default there are none, and
nothing is sent. Finished jobs are read from their rows, which covers every way in which a job can end;
:mod:`webapp.webhooks.delivery` sends what is queued.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from detector import timestamps
from language.headlines import headline
from language.translation import gettext
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.jobs.states import ENDED
from webapp.rest.webhook_messages import AlertMessage, AnalysisMessage, ComparisonMessage
from webapp.storage.finding_columns import row_verdicts
from webapp.storage.second_reviews import hidden_exhibits
from webapp.storage.tables import (
    JOBS,
    AnalysisRow,
    ComparisonRow,
    Delivery,
    Exhibit,
    MatchRow,
    State,
    WebhookRow,
    now,
    shown_state,
)
from webapp.url_allowlist import find_allowing

_Body = AlertMessage | AnalysisMessage | ComparisonMessage
MAX_WEBHOOKS = 50
MAX_QUEUED = 50  # messages per transaction, which locks out other writers
_RETENTION = timedelta(days=30)
_OVERLAP = timedelta(hours=1)  # jobs that ended this long before the sender's last query are still reported
# Jobs that ended this long before the sender started are reported too, because remote workers continue while
# the web server is down.
# It must be shorter than the retention, since stored messages show what was reported already.
_BACKLOG = _RETENTION - timedelta(days=1)


def add_webhook(
    session: Session, allowed: Sequence[str], url: str, events: Sequence[str], who: str, wanted_id: str
) -> WebhookRow:
    """Register a webhook and record it; raise :class:`UserError` if its address is not allowed."""
    if (existing := session.get(WebhookRow, wanted_id)) is not None:
        return existing
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
            gettext("There are %(most)s webhooks already, which is the maximum.", most=MAX_WEBHOOKS),
            gettext("Delete one of them."),
        )
    row = WebhookRow(id=wanted_id, url=url, events=" ".join(dict.fromkeys(events)), who=who, made=now())
    session.add(row)
    _record(session, "webhook made", row)
    return row


def remove_webhook(session: Session, webhook_id: str) -> bool:
    """Delete a webhook with its messages and record it; return False if it does not exist."""
    session.execute(delete(Delivery).where(Delivery.webhook_id == webhook_id))
    row = session.get(WebhookRow, webhook_id)
    if row is None:
        return False
    session.delete(row)
    _record(session, "webhook removed", row)
    return True


def _record(session: Session, act: str, row: WebhookRow) -> None:
    """Append to the custody log. Record only the server of the address, because the rest may be secret."""
    parts = urlsplit(row.url)
    details = {
        "what": act,
        "webhook": row.id,
        "server": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        "address sha256": hashlib.sha256(row.url.encode()).hexdigest(),
        "events": row.events,
    }
    custody_log.append(session, "configuration", details)


def initial_since() -> datetime:
    """Return the earliest time of finished jobs that the sender reports when it starts."""
    return now() - _BACKLOG


def queue_ended_jobs(session: Session, since: datetime) -> int:
    """Queue messages about jobs that ended after ``since`` and are not queued yet; return their number.

    If it is :data:`MAX_QUEUED`, there may be more.
    """
    count = 0
    for hook in session.scalars(select(WebhookRow)).all():
        for table in JOBS:
            count += _queue_jobs(session, hook, table, since, MAX_QUEUED - count)
        count += _queue_findings(session, hook, MAX_QUEUED - count)
    session.execute(delete(Delivery).where(Delivery.due.is_(None), Delivery.happened < now() - _RETENTION))
    return count


def queue_alert(session: Session, event: str, name: str, words: str, happened: datetime) -> None:
    """Queue messages about an alert for all webhooks that subscribed to the event."""
    for hook in session.scalars(select(WebhookRow)):
        if event not in hook.events.split():
            continue
        body = AlertMessage.model_validate(
            _head(event, happened) | {"alert": name, "words": words, "href": "/operations"}
        )
        session.add(_delivery(hook, name, happened, body))


def _queue_jobs(
    session: Session,
    hook: WebhookRow,
    table: type[AnalysisRow] | type[ComparisonRow],
    since: datetime,
    limit: int,
) -> int:
    """Queue messages about up to ``limit`` ended jobs of one kind for one webhook; return their number."""
    states = [state for state in ENDED if f"{table.noun}.{state}" in hook.events.split()]
    deliveries = select(Delivery.id).where(
        Delivery.webhook_id == hook.id,
        Delivery.about == table.id,
        Delivery.happened == table.finished,
    )
    query = select(table).where(
        table.state.in_(states), table.finished >= max(since - _OVERLAP, hook.made), ~deliveries.exists()
    )
    rows: Sequence[Any] = session.scalars(query.order_by(table.finished).limit(limit)).all()
    _add_deliveries(session, hook, [(row, row.finished) for row in rows])
    return len(rows)


def _queue_findings(session: Session, hook: WebhookRow, limit: int) -> int:
    """Queue messages about up to ``limit`` findings whose pictures are being made; return their number.

    A finding is published once. Whoever looks after its pictures were made gets the message of their end.
    """
    event = f"{AnalysisRow.noun}.{State.EXPLAINING}"
    if event not in hook.events.split():
        return 0
    deliveries = select(Delivery.id).where(
        Delivery.webhook_id == hook.id, Delivery.about == AnalysisRow.id, Delivery.event == event
    )
    query = select(AnalysisRow).where(shown_state() == State.EXPLAINING, ~deliveries.exists())
    published = []
    for row in session.scalars(query.order_by(AnalysisRow.created).limit(limit)):
        entry = custody_log.latest_entry(session, row.id, "finding published")
        published.append((row, custody_log.entry_time(entry) if entry else now()))
    _add_deliveries(session, hook, published)
    return len(published)


def _add_deliveries(
    session: Session, hook: WebhookRow, jobs: Sequence[tuple[AnalysisRow | ComparisonRow, datetime]]
) -> None:
    """Queue messages about jobs, each with the moment of what it reports."""
    exhibits = {exhibit_id for row, _ in jobs for exhibit_id in _exhibit_ids(row)}
    is_hidden = Exhibit.id.in_(hidden_exhibits(None, "findings"))  # from a second reviewer
    hidden_ids = set(session.scalars(select(Exhibit.id).where(Exhibit.id.in_(exhibits), is_hidden)))
    for row, happened in jobs:
        withheld = not hidden_ids.isdisjoint(_exhibit_ids(row))
        session.add(_job_delivery(session, hook, row, happened, withheld))


def _exhibit_ids(row: AnalysisRow | ComparisonRow) -> tuple[int, ...]:
    return (row.exhibit_id, row.reference_id) if isinstance(row, ComparisonRow) else (row.exhibit_id,)


def _job_delivery(
    session: Session, hook: WebhookRow, row: AnalysisRow | ComparisonRow, happened: datetime, withheld: bool
) -> Delivery:
    """Return a message about a job: the event, an address, and only the SHA-256 of the exhibit.

    With ``withheld`` it omits the finding, because a second reviewer who must not know it may see it.
    """
    body: dict[str, Any] = _head(f"{row.noun}.{row.shown_state}", happened) | {
        "state": str(row.shown_state),
        "exhibit": row.exhibit.sha256,
    }
    if withheld:
        body["withheld"] = True
    if isinstance(row, ComparisonRow):
        body |= {
            "comparison": row.id,
            "href": f"/api/v1/comparisons/{row.id}",
            "reference": row.reference.sha256,
            "related": None if withheld else row.related,
            "segments": None if withheld else row.segments,
            "outcome": None if withheld else row.outcome,
        }
        return _delivery(hook, row.id, happened, ComparisonMessage.model_validate(body))
    summary = json.loads(row.summary) if row.summary and not withheld else {}
    copies = or_(MatchRow.exhibit_id == row.exhibit_id, MatchRow.other_id == row.exhibit_id)
    body |= {
        "analysis": row.id,
        "href": f"/api/v1/analyses/{row.id}",
        "outcome": None if withheld else row.outcome,
        "headline": None if withheld or row.verdict is None else headline(row_verdicts(row)),
        "verdict": None if withheld else row.verdict,
        "strength": summary.get("strength"),
        # All copies count: webhooks belong to administrators, who see everything.
        "copies": session.scalar(select(func.count()).select_from(MatchRow).where(copies)) or 0,
        "kind": summary.get("kind"),
        "voice": summary.get("voice"),
    }
    return _delivery(hook, row.id, happened, AnalysisMessage.model_validate(body))


def _head(event: str, happened: datetime) -> dict[str, Any]:
    """Return what every message has, with a new id."""
    return {
        "id": secrets.token_hex(16),
        "event": event,
        "happened": timestamps.iso_milliseconds(happened),
    }


def _delivery(hook: WebhookRow, about: str, happened: datetime, body: _Body) -> Delivery:
    return Delivery(
        id=body.id,
        webhook_id=hook.id,
        about=about,
        event=body.event,
        happened=happened,
        body=body.model_dump_json(exclude_unset=True),
        attempts=0,
        due=now(),
    )
