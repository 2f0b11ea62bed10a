"""Jobs whose worker ended or went silent: queued again, failed after three attempts."""

from __future__ import annotations

from datetime import timedelta

from failure_words import texts_of
from made_results import hand_in
from made_rows import change, row

from detector.schema.causes.failures import FailureCode
from webapp import create_app
from webapp.custody import custody_log
from webapp.jobs import claims, recovery
from webapp.jobs import recovery as jobs_recovery
from webapp.storage import database as storage
from webapp.storage.tables import now


def test_only_jobs_of_silent_workers_are_requeued(app, database):
    lost, well = hand_in(app, b"1"), hand_in(app, b"2")
    for analysis in (lost, well):
        claims.claim_analysis(database, analysis.id)
    change(database, lost.id, heartbeat=now() - recovery.STALE_AFTER - timedelta(seconds=1))
    recovery.requeue_stale(database)
    assert row(database, lost.id).state == "queued"
    assert row(database, well.id).state == "running"


def test_a_worker_with_a_slow_clock_keeps_its_job(postgresql, tmp_path, monkeypatch):
    """The clock of PostgreSQL counts, for workers and pages on all machines."""
    settings = {"REELPROOF_DATA": tmp_path / "data", "REELPROOF_DATABASE": postgresql.url}
    app = create_app({"TESTING": True} | settings)
    database, queued = app.extensions["database"], hand_in(app)

    def behind():
        return now() - timedelta(minutes=2)

    for module in (claims, jobs_recovery, storage):
        monkeypatch.setattr(module, "now", behind, raising=False)
    held = claims.claim_analysis(database, queued.id)
    claims.record_heartbeat(database, held, "reading", 0.5)
    jobs_recovery.record_worker(database, "elsewhere:1")
    monkeypatch.undo()
    recovery.requeue_stale(database)
    claims.record_heartbeat(database, held)
    assert [worker.name for worker in jobs_recovery.alive_workers(database)] == ["elsewhere:1"]
    change(database, queued.id, heartbeat=now() - recovery.STALE_AFTER - timedelta(seconds=1))
    recovery.requeue_stale(database)
    assert row(database, queued.id).state == "queued"
    database.close()


def test_three_lost_attempts_fail_the_job(app, database):
    queued = hand_in(app)
    for attempt in (1, 2, 3):
        assert row(database, queued.id).state == "queued"
        assert claims.claim_analysis(database, queued.id).attempt == attempt
        change(database, queued.id, heartbeat=now() - timedelta(hours=1))
        recovery.requeue_stale(database)
    failed = row(database, queued.id)
    assert (failed.state, failed.error, failed.remedy) == (
        "failed",
        *texts_of(FailureCode.WORKER_LOST.cause()),
    )
    assert failed.finished is not None
    assert "Worker lost" in failed.error


def test_an_orderly_stop_is_not_counted(app, database):
    queued = hand_in(app)
    for _ in range(5):
        assert claims.claim_analysis(database, queued.id).attempt == 1
        recovery.requeue_running(database, count_attempt=False)
    assert row(database, queued.id).state == "queued"


def test_an_ended_worker_loses_only_its_own_job(app, database):
    queued = hand_in(app)
    claims.claim_analysis(database, queued.id)
    recovery.fail_job_of_worker(database, queued.id, "elsewhere:1", FailureCode.CRASHED.cause())
    assert not recovery.requeue_job_of_worker(database, queued.id, "elsewhere:1")
    assert row(database, queued.id).state == "running"
    assert recovery.requeue_job_of_worker(database, queued.id, custody_log.process_name())
    assert row(database, queued.id).state == "queued"
