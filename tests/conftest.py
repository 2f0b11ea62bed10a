"""For all tests: processes forked from a warm parent, the order of files, the sample, the research data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import durations
import pytest
import warm
from hypothesis import settings
from once import made_once

from detector.paths import ROOT

# The machine may be busy, and a failure must be there for the next person too. `make test-slow` looks longer.
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("repeatable")

_measured: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-durations", action="store_true", help="measure each file for durations.txt")


def pytest_configure() -> None:
    warm.install()


def pytest_unconfigure() -> None:
    warm.server.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long, and have the longest files first, each whole."""
    seconds = durations.read()
    for item in items:
        if item.get_closest_marker("browser") or seconds.get(_file(item), 0.0) >= durations.LONG:
            item.add_marker("long")
    items.sort(key=lambda item: -seconds.get(_file(item), 0.0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test marked ``fresh`` has its processes started by a new interpreter each."""
    warm.server.on = item.get_closest_marker("fresh") is None
    with durations.measured(_file(item), _measured):
        return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("write_durations"):
        durations.write(_measured)


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration clip."""

    def make(folder: Path) -> None:
        from detector.demo_clip import make_sample

        make_sample(folder / "sample.mp4")

    return made_once(tmp_path_factory, "sample", make) / "sample.mp4"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of research data beside the repository; a test that asks for it is skipped without it."""
    folder = ROOT.parent / "shared" / "data"
    if not (folder / "dfdc-val.zip").is_file():
        pytest.skip(f"no research data in {folder}")
    return folder
