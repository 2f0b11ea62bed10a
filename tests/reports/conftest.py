"""One finished report shared by the tests that only read it, and checks in this process."""

from __future__ import annotations

import pytest
from report_fixtures import written  # noqa: F401
from unconfined import Unconfined


@pytest.fixture
def unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is verified is read in this process: making a confined one takes longer than the checks."""
    monkeypatch.setattr("verification.verify.Sandbox", Unconfined)
