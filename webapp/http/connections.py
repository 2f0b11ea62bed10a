"""How many connections the web server holds, and how long each may take to say what it wants.

An open socket that says nothing costs its owner nothing. waitress by itself keeps a hundred of them for five
minutes each and then accepts no more. Here there are more, each has a deadline, and where there are too many,
of one address or in all, the one that has waited longest closes: somebody who asks at once is always heard.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any

from waitress.channel import HTTPChannel

with contextlib.suppress(ImportError):  # not on Windows
    import resource

MOST = 1000
MOST_OF_ADDRESS = 100
# Seconds: from the first byte of a request to the end of its headers, and from one request to the next.
HEADERS_WITHIN, NEXT_WITHIN = 20.0, 60.0
# A body may take this long, and longer only as long as it comes at this many bytes a second on the whole.
BODY_WITHIN, BODY_RATE = 60.0, 500.0
LOOK_EVERY = 5  # seconds between two looks at the deadlines

_FILES = 4096  # that this process should be allowed to have open; half of them may be connections


class Connections:
    """All connections of one server, by where they come from. Used by the server's own thread alone."""

    def __init__(self, place_of: Callable[[str], str], proxy: str | None) -> None:
        """``place_of`` says which addresses count as one; those of ``proxy`` are of many people."""
        self._place_of = place_of
        self._unlimited = place_of(proxy) if proxy else None
        self._of: dict[str, dict[TimedChannel, None]] = {}
        self.most = min(MOST, _files_allowed() // 2)

    def add(self, channel: TimedChannel) -> None:
        """Take in a new one; where there are too many with it, one of them closes."""
        place = self._place(channel)
        own = self._of.setdefault(place, {})
        own[channel] = None
        if place != self._unlimited and len(own) > MOST_OF_ADDRESS:
            _close_one(own, channel)
        elif len(channel.server.active_channels) > self.most:
            _close_one(channel.server.active_channels.values(), channel)

    def remove(self, channel: TimedChannel) -> None:
        """One has closed."""
        place = self._place(channel)
        own = self._of.get(place, {})
        own.pop(channel, None)
        if not own:
            self._of.pop(place, None)

    def _place(self, channel: TimedChannel) -> str:
        return self._place_of(str(channel.addr[0]))


class TimedChannel(HTTPChannel):
    """A connection with deadlines; ``connections`` is set by the server's own subclass."""

    connections: Connections

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.waiting_since = self._begun = time.monotonic()
        self._answered, self._came = False, 0
        self.connections.add(self)

    def received(self, data: bytes) -> bool:
        """Note when a request begins, and how much of it came."""
        if self.request is None:
            self._begun, self._came = time.monotonic(), 0
        self._came += len(data)
        return bool(super().received(data))

    def service(self) -> None:
        """Answer a request; from then on the next one is waited for."""
        super().service()
        self._answered, self.waiting_since = True, time.monotonic()

    def handle_close(self) -> None:
        """It counts no more."""
        self.connections.remove(self)
        super().handle_close()

    def gives_way(self) -> bool:
        """Whether nothing is lost but time if it closes: it has not said what it wants yet."""
        saying = self.request is not None and self.request.headers_finished
        return not (saying or self._busy())

    def overdue(self, now: float) -> bool:
        """Whether it let its deadline pass."""
        if self._busy():
            return False
        if self.request is None:
            return now - self.waiting_since > (NEXT_WITHIN if self._answered else HEADERS_WITHIN)
        if not self.request.headers_finished:
            return now - self._begun > HEADERS_WITHIN
        return now - self._begun > BODY_WITHIN + self._came / BODY_RATE

    def _busy(self) -> bool:
        """Whether it is being answered, or closes already."""
        return bool(self.requests or self.total_outbufs_len or self.will_close)


def close_overdue(channels: Iterable[TimedChannel]) -> None:
    """Close those that let their deadlines pass, by a clock that nobody sets."""
    now = time.monotonic()
    for channel in channels:
        if channel.overdue(now):
            channel.will_close = True


def _close_one(among: Iterable[TimedChannel], newcomer: TimedChannel) -> None:
    waiting = [each for each in among if each is not newcomer and each.gives_way()]
    first = min(waiting, key=lambda each: each.waiting_since, default=newcomer)
    first.will_close = True


def _files_allowed() -> int:
    """How many files this process may have open, after asking for enough."""
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    except (NameError, ValueError, OSError):
        return 512
    return _FILES if soft == resource.RLIM_INFINITY else soft
