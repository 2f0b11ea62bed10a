"""Fixtures of the tests of the second look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from second_look_cases import SmallFramings

from detector.networks import base


@pytest.fixture
def one_seed() -> Iterator[None]:
    """Random draws of a test follow from its own seed, and leave no trace."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def small_framings(monkeypatch: pytest.MonkeyPatch) -> None:
    """:class:`SmallFramings` is registered."""
    monkeypatch.setattr(base, "_ARCHITECTURES", dict(base._ARCHITECTURES))
    base.register(SmallFramings.architecture)(SmallFramings)
