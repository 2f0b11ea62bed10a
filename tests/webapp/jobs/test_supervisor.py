"""Looking after a worker on a shared queue: one that hears nothing is replaced, one that is busy is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from webapp.worker import supervisor
from webapp.worker.supervisor import Worker

# Each says when it is as far as its name has it.
LOADING = "print(flush=True); import time; time.sleep(600)"
IDLE = "import os, signal; child = os.fork(); child and print(flush=True); signal.pause()"
BUSY = """
import os, signal
if os.fork():
    print(flush=True)
    signal.pause()
while True:  # makes the sample, of which no row tells
    pass
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, standing still but for what the test adds."""
    at = [1000.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: at[0])
    return at


@pytest.fixture
def started(app, monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> Iterator[Callable[[str], Worker]]:
    """Makes a worker of a script, with ids that wait on the broker and no analysis that runs."""
    settings = app.extensions["settings"].model_copy(update={"workers": 1, "broker": "redis://nowhere"})
    monkeypatch.setattr(supervisor, "messages_waiting", lambda *_: {"cpu": 1})
    made: list[Worker] = []

    def start(script: str) -> Worker:
        worker = Worker(settings)
        worker._process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
        )
        made.append(worker)
        worker._started = clock[0]
        assert worker._process.stdout is not None
        worker._process.stdout.readline()
        worker._process.stdout.close()
        return worker

    yield start
    for worker in made:
        worker.stop()


def replaced(app, worker: Worker, clock: list[float], seconds: int) -> bool:
    """Whether a worker was ended within so many seconds of looking at it."""
    for _ in range(0, seconds, 5):
        worker.restart_if_unresponsive(app.extensions["database"])
        if worker._process is None:
            return True
        before, clock[0] = supervisor.time.process_time(), clock[0] + 5
        while supervisor.time.process_time() - before < 0.15:  # what works meanwhile gets on
            pass
    return False


def test_a_worker_that_still_loads_is_left_alone(app, started, clock):
    """On a busy machine the engine's libraries take longer than a worker may be unresponsive."""
    assert not replaced(app, started(LOADING), clock, 60)


def test_a_worker_that_takes_nothing_is_replaced(app, started, clock):
    assert replaced(app, started(IDLE), clock, 40)


def test_a_worker_that_makes_the_sample_is_left_alone(app, started, clock):
    """Or fingerprints: no row says that it is at work."""
    assert not replaced(app, started(BUSY), clock, 60)
