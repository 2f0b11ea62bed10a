"""What happens to accounts, roles and cases, put on record."""

from __future__ import annotations

import logging

from webapp.access import somebody

log = logging.getLogger("reelproof.audit")


def record(action: str, *, actor: str | None = None, **details: str | int) -> None:
    """Note that ``actor`` (by default, who asks) did this."""
    who = somebody()
    name = actor or (who.name if who is not None else "nobody")
    log.info("%s by %s: %s", action, name, details)
