"""How often one person may ask, with login on: enough for hands, too little for a script gone wild.

Counted in memory, in the one process that answers: a restart forgets, and several processes
behind one proxy would each count for themselves.

Flask-Limiter is a layer over the same ``limits`` library. With its memory storage it gave the same
answers when tried, but person and permission are known only after the guard's own checks, so each
limit has to be applied there by hand: as much code, and two more packages.
"""

from __future__ import annotations

import math
import threading
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from reports.text.translation.language import gettext
from webapp.errors import UserError
from webapp.security.access.permissions import Permission

# A page that follows three analyses asks five times a second; pictures and video come in bursts.
_ANYTHING = "3000/minute"
_ONE_ENTRY_FOR = 3600.0  # seconds in which refusals are counted together
_MOST_KINDS = 10_000  # before old ones are forgotten
_DEAR: dict[Permission | None, str] = {
    Permission.EXPORT: "120/minute",  # a report may have to be rendered, a bundle packed
    Permission.ANALYSE: "120/minute",  # where work is started, by POST: a large file comes in many parts
    Permission.CONFIGURE: "30/minute",
    Permission.ADMINISTER: "60/minute",
}
# By endpoint
_DEAR_FORMS = {"account.password": "10/minute"}  # how soon a password is guessed takes a second to tell


class RepeatedRefusals:
    """Which of many refusals of one kind get an entry in the log, which nobody can remove again.

    Within an hour the first, the tenth, the hundredth, and so on.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ...], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def count(self, *kind: str) -> int | None:
        """How many there have been with this one, if it is to be recorded; otherwise None."""
        with self._lock:
            moment = time.monotonic()
            since, before = self._counts.get(kind, (moment, 0))
            if moment - since >= _ONE_ENTRY_FOR:
                since, before = moment, 0
            if len(self._counts) >= _MOST_KINDS:
                self._counts = {
                    key: value for key, value in self._counts.items() if moment - value[0] < _ONE_ENTRY_FOR
                }
            self._counts[kind] = since, before + 1
            return before + 1 if str(before + 1).strip("0") == "1" else None


class RateLimitExceeded(UserError):
    """Somebody asks more often than they may."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            429,
            gettext("Too many requests in a short time."),
            gettext("Wait %(seconds)s s, then try again.", seconds=seconds),
        )
        self.retry_after = seconds


class Rates:
    """Counts requests by person and by what they are for."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._all = parse(_ANYTHING)
        self._dear: dict[Permission | None, RateLimitItem] = {p: parse(text) for p, text in _DEAR.items()}
        self._forms = {endpoint: parse(text) for endpoint, text in _DEAR_FORMS.items()}

    def count(
        self, who: str, permission: Permission | None, endpoint: str = "", method: str = "POST"
    ) -> None:
        """Count a request; raises :class:`RateLimitExceeded`."""
        dear = permission != Permission.ANALYSE or method == "POST"
        limits = (
            (self._all, "all"),
            (self._dear.get(permission) if dear else None, str(permission)),
            (self._forms.get(endpoint), endpoint),
        )
        for item, key in limits:
            if item is not None and not self._limiter.hit(item, who, key):
                resets = self._limiter.get_window_stats(item, who, key).reset_time
                raise RateLimitExceeded(max(1, math.ceil(resets - time.time())))
