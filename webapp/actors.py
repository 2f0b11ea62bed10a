"""Who does what is recorded in the custody log: one place that knows."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from flask import g, has_request_context

NOBODY = "somebody not signed in"
SOFTWARE = "reelproof"


class Actor(NamedTuple):
    """A name, and for the software which of its processes."""

    name: str
    process: str | None


def current() -> Actor:
    """Who acts now: whoever sent the request that is being answered, or the software by itself."""
    if has_request_context():
        principal = g.get("principal")  # webapp.access sets it; not imported, since it needs the database
        return Actor(principal.name if principal else NOBODY, None)
    return Actor(SOFTWARE, process_name())


def process_name(process: int | None = None) -> str:
    """Which process on which machine: this one, or another one on this machine."""
    return f"{socket.gethostname()}:{process or os.getpid()}"
