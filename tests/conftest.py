"""Fixtures for all tests: the research data, which nobody needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.paths import ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of research data beside the repository; a test that asks for it is skipped without it."""
    folder = ROOT.parent / "shared" / "data"
    if not (folder / "dfdc-val.zip").is_file():
        pytest.skip(f"no research data in {folder}")
    return folder
