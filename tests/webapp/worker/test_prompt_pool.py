"""When the worker looks whether a child has ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from billiard import pool as billiard_pool

from webapp.worker import celery_worker


class Pool:
    """Of each look, whether it found a child that failed; closed after the last."""

    def __init__(self, *failed: bool) -> None:
        self._ahead = list(failed)
        self._state, self.restart_state = billiard_pool.RUN, SimpleNamespace(R=0)

    def _maintain_pool(self) -> None:
        self.restart_state.R += self._ahead.pop(0)
        if not self._ahead:
            self._state = billiard_pool.CLOSE


def test_children_are_replaced_soon_and_later_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(celery_worker.time, "sleep", slept.append)
    celery_worker.PromptPool.BlockingPool.Supervisor(Pool(False, True, False)).body()
    assert slept == [0.8, 0.05, 0.8, 0.05]
