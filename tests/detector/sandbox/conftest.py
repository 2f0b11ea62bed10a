"""A confined process for functions within a test."""

from __future__ import annotations

from pathlib import Path

import cloudpickle
import pytest
from confined import called

from detector.sandbox import AllowedPaths, Limits, Sandbox


@pytest.fixture
def run(tmp_path: Path):
    """Run something confined; afterwards no folder of it may be left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(target, *arguments, limits=None, places=None, report=None):
        what = {"limits": limits or Limits(), "places": places or AllowedPaths(), "scratch": scratch}
        with Sandbox(called, cloudpickle.dumps(target), *arguments, **what) as confined:
            return confined.result(report)

    yield run
    assert list(scratch.iterdir()) == []
