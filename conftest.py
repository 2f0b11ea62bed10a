"""For all tests: processes forked from a warm parent, the order of files, the sample, the research data."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import durations
import pytest
import warm
from hypothesis import settings
from run_cache import made_once, of_this_run

from detector.files import ROOT

if TYPE_CHECKING:
    from clips import Analysed

# The machine may be busy, and a failure must be there for the next person too. `make test-slow` looks longer.
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("repeatable")

_measured: Counter[str] = Counter()
_times: Counter[str] = Counter()
_SHARED = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-durations", action="store_true", help="measure each test for durations.py")
    parser.addoption("--quick", action="store_true", help="leave out what takes long, as `make check` does")


def pytest_configure() -> None:
    # Workers of tests keep no process waiting beside them; tests/webapp/worker/test_ready_engine.py does.
    os.environ["REELPROOF_READY_SECONDS"] = "0"
    warm.server.begin(fresh=False)  # heeds what files like this one have set
    warm.install()


def pytest_unconfigure() -> None:
    warm.server.close()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """What collecting the tests made stays to the end: the garbage collector need not look through it.

    It would with every full collection, each of which takes half a second then.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)  # by default it takes a tenth of what pages and their app do
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file of which nothing is quick is not even read where only that is wanted."""
    if not config.getoption("quick"):
        return None
    path = collection_path.relative_to(ROOT).as_posix()
    return path == "tests/browser" or path in durations.long() or None


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """The longest files come first, each whole."""
    if config.getoption("quick"):
        long = durations.long()
        out = [item for item in items if _name(item) in long or durations.COSTLY & _fixtures(item)]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
    seconds = durations.read()
    items.sort(key=lambda item: -seconds.get(_file(item), 0.0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test marked ``fresh`` has its processes started by a new interpreter each."""
    warm.server.begin(fresh=item.get_closest_marker("fresh") is not None)
    if not item.config.getoption("write_durations"):
        return (yield)
    item.stash[_SHARED] = Counter()
    _times[_name(item)] += 1
    with durations.measured(_name(item), _measured):
        result = yield
    _measured.subtract(item.stash[_SHARED])
    return result


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Iterator[None]:
    """What all share is no part of the time of the test that happens to ask first."""
    if fixturedef.argname not in durations.COSTLY or not request.config.getoption("write_durations"):
        return (yield)
    item = request._pyfuncitem
    with durations.measured(_name(item), item.stash[_SHARED]):
        return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("write_durations"):
        durations.write(_measured, _times)


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _name(item: pytest.Item) -> str:
    """Without parameters."""
    return item.nodeid.partition("[")[0]


def _fixtures(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def _of_this_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    of_this_run.append(tmp_path_factory)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration clip, as the command makes it that the web app calls too."""

    def make(folder: Path) -> None:
        subprocess.run(
            [sys.executable, "-m", "detector", "sample", folder / "sample.mp4"], cwd=ROOT, check=True
        )

    return made_once(tmp_path_factory, "sample", make) / "sample.mp4"


@pytest.fixture(scope="session")
def analysed_sample(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    """The demonstration clip, analysed with the shipped model and the default settings."""

    def make(folder: Path) -> None:
        from detector.engine import analyze
        from detector.models.loaded import load_model

        images = folder / "images"
        images.mkdir()
        progress: list[tuple[str, float]] = []
        analysis = analyze(
            sample,
            model=load_model(),
            images=images,
            progress=lambda stage, done: progress.append((stage, done)),
        )
        (folder / "analysis.pickle").write_bytes(pickle.dumps((analysis, tuple(progress))))

    from clips import Analysed  # brings PyAV

    folder = made_once(tmp_path_factory, "sample-analysis", make)
    return Analysed(sample, folder / "images", *pickle.loads((folder / "analysis.pickle").read_bytes()))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of research data beside the repository; a test that asks for it is skipped without it."""
    folder = ROOT.parent / "shared" / "data"
    if not (folder / "dfdc-val.zip").is_file():
        pytest.skip(f"no research data in {folder}")
    return folder
