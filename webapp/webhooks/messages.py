"""What webhooks are owed: messages, made of jobs that ended and of alerts, and queued for delivery.

What ended is found in the jobs' own rows, so no way an analysis or comparison can end is forgotten;
:mod:`webapp.webhooks.delivery` sends what is queued.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from detector import timestamps
from webapp.jobs.states import ENDED
from webapp.storage.blind_exhibits import hidden_exhibits
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

_KEPT = timedelta(days=30)
_LATE = timedelta(hours=1)  # what ended this long before the sender last looked is still told of
# So is what ended this long before it was started: workers elsewhere go on while the pages are not up. Not as
# long as messages are kept, by which what was told is known.
_MISSED = _KEPT - timedelta(days=1)


def first_look() -> datetime:
    """Since when what ended may be untold, for a sender that begins."""
    return now() - _MISSED


def queue_ended(session: Session, since: datetime) -> int:
    """Queue what ended after ``since`` and is queued nowhere yet; how many messages that is."""
    hooks = session.scalars(select(WebhookRow)).all()
    if not hooks:
        return 0
    new = sum(_queue_ended(session, hook, table, since) for hook in hooks for table in JOBS)
    session.execute(delete(Delivery).where(Delivery.due.is_(None), Delivery.happened < now() - _KEPT))
    return new


def queue_alert(session: Session, event: str, name: str, words: str, happened: datetime) -> None:
    """Queue what passed a threshold, or no longer does, to whoever listens to it."""
    for hook in session.scalars(select(WebhookRow)):
        if event not in hook.events.split():
            continue
        identity = secrets.token_hex(16)
        body = {
            "id": identity,
            "event": event,
            "happened": timestamps.iso_milliseconds(happened),
            "alert": name,
            "words": words,
            "href": "/operations",
        }
        session.add(_message(hook, identity, name, event, happened, body))


def _queue_ended(
    session: Session, hook: WebhookRow, table: type[AnalysisRow] | type[ComparisonRow], since: datetime
) -> int:
    """Queue what ended of one kind of job for one webhook; how many messages that is."""
    queued = select(Delivery.id).where(
        Delivery.webhook_id == hook.id,
        Delivery.analysis_id == table.id,
        Delivery.happened == table.finished,
    )
    ended = select(table).where(
        table.state.in_(ENDED), table.finished >= max(since - _LATE, hook.made), ~queued.exists()
    )
    new = 0
    rows: Iterable[AnalysisRow | ComparisonRow] = session.scalars(ended.order_by(table.finished))
    for row in rows:
        event, happened = f"{row.noun}.{row.state}", row.finished
        if happened is not None and event in hook.events.split():
            session.add(_delivery(hook, row, event, happened, _copies(session, row), _withheld(session, row)))
            new += 1
    return new


def _copies(session: Session, row: AnalysisRow | ComparisonRow) -> int:
    """How many other exhibits show the same as its exhibit, or a part of it."""
    either = or_(MatchRow.exhibit_id == row.exhibit_id, MatchRow.other_id == row.exhibit_id)
    return session.scalar(select(func.count()).select_from(MatchRow).where(either)) or 0


def _withheld(session: Session, row: AnalysisRow | ComparisonRow) -> bool:
    """Whether the machine's findings of its exhibit are hidden from a second reviewer."""
    hidden = select(Exhibit.id).where(Exhibit.id == row.exhibit_id)
    return bool(session.scalar(hidden.where(Exhibit.id.in_(hidden_exhibits(None, "findings")))))


def _delivery(
    hook: WebhookRow,
    row: AnalysisRow | ComparisonRow,
    event: str,
    happened: datetime,
    copies: int,
    withheld: bool,
) -> Delivery:
    """The message: what happened and where to look, and nothing of the exhibit but its SHA-256.

    ``withheld``: who reviews it second is not to know the finding, and may read what the webhook feeds.
    """
    identity = secrets.token_hex(16)
    body: dict[str, Any] = {
        "id": identity,
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
        }
    else:
        body |= {
            "analysis": row.id,
            "href": f"/api/v1/analyses/{row.id}",
            "verdict": None if withheld else row.verdict,
            # Webhooks are made by administrators, who see everything.
            "copies": copies,
            "kind": json.loads(row.finding)["kind"] if row.finding and not withheld else None,
        }
    if withheld:
        body["withheld"] = True
    return _message(hook, identity, row.id, event, happened, body)


def _message(
    hook: WebhookRow, identity: str, about: str, event: str, happened: datetime, body: dict[str, Any]
) -> Delivery:
    return Delivery(
        id=identity,
        webhook_id=hook.id,
        analysis_id=about,
        event=event,
        happened=happened,
        body=json.dumps(body),
        attempts=0,
        due=now(),
    )
