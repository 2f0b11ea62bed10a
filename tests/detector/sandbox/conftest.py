"""A confined process for functions of a test."""

from __future__ import annotations

from pathlib import Path

import cloudpickle
import pytest
from confined import called

from detector.sandbox import AllowedPaths, Limits, Sandbox


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest):
    """Run something confined; afterwards no folder of it may be left.

    Functions of the test's module are sent whole: a process started afresh does not find it.
    """
    cloudpickle.register_pickle_by_value(request.module)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(target, *arguments, limits=None, places=None, report=None):
        what = {"limits": limits or Limits(), "places": places or AllowedPaths(), "scratch": scratch}
        with Sandbox(called, cloudpickle.dumps(target), *arguments, **what) as confined:
            return confined.result(report)

    yield run
    cloudpickle.unregister_pickle_by_value(request.module)
    assert list(scratch.iterdir()) == []
