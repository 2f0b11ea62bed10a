"""Webhooks: which there are, and which events each can ask for.

Only addresses that begin with one of ``REELPROOF_WEBHOOKS`` are ever asked for; none are by
default, and then nothing is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reports.text.translation.language import gettext
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.jobs.states import ENDED
from webapp.storage.tables import JOBS, Delivery, WebhookRow, now
from webapp.url_allowlist import allowing

OF_ANALYSES, OF_COMPARISONS = (tuple(f"{table.noun}.{state}" for state in ENDED) for table in JOBS)
OF_OPERATIONS = ("operations.alert", "operations.resolved")
EVENTS = OF_ANALYSES + OF_COMPARISONS + OF_OPERATIONS
MOST = 50


def add(
    session: Session, allowed: Sequence[str], url: str, events: Sequence[str], who: str, wanted_id: str
) -> WebhookRow:
    """Make a webhook, and record it; raises :class:`UserError` for an address that is not allowed."""
    if (known := session.get(WebhookRow, wanted_id)) is not None:
        return known
    if allowing(allowed, url) is None:
        raise UserError(
            403,
            gettext("Webhooks to this address are not allowed."),
            gettext(
                "An administrator allows addresses with REELPROOF_WEBHOOKS; without it nothing is "
                "sent anywhere."
            ),
        )
    if len(session.scalars(select(WebhookRow.id)).all()) >= MOST:
        raise UserError(
            409,
            gettext("There are %(most)s webhooks, the most there can be.", most=MOST),
            gettext("Delete one of them."),
        )
    row = WebhookRow(id=wanted_id, url=url, events=" ".join(dict.fromkeys(events)), who=who, made=now())
    session.add(row)
    _record(session, "webhook made", row)
    return row


def remove(session: Session, webhook_id: str) -> bool:
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
