"""Rows through their states: claimed once, given up for lost, at most three attempts."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from made_results import hand_in
from made_rows import change, row

from detector.schema.analysis import Parameters
from webapp.custody import actors
from webapp.jobs import claims, failures, recovery
from webapp.jobs import queue as job_queue
from webapp.settings import read_settings
from webapp.storage.tables import State, now
from webapp.worker import supervisor
from webapp.worker.supervisor import sweep


def test_ids_cannot_be_guessed(app):
    ids = {hand_in(app, b"x").id for _ in range(20)}
    assert len(ids) == 20 and all(len(bytes.fromhex(each)) == 16 for each in ids)


def test_a_claim_carries_what_the_work_needs(app, database):
    queued = hand_in(app, b"bytes", "clip.mp4", "some-model")
    held = claims.claim(database, queued.id)
    running = row(database, queued.id)
    assert held == claims.AnalysisClaim(
        queued.id, 1, running.started, "clip.mp4", queued.exhibit.path, "some-model", Parameters()
    )
    assert (running.state, running.attempt, running.worker) == ("running", 1, actors.process_name())
    assert running.started == running.heartbeat


def test_one_of_many_claims_wins(app, database):
    queued = hand_in(app)
    barrier, held = threading.Barrier(6), []

    def compete() -> None:
        barrier.wait()
        held.append(claims.claim(database, queued.id))

    threads = [threading.Thread(target=compete) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each is not None for each in held].count(True) == 1
    assert row(database, queued.id).attempt == 1


def test_what_is_not_queued_cannot_be_claimed(app, database):
    assert claims.claim(database, "nothing") is None
    queued = hand_in(app)
    for state in (State.RUNNING, State.DONE, State.FAILED, State.CANCELLED):
        change(database, queued.id, state=state)
        assert claims.claim(database, queued.id) is None


def test_progress_and_end(app, database):
    held = claims.claim(database, hand_in(app).id)
    claims.beat(database, held, "scoring", 0.5)
    found = row(database, held.analysis_id)
    assert (found.stage, found.progress) == ("scoring", 0.5)
    claims.beat(database, held, "scoring", 7.0)
    assert row(database, held.analysis_id).progress == 1.0
    claims.finish(database, held, claims.Result("inconclusive", None))
    done = row(database, held.analysis_id)
    assert (done.state, done.verdict, done.probability) == ("done", "inconclusive", None)
    assert done.finished >= done.started


def test_a_lost_attempt_cannot_touch_its_successor(app, database):
    queued = hand_in(app)
    first = claims.claim(database, queued.id)
    recovery.recover(database, count_attempt=True)
    second = claims.claim(database, queued.id)
    assert second.attempt == 2
    with pytest.raises(claims.LostClaim):
        claims.beat(database, first, "scoring", 0.9)
    with pytest.raises(claims.LostClaim):
        claims.finish(database, first, claims.Result("manipulated", 0.9))
    claims.fail(database, first, failures.UNEXPECTED)
    found = row(database, queued.id)
    assert (found.state, found.stage, found.error) == ("running", "starting", None)


def test_silent_workers_are_given_up_and_well_ones_are_not(app, database):
    lost, well = hand_in(app, b"1"), hand_in(app, b"2")
    for each in (lost, well):
        claims.claim(database, each.id)
    change(database, lost.id, heartbeat=now() - recovery.STALE_AFTER - timedelta(seconds=1))
    recovery.requeue_stale(database)
    assert row(database, lost.id).state == "queued"
    assert row(database, well.id).state == "running"


def test_three_attempts_and_then_worker_lost(app, database):
    queued = hand_in(app)
    for attempt in (1, 2, 3):
        assert row(database, queued.id).state == "queued"
        assert claims.claim(database, queued.id).attempt == attempt
        change(database, queued.id, heartbeat=now() - timedelta(hours=1))
        recovery.requeue_stale(database)
    failed = row(database, queued.id)
    assert (failed.state, failed.error, failed.remedy) == ("failed", *failures.WORKER_LOST)
    assert failed.finished is not None
    assert "Worker lost" in failed.error


def test_an_orderly_stop_is_no_attempt(app, database):
    queued = hand_in(app)
    for _ in range(5):
        assert claims.claim(database, queued.id).attempt == 1
        recovery.recover(database, count_attempt=False)
    assert row(database, queued.id).state == "queued"


def test_a_worker_that_ended_only_loses_its_own(app, database):
    queued = hand_in(app)
    claims.claim(database, queued.id)
    recovery.fail_of_worker(database, queued.id, "elsewhere:1", failures.CRASHED)
    assert not recovery.requeue_of_worker(database, queued.id, "elsewhere:1")
    assert row(database, queued.id).state == "running"
    assert recovery.requeue_of_worker(database, queued.id, actors.process_name())
    assert row(database, queued.id).state == "queued"


def test_lost_messages_are_sent_again_once_there_is_room(app, database):
    first, second, third = (hand_in(app, bytes([number])) for number in range(3))
    settings, sent = read_settings({"REELPROOF_DATA": app.extensions["settings"].data}), []
    sweep(database, settings, sent.append)
    assert sent == []  # just sent: not lost yet
    for each in (first, second, third):
        change(database, each.id, sent=now() - timedelta(minutes=1))
    claims.claim(database, first.id)
    sweep(database, settings, sent.append)
    assert sent == []  # the only worker is busy: waiting is what they should do
    recovery.recover(database, count_attempt=False)
    sweep(database, settings, sent.append)
    assert sent == [first.id]  # as many as there is room for; the gap between two analyses is no loss
    sweep(database, settings, sent.append)
    assert len(sent) == 1
    claims.finish(database, claims.claim(database, first.id), claims.Result("inconclusive", None))
    sweep(database, settings, sent.append)
    assert sent == [first.id, second.id]


def test_at_start_every_queued_analysis_is_sent(app, database):
    ids = [hand_in(app, bytes([number])).id for number in range(3)]
    claims.claim(database, ids[1])
    recovery.recover(database, count_attempt=True)
    assert job_queue.lost_messages(database, 1, at_start=True) == ids


def test_the_watch_notices_that_the_machine_slept(monkeypatch):
    clock, trusted = [1_800_000_000.0], []

    def pause(seconds):
        asleep = 8 * 3600 if len(trusted) == 2 else 0
        clock[0] += seconds + asleep

    monkeypatch.setattr(supervisor.time, "time", lambda: clock[0])
    monkeypatch.setattr(supervisor.time, "sleep", pause)
    monkeypatch.setattr(supervisor, "sweep", lambda *_, silent_too: trusted.append(silent_too))
    worker = SimpleNamespace(
        keep_running=lambda: False, note_presence=lambda _: None, restart_if_unresponsive=lambda _: None
    )
    supervisor.watch(worker, worker, None, None, None, lambda: len(trusted) == 9)
    # Until every worker has had its time to be heard again.
    assert trusted == [True, True, False, False, False, False, False, True, True]


@pytest.mark.parametrize("seconds", [0, 6])
def test_while_the_broker_is_away_the_watch_does_the_rest(app, database, monkeypatch, caplog, seconds):
    """However long it takes until a connection has failed; that is not taken for a sleep of the machine."""
    queued, checked = hand_in(app), []
    claims.claim(database, queued.id)
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
    monkeypatch.setattr(supervisor.resumable, "expire", lambda *_: checked.append("uploads"))
    monkeypatch.setattr(supervisor.alerts, "check", lambda *_: checked.append("alerts"))
    worker = SimpleNamespace(
        keep_running=lambda: False, note_presence=lambda _: None, restart_if_unresponsive=away
    )
    settings = app.extensions["settings"].model_copy(update={"broker": "redis://nowhere"})
    trusted = []

    def swept(*told, silent_too: bool) -> None:
        trusted.append(silent_too)
        sweep(*told, silent_too=silent_too)

    monkeypatch.setattr(supervisor, "sweep", swept)
    supervisor.watch(worker, worker, database, settings, None, lambda: len(checked) == 6)
    assert checked == ["uploads", "alerts"] * 3 and trusted == [True] * 3
    assert row(database, queued.id).state == "queued"
    assert "Connection refused" in caplog.text


def test_after_the_machine_slept_nobody_is_given_up(app, database):
    queued = hand_in(app)
    claims.claim(database, queued.id)
    change(database, queued.id, heartbeat=now() - timedelta(hours=8))
    sweep(database, app.extensions["settings"], lambda _id: None, silent_too=False)
    assert row(database, queued.id).state == "running"
