"""For all tests: processes forked from a warm parent, and the research data, which nobody needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import warm

from detector.paths import ROOT


def pytest_configure() -> None:
    warm.install()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test marked ``fresh`` has its processes started by a new interpreter each."""
    warm.server.on = item.get_closest_marker("fresh") is None
    return (yield)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of research data beside the repository; a test that asks for it is skipped without it."""
    folder = ROOT.parent / "shared" / "data"
    if not (folder / "dfdc-val.zip").is_file():
        pytest.skip(f"no research data in {folder}")
    return folder
