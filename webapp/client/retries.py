"""What is asked again, how soon, and when that is given up."""

from __future__ import annotations

import time

from .errors import NotReached, Problem

TRIES = 5
LONGEST = 600.0  # seconds: to make an exhibit of the largest file takes minutes on a slow disk
# What a proxy says of a server that does not answer, and a server that starts or has no database.
PASSING = (502, 503, 504)
_WITH_A_TIME = (409, 429)  # these pass only where they say when


class Retries:
    """Pauses between the times that one thing is asked.

    Where the other side says when to ask again, that is heeded, for ``longest`` seconds in all. Otherwise
    pauses grow, and after so many ``tries`` it is given up; with none, after ``longest`` seconds as well.
    """

    def __init__(self, longest: float = LONGEST, tries: int | None = TRIES) -> None:
        self._failures, self._tries = 0, tries
        self._until = time.monotonic() + longest

    def pause(self, problem: NotReached | Problem, *also: int) -> None:
        """Pause before it is asked again; raises ``problem`` where that would not help, or not any more.

        ``also`` are further statuses that pass.
        """
        wait = None
        if isinstance(problem, Problem):
            wait = problem.retry_after
            says_when = _WITH_A_TIME if wait is not None else ()
            if problem.status not in (*PASSING, *also, *says_when):
                raise problem
        if wait is None:
            self._failures += 1
            if self._failures == self._tries:
                raise problem
            wait = min(0.5 * 2**self._failures, 10)
        wait = max(wait, 0.5)
        if time.monotonic() + wait > self._until:
            raise problem
        time.sleep(wait)
