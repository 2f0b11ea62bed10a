"""Asking a database that may be restarting: an analysis of hours does not fail for a second without one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError

log = logging.getLogger(__name__)

_BACK = 60.0  # seconds in which a database that is started anew should be there again
_Answer = TypeVar("_Answer")


def retry_while_unreachable(ask: Callable[[], _Answer]) -> _Answer:
    """Read or write, again and again for a minute where the database cannot be reached."""
    until = time.monotonic() + _BACK
    while True:
        try:
            return ask()
        except OperationalError as problem:
            if time.monotonic() >= until:
                raise
            log.warning("the database cannot be reached, trying again: %s", problem.orig)
            time.sleep(1)
