"""Who does what is recorded in the custody log: one place that knows."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from flask import has_request_context

LOCAL_USER = "local user"  # there are no accounts: whoever sits at this machine
SOFTWARE = "reelproof"


class Actor(NamedTuple):
    """A name, and for the software which of its processes."""

    name: str
    process: str | None


def current() -> Actor:
    """Who acts now: whoever sent the request that is being answered, or the software by itself."""
    if has_request_context():
        return Actor(LOCAL_USER, None)
    return Actor(SOFTWARE, process_name())


def process_name(process: int | None = None) -> str:
    """Which process on which machine: this one, or another one on this machine."""
    return f"{socket.gethostname()}:{process or os.getpid()}"
