"""Claims on jobs: won once, and lost by an attempt that was given up."""

from __future__ import annotations

import threading

import pytest
from made_results import hand_in
from made_rows import change, row

from detector.schema.analysis import Parameters
from detector.schema.causes.failures import FailureCode
from webapp.custody import custody_log
from webapp.jobs import claims, recovery
from webapp.storage.tables import State, now


def test_a_claim_contains_the_inputs_of_the_job(app, database):
    queued = hand_in(app, b"bytes", "clip.mp4", "some-model")
    held = claims.claim_analysis(database, queued.id)
    running = row(database, queued.id)
    assert held == claims.AnalysisClaim(
        queued.id, 1, running.started, "clip.mp4", queued.exhibit.path, "some-model", Parameters()
    )
    assert (running.state, running.attempt, running.worker) == ("running", 1, custody_log.process_name())
    assert running.started <= running.heartbeat <= now()


def test_one_of_concurrent_claims_wins(app, database):
    queued = hand_in(app)
    barrier, held = threading.Barrier(6), []

    def compete() -> None:
        barrier.wait()
        held.append(claims.claim_analysis(database, queued.id))

    threads = [threading.Thread(target=compete) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [claim is not None for claim in held].count(True) == 1
    assert row(database, queued.id).attempt == 1


def test_only_queued_jobs_can_be_claimed(app, database):
    assert claims.claim_analysis(database, "nothing") is None
    queued = hand_in(app)
    for state in (State.RUNNING, State.DONE, State.FAILED, State.CANCELLED):
        change(database, queued.id, state=state)
        assert claims.claim_analysis(database, queued.id) is None


def test_progress_and_result_are_recorded(app, database):
    held = claims.claim_analysis(database, hand_in(app).id)
    claims.record_heartbeat(database, held, "scoring", 0.5)
    job = row(database, held.job_id)
    assert (job.stage, job.progress) == ("scoring", 0.5)
    claims.record_heartbeat(database, held, "scoring", 7.0)
    assert row(database, held.job_id).progress == 1.0
    claims.finish_analysis(database, held, claims.RecordedResult("inconclusive", None))
    done = row(database, held.job_id)
    assert (done.state, done.verdict, done.probability) == ("done", "inconclusive", None)
    assert done.finished >= done.started


def test_a_lost_attempt_cannot_change_its_successor(app, database):
    queued = hand_in(app)
    first = claims.claim_analysis(database, queued.id)
    recovery.requeue_running(database, count_attempt=True)
    second = claims.claim_analysis(database, queued.id)
    assert second.attempt == 2
    with pytest.raises(claims.LostClaim):
        claims.record_heartbeat(database, first, "scoring", 0.9)
    with pytest.raises(claims.LostClaim):
        claims.finish_analysis(database, first, claims.RecordedResult("manipulated", 0.9))
    claims.fail_job(database, first, FailureCode.UNEXPECTED_ERROR.cause())
    job = row(database, queued.id)
    assert (job.state, job.stage, job.error) == ("running", "starting", None)
