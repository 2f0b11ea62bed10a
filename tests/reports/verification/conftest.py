"""A bundle as it lies on a disk."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest


@pytest.fixture
def folder(bundle: Path, tmp_path: Path) -> Path:
    """The ``bundle`` of the tests that ask for it, unpacked."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"
