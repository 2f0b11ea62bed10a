"""What happens to accounts, roles and cases, in the custody log: entries of the action “account”."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.custody import log as custody_log


def append_account_event(
    session: Session, what: str, *, actor: str | None = None, **details: str | int
) -> None:
    """Record it in the transaction of what was done; last in it, since others wait for their turn.

    ``actor`` is somebody who is not signed in yet; otherwise it is who asks.
    """
    plain = {name: str(value) if isinstance(value, str) else value for name, value in details.items()}
    custody_log.append(session, "account", {"what": what, **plain}, actor=actor)
