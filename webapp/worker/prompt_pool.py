"""Celery's pool of child processes, with one that has done its job replaced at once.

Celery's own looks every 0.8 seconds whether a child has ended, where the broker is the one that is built in:
with a child for each job, that is how long the next one waits.
"""

from __future__ import annotations

import time

from billiard import pool as billiard_pool
from celery.concurrency import prefork

_LOOK_EVERY = 0.05  # seconds, as the broker's folder is looked into
# At the start, until the pool is complete, and after a child that failed: one that cannot even begin is
# not forked in a tight loop.
_PAUSE = 0.8


class _Supervisor(billiard_pool.Supervisor):
    def body(self) -> None:
        pool = self.pool
        time.sleep(_PAUSE)
        while billiard_pool.RUN == self._state == pool._state:
            failed = pool.restart_state.R  # set to 0 with each job that begins
            pool._maintain_pool()
            time.sleep(_PAUSE if failed < pool.restart_state.R else _LOOK_EVERY)


class _BlockingPool(prefork.BlockingPool):
    Supervisor = _Supervisor


class PromptPool(prefork.TaskPool):
    """For ``pool`` of a Celery worker."""

    BlockingPool = _BlockingPool
