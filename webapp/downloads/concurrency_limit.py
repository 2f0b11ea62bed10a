"""Places for requests that hold a thread of the server for long: a few in all, fewer of one account."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from webapp.errors import UserError


class ConcurrencyLimit:
    """So many places ``in_all``, and ``of_one`` account; ``refusal`` makes what others are told."""

    def __init__(self, in_all: int, of_one: int, refusal: Callable[[], UserError]) -> None:
        self._in_all, self._of_one, self._refusal = in_all, of_one, refusal
        self._taken: Counter[int | None] = Counter()  # by account
        self._lock = threading.Lock()

    @contextmanager
    def place(self, who: int | None) -> Iterator[None]:
        """Hold a place for the ``with`` block; raises the refusal at once where there is none.

        ``who`` is an account; where nobody signs in, everybody is none, and only the places in all count.
        """
        with self._lock:
            too_many = self._taken.total() >= self._in_all
            if too_many or who is not None and self._taken[who] >= self._of_one:
                raise self._refusal()
            self._taken[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[who] -= 1
                self._taken = +self._taken

    def taken(self) -> int:
        """How many are taken."""
        with self._lock:
            return self._taken.total()
