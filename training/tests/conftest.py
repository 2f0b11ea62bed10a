"""Fixtures of the tests of training."""

from __future__ import annotations

from typing import Any

import pytest
from engine_fixtures import (  # noqa: F401
    astronaut,
    material,
    model,
    portrait,
    scan,
    scanned_alone,
    scorer,
    still,
    talking,
    tiny,
)
from network_fixtures import crops, networks  # noqa: F401

from training.data import sources


@pytest.fixture
def examples_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, not in one forked from it, which is large: a fork takes half a second."""
    loader = sources.DataLoader

    def here(examples: Any, batch: int, *, num_workers: int, prefetch_factor: int, **how: Any) -> Any:
        return loader(examples, batch, **how)

    monkeypatch.setattr(sources, "DataLoader", here)
