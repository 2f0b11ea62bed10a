"""When something that people say of an analysis counts as said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from webapp.storage.tables import now

_TICK = timedelta(milliseconds=1)  # as exact as times of annotations and statements are kept


class _Said(Protocol):
    @property
    def made(self) -> datetime: ...


def later_than(known: Sequence[_Said]) -> datetime:
    """Now, and later than the last of ``known``: what is said last stands, even within one millisecond."""
    return max([now(), *(each.made + _TICK for each in known[-1:])])
