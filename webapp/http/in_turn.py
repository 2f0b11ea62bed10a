"""Reports and exports, made one at a time in the background while a page waits.

Making one takes a core and a few hundred MB, and each request that waits holds a thread of the server
(``webapp/server.py``). So few may wait, fewer of them for one account, and none for long: what is made goes
on without its request, is kept, and answers the next one.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import copy_context
from pathlib import Path

from language.translation import gettext
from webapp.errors import UserError
from webapp.http.responses import ConcurrencyLimit

log = logging.getLogger(__name__)

ANSWER_WITHIN = 120  # seconds; then the request is answered, and the work goes on
# Seconds to wait while something else is made; less than clients wait for a response.
PATIENCE = 30
_MAX_WAITING, _MAX_PER_ACCOUNT = 8, 2
WORKING = threading.Lock()


class NotReady(UserError):
    """What was asked for, or something before it, is being made."""

    retry_after = 5
    makes_download = True

    def __init__(self, error: str) -> None:
        super().__init__(503, error, gettext("Try again in a minute."))


def _others_first() -> NotReady:
    return NotReady(gettext("Other reports and exports are being made at the moment."))


LINE = ConcurrencyLimit(_MAX_WAITING, _MAX_PER_ACCOUNT, _others_first)


def make_in_turn(
    what: str,
    account: int | None,
    lock: AbstractContextManager[bool],
    kept: Callable[[], Path | None],
    make: Callable[[], Path],
    not_ready: Callable[[], NotReady],
    *,
    in_line: bool = True,
    working: threading.Lock = WORKING,
) -> Path:
    """Return what is ``kept``, or what ``make`` makes in its turn.

    ``lock`` is held while it is made, so that it is made once; it yields False if somebody else holds it for
    long. ``what`` names it in the log, ``account`` is who asks, None without login. ``in_line`` limits how
    many such requests wait; pass False if the caller limits them in another way, who then waits to the end.
    ``working`` is held by whatever is made at a time.
    Raises :class:`NotReady` if it is not ready soon, and whatever ``make`` raises.
    """
    with ExitStack() as waiting, ExitStack() as locks:
        if in_line:
            waiting.enter_context(LINE.slot(account))
        if not locks.enter_context(lock):
            raise not_ready()
        if found := kept():
            return found
        if not working.acquire(timeout=PATIENCE):
            raise _others_first()
        waiting.close()
        locks.callback(working.release)
        made = _make_in_background(what, make, locks.pop_all())
        try:
            return made.result(ANSWER_WITHIN if in_line else None)
        except TimeoutError:
            log.warning(
                "%s is not ready after %d s and is made on: load average %.1f on %d processors",
                what,
                ANSWER_WITHIN,
                os.getloadavg()[0],
                os.cpu_count() or 1,
            )
            raise not_ready() from None


def _make_in_background(what: str, make: Callable[[], Path], locks: ExitStack) -> Future[Path]:
    """Make it in a thread that goes on if its request is answered before, then release the locks."""
    made: Future[Path] = Future()

    def work() -> None:
        try:
            with locks:
                path = make()
        except BaseException as problem:
            log.warning("%s was not made: %s", what, problem)
            made.set_exception(problem)
        else:
            made.set_result(path)

    # With the language and the account of the request.
    threading.Thread(target=copy_context().run, args=(work,), name="in-turn", daemon=True).start()
    return made


class KeyLocks:
    """One lock for each key, of this process."""

    def __init__(self) -> None:
        self._held: set[Hashable] = set()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, key: Hashable, patience: float) -> Iterator[bool]:
        """Hold the lock of a key; yield False if it is not free within ``patience`` seconds."""
        with self._changed:
            is_mine = self._changed.wait_for(lambda: key not in self._held, patience)
            if is_mine:
                self._held.add(key)
        try:
            yield is_mine
        finally:
            if is_mine:
                with self._changed:
                    self._held.discard(key)
                    self._changed.notify_all()
