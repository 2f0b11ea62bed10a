"""Looking after workers: who is replaced, what is sent again, what a sleep or a lost broker changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import sleep
from types import SimpleNamespace

import pytest
from made_results import hand_in
from made_rows import change, row
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from webapp.jobs import claims, recovery
from webapp.settings import read_settings
from webapp.storage.tables import KeyedRequest, now
from webapp.worker import supervisor
from webapp.worker.supervisor import Worker, sweep

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


def replaced(app, worker: Worker, clock: list[float], seconds: int, computes: float = 0) -> bool:
    """Whether a worker was ended within so many seconds, between whose looks its children ``computes``."""
    for _ in range(0, seconds, 5):
        worker.restart_if_unresponsive(app.extensions["database"])
        if worker._process is None:
            return True
        before, clock[0] = computed(worker), clock[0] + 5
        while computes and computed(worker) - before <= computes:
            sleep(0.02)
    return False


def computed(worker: Worker) -> float:
    """Seconds of processor time of a worker's children."""
    assert worker._process is not None
    return sum(supervisor.processor_time_below(worker._process.pid).values())


def test_a_loading_worker_is_left_alone(app, started, clock):
    """On a busy machine the engine's libraries take longer than a worker may be unresponsive."""
    assert not replaced(app, started(LOADING), clock, 60)


def test_an_unresponsive_worker_is_replaced(app, started, clock):
    assert replaced(app, started(IDLE), clock, 40)


def test_a_worker_making_the_sample_is_left_alone(app, started, clock):
    """Or fingerprints: no row says that it is at work."""
    assert not replaced(app, started(BUSY), clock, 30, computes=0.1)


def test_stopping_without_a_database_is_explained(app, database, started, monkeypatch, caplog):
    worker = started(IDLE)

    def gone(*_: object, **__: object) -> None:
        raise OperationalError("", {}, Exception("database or disk is full"))

    monkeypatch.setattr(recovery, "requeue_running", gone)
    worker.stop_and_requeue(database)
    assert worker._process.poll() is not None and "database or disk is full" in caplog.text


def test_lost_messages_are_sent_again_when_workers_are_free(app, database):
    first, second, third = (hand_in(app, bytes([number])) for number in range(3))
    settings, sent = read_settings({"REELPROOF_DATA": app.extensions["settings"].data}), []
    sweep(database, settings, sent.append)
    assert sent == []  # just sent: not lost yet
    for analysis in (first, second, third):
        change(database, analysis.id, sent=now() - timedelta(minutes=1))
    claims.claim_analysis(database, first.id)
    sweep(database, settings, sent.append)
    assert sent == []  # the only worker is busy: waiting is what they should do
    recovery.requeue_running(database, count_attempt=False)
    sweep(database, settings, sent.append)
    assert sent == [first.id]  # as many as there is room for; the gap between two analyses is no loss
    sweep(database, settings, sent.append)
    assert len(sent) == 1
    claims.finish_analysis(
        database, claims.claim_analysis(database, first.id), claims.RecordedResult("inconclusive", None)
    )
    sweep(database, settings, sent.append)
    assert sent == [first.id, second.id]


def test_stored_responses_are_deleted_after_a_day(app, database):
    given = {"fingerprint": "f", "identity": "i", "status": 201, "body": "{}"}
    with database.begin() as session:
        for key, age in (("new", timedelta(hours=23)), ("old", timedelta(hours=25))):
            session.add(KeyedRequest(who="ada", key=key, started=now() - age, **given))
    sweep(database, app.extensions["settings"], lambda _id: None)
    with database.begin() as session:
        assert session.scalars(select(KeyedRequest.key)).all() == ["new"]


def test_sleep_of_the_machine_is_detected(monkeypatch):
    clock, trusted = [1_800_000_000.0], []

    def pause(seconds):
        asleep = 8 * 3600 if len(trusted) == 2 else 0
        clock[0] += seconds + asleep

    monkeypatch.setattr(supervisor.time, "time", lambda: clock[0])
    monkeypatch.setattr(supervisor.time, "sleep", pause)
    monkeypatch.setattr(supervisor, "sweep", lambda *_, requeue_silent: trusted.append(requeue_silent))
    worker = SimpleNamespace(
        keep_running=lambda: False, record_presence=lambda _: None, restart_if_unresponsive=lambda _: None
    )
    supervisor.watch(worker, worker, None, None, None, lambda: len(trusted) == 9)
    # Until every worker has had its time to be heard again.
    assert trusted == [True, True, False, False, False, False, False, True, True]


@pytest.mark.parametrize("seconds", [0, 6])
def test_an_unreachable_broker_does_not_stop_other_checks(app, database, monkeypatch, caplog, seconds):
    """However long it takes until a connection has failed; that is not taken for a sleep of the machine."""
    queued, checked = hand_in(app), []
    claims.claim_analysis(database, queued.id)
    change(database, queued.id, heartbeat=now() - timedelta(hours=1))
    clock = {"time": 1_800_000_000.0, "monotonic": 0.0}

    def pass_by(seconds: float) -> None:
        for name in clock:
            clock[name] += seconds

    def away(*_: object) -> None:
        pass_by(seconds)
        raise ConnectionError("Connection refused")

    for name in clock:
        monkeypatch.setattr(supervisor.time, name, lambda name=name: clock[name])
    monkeypatch.setattr(supervisor.time, "sleep", pass_by)
    monkeypatch.setattr(supervisor, "messages_waiting", away)
    monkeypatch.setattr(supervisor.resumable, "expire_uploads", lambda *_: checked.append("uploads"))
    monkeypatch.setattr(supervisor.alerts, "check_alerts", lambda *_: checked.append("alerts"))
    worker = SimpleNamespace(
        keep_running=lambda: False, record_presence=lambda _: None, restart_if_unresponsive=away
    )
    settings = app.extensions["settings"].model_copy(update={"broker": "redis://nowhere"})
    trusted = []

    def swept(*told, requeue_silent: bool) -> None:
        trusted.append(requeue_silent)
        sweep(*told, requeue_silent=requeue_silent)

    monkeypatch.setattr(supervisor, "sweep", swept)
    supervisor.watch(worker, worker, database, settings, None, lambda: len(checked) == 6)
    assert checked == ["uploads", "alerts"] * 3 and trusted == [True] * 3
    assert row(database, queued.id).state == "queued"
    assert "Connection refused" in caplog.text


def test_no_worker_is_given_up_after_sleep(app, database):
    queued = hand_in(app)
    claims.claim_analysis(database, queued.id)
    change(database, queued.id, heartbeat=now() - timedelta(hours=8))
    sweep(database, app.extensions["settings"], lambda _id: None, requeue_silent=False)
    assert row(database, queued.id).state == "running"
