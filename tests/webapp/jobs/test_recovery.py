"""Jobs of workers that ended or went silent: queued again, and failed after three attempts."""

from __future__ import annotations

from datetime import timedelta

from made_results import hand_in
from made_rows import change, row

from webapp.custody import actors
from webapp.jobs import claims, failures, recovery
from webapp.storage.tables import now


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
