"""Who does what is recorded in the custody log: one place that knows."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from flask import g, has_request_context

from reports.text.actors import NOBODY

SOFTWARE = "reelproof"
# Set by a supervisor for the workers it starts: its process and its start, so that no other has the same.
STARTED_BY = "REELPROOF_STARTED_BY"


class Actor(NamedTuple):
    """A name, and for the software which of its processes."""

    name: str
    process: str | None


def current() -> Actor:
    """Who acts now: whoever sent the request that is being answered, or the software by itself."""
    if has_request_context():
        # webapp.security.requests.request_guard sets it, which is not imported: it needs the database.
        principal = g.get("principal")
        return Actor(principal.name if principal else NOBODY, None)
    return Actor(SOFTWARE, process_name())


def process_name(process: int | None = None) -> str:
    """Which process on which machine: this one, or another one of the same instance."""
    return f"{name_prefix()}{process or os.getpid()}"


def name_prefix(started_by: str | None = None) -> str:
    """How the names of all worker processes begin that one supervisor started: this one's, or another's."""
    return f"{socket.gethostname()}/{started_by or os.environ.get(STARTED_BY, '')}:"
