"""Webhooks: which there are, and what is to be told to each.

Only addresses that begin with one of ``REELPROOF_WEBHOOKS`` are ever asked for; none are by
default, and then nothing is sent. What is to be sent is found in the analyses' own rows, so no
way an analysis can end is forgotten; :mod:`webapp.webhooks.delivery` sends it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from detector import timestamps
from webapp.errors import UserError
from webapp.storage.tables import AnalysisRow, Delivery, State, WebhookRow, now
from webapp.url_allowlist import allowing

EVENTS = ("analysis.done", "analysis.failed", "analysis.cancelled")
MOST = 50
_STATES = {State.DONE: EVENTS[0], State.FAILED: EVENTS[1], State.CANCELLED: EVENTS[2]}
# Seconds after each attempt that failed until the next one: about two days in all.
BACK_OFF = (10, 60, 300, 1800, 7200, 21600, 43200, 86400)
_KEPT = timedelta(days=30)
_LATE = timedelta(hours=1)  # what ended longer before a webhook's sender looked is still told of


def add(
    session: Session, allowed: Sequence[str], url: str, events: Sequence[str], who: str, identity: str
) -> WebhookRow:
    """Record a webhook; raises :class:`UserError` for an address that is not allowed."""
    if (known := session.get(WebhookRow, identity)) is not None:
        return known
    if allowing(allowed, url) is None:
        raise UserError(
            403,
            "Webhooks to this address are not allowed.",
            "An administrator allows addresses with REELPROOF_WEBHOOKS; without it nothing is sent anywhere.",
        )
    if len(session.scalars(select(WebhookRow.id)).all()) >= MOST:
        raise UserError(409, f"There are {MOST} webhooks, the most there can be.", "Delete one of them.")
    row = WebhookRow(id=identity, url=url, events=" ".join(dict.fromkeys(events)), who=who, made=now())
    session.add(row)
    return row


def remove(session: Session, webhook_id: str) -> bool:
    """Forget a webhook and its messages; False if there is none such."""
    session.execute(delete(Delivery).where(Delivery.webhook_id == webhook_id))
    row = session.get(WebhookRow, webhook_id)
    if row is not None:
        session.delete(row)
    return row is not None


def queue(session: Session, since: datetime) -> int:
    """Queue what ended after ``since`` and is queued nowhere yet; how many messages that is."""
    hooks = session.scalars(select(WebhookRow)).all()
    if not hooks:
        return 0
    ended = select(AnalysisRow).where(AnalysisRow.state.in_(_STATES), AnalysisRow.finished >= since - _LATE)
    new = 0
    for row in session.scalars(ended.order_by(AnalysisRow.finished)):
        event, happened = _STATES[State(row.state)], row.finished
        if happened is None:
            continue
        for hook in hooks:
            if event not in hook.events.split() or happened < hook.made:
                continue
            same = select(Delivery.id).where(
                Delivery.webhook_id == hook.id,
                Delivery.analysis_id == row.id,
                Delivery.happened == happened,
            )
            if session.scalar(same) is None:
                session.add(_delivery(hook, row, event, happened))
                new += 1
    session.execute(delete(Delivery).where(Delivery.due.is_(None), Delivery.happened < now() - _KEPT))
    return new


def _delivery(hook: WebhookRow, row: AnalysisRow, event: str, happened: datetime) -> Delivery:
    """The message: what happened and where to look, and nothing of the exhibit but its SHA-256."""
    identity = secrets.token_hex(16)
    body = {
        "id": identity,
        "event": event,
        "happened": timestamps.iso_milliseconds(happened),
        "analysis": row.id,
        "href": f"/api/v1/analyses/{row.id}",
        "state": str(row.state),
        "exhibit": row.exhibit.sha256,
        "verdict": row.verdict,
        "kind": json.loads(row.finding)["kind"] if row.finding else None,
    }
    return Delivery(
        id=identity,
        webhook_id=hook.id,
        analysis_id=row.id,
        event=event,
        happened=happened,
        body=json.dumps(body),
        attempts=0,
        due=now(),
    )
