"""A clock that stands still while somebody guesses."""

from __future__ import annotations

import pytest

from webapp.security import authentication
from webapp.storage.tables import now


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries to sign in are made at one moment: on a busy machine the first wait would end meanwhile."""
    moment = now()
    monkeypatch.setattr(authentication, "now", lambda: moment)
