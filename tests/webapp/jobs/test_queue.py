"""The queue: order, pauses, messages, and the custody log."""

from __future__ import annotations

import runpy
import threading
from datetime import datetime, timedelta

import pytest
from made_comparisons import queued as queued_comparison
from made_results import hand_in
from made_rows import change, earlier, retry, row
from sqlalchemy import select

from detector.schema.causes.failures import FailureCode
from webapp import create_app
from webapp.exhibits.queries import count_ahead
from webapp.jobs import broker, claims, recovery, states
from webapp.jobs import claims as jobs_claims
from webapp.jobs import queue as job_queue
from webapp.settings import QUEUES, read_settings
from webapp.storage import tables
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, ComparisonRow, CustodyRow, JobRow, Priority, State, now
from webapp.worker import run_analysis, run_job
from webapp.worker.supervisor import sweep


@pytest.fixture
def three(app, database) -> list[str]:
    """Ids of a job with low, normal and high priority, created in this order."""
    ids = [hand_in(app, bytes([number]), f"{number}.mp4").id for number in range(3)]
    for analysis_id, priority in zip(ids, Priority, strict=True):
        assert states.prioritise(database, analysis_id, priority)
    return ids


def claimed(database: Database, *queues: str) -> str | None:
    held = jobs_claims.claim_next_job(database, queues or QUEUES)
    return held.job_id if held else None


def logged_acts(database: Database, analysis_id: str) -> list[tuple[str, str]]:
    """Logged actions and details of an analysis."""
    query = select(CustodyRow).where(CustodyRow.analysis == analysis_id).order_by(CustodyRow.number)
    with database.begin() as session:
        return [(entry.action, entry.details) for entry in session.scalars(query)]


class TestOrder:
    def test_order_is_by_priority_then_age(self, app, database, three):
        later = hand_in(app, b"later").id
        low, normal, high = three
        assert [claimed(database) for _ in range(5)] == [high, normal, later, low, None]

    def test_jobs_ahead_are_counted(self, app, database, three):
        with app.app_context():
            assert [count_ahead(row(database, job_id)) for job_id in three] == [2, 1, 0]
            claimed(database)
            assert [count_ahead(row(database, job_id)) for job_id in three[:2]] == [2, 1]

    def test_priority_changes_only_while_waiting(self, app, database):
        queued = hand_in(app).id
        assert states.prioritise(database, queued, Priority.HIGH)
        assert states.prioritise(database, queued, Priority.HIGH)
        action, details = logged_acts(database, queued)[-1]
        assert action == "analysis prioritised"
        assert '"priority": "high"' in details and '"before": "normal"' in details
        assert len(logged_acts(database, queued)) == 2  # the same again is no change
        claims.claim_analysis(database, queued)
        assert not states.prioritise(database, queued, Priority.LOW)
        assert not states.prioritise(database, "nothing", Priority.LOW)
        assert row(database, queued).priority == Priority.HIGH

    def test_any_message_runs_the_first_job(self, app, database, three, monkeypatch):
        done = []

        def result(_settings, _database, held, _progress, _ready):
            done.append(held.job_id)
            raise MemoryError  # any end will do

        monkeypatch.setattr(run_analysis, "ensure_analysis", result)
        for _message in [*three, three[0]]:  # one too many, as after a lost acknowledgement
            run_job.work(app.extensions["settings"])
        assert done == three[::-1]

    def test_concurrent_workers_claim_every_job_once(self, app, database):
        ids = {hand_in(app, bytes([number])).id for number in range(6)}
        assert share_out(database, 6) == sorted(ids)
        assert claimed(database) is None

    def test_a_lost_claim_is_not_the_end_of_the_queue(self, app, database, three, monkeypatch):
        low, normal, high = three
        states.cancel(database, high)
        seen = [high]  # as it was looked up before that
        first = job_queue.next_job_id
        monkeypatch.setattr(job_queue, "next_job_id", lambda *given: seen.pop() if seen else first(*given))
        assert claimed(database) == normal

    def test_a_kind_of_job_without_claim_function_is_rejected(self, monkeypatch):
        class Errand(JobRow):
            __abstract__ = True
            noun = "errand"

        monkeypatch.setattr(tables, "JOBS", (*tables.JOBS, Errand))
        with pytest.raises(KeyError):
            runpy.run_path(jobs_claims.__file__)

    def test_a_worker_takes_jobs_of_its_queues_only(self, app, database, three):
        low, normal, high = three
        assert claimed(database, "cpu") is None  # nothing was sent yet
        change(database, high, queue="gpu")
        change(database, low, queue="cpu")
        assert claimed(database, "cpu") == low
        assert claimed(database, "cpu") is None
        assert [claimed(database, *QUEUES), claimed(database, *QUEUES)] == [high, normal]

    def test_the_queue_is_chosen_once(self, app, database):
        large, small = hand_in(app, b"x" * 3000).id, hand_in(app, b"x").id
        data = app.extensions["settings"].data
        pages = read_settings({"REELPROOF_DATA": data, "REELPROOF_GPU_FROM_MB": "0.001"})
        sender, messages = broker.Sender(pages, database), []
        sender.app.send_task = lambda _name, args, queue: messages.append((*args, queue))
        for job_id in (large, small):
            sender(job_id)
        assert messages == [(large, "reelproof.gpu"), (small, "reelproof.cpu")]
        assert (row(database, large).queue, row(database, small).queue) == ("gpu", "cpu")
        # A worker's machine may know nothing of sizes; what it queues again stays where it was.
        assert broker.Sender(read_settings({"REELPROOF_DATA": data}), database)._queue(large) == "gpu"


def share_out(database: Database, workers: int) -> list[str]:
    """Ids claimed by concurrent workers."""
    barrier, ids = threading.Barrier(workers), []

    def take() -> None:
        barrier.wait()
        ids.append(claimed(database))

    threads = [threading.Thread(target=take) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ids)


class TestLostMessages:
    def test_messages_of_the_first_jobs_are_sent_again(self, app, database, three):
        for job_id in three:
            change(database, job_id, sent=now() - timedelta(minutes=1))
        assert job_queue.lost_messages(database, 2) == three[:0:-1]
        assert job_queue.all_messages(database) == three[::-1]

    def test_a_clock_set_back_delays_no_message(self, app, database, three):
        for job_id, ahead in zip(three, (timedelta(hours=1), timedelta(seconds=1), timedelta()), strict=True):
            change(database, job_id, sent=now() + ahead)
        assert job_queue.lost_messages(database, 3) == three[:1]

    def test_queues_are_counted_separately(self, app, database, three):
        """Messages of paused and cancelled jobs stay in their queue and do not replace those of another."""
        low, normal, high = three
        for job_id, queue in ((low, "cpu"), (normal, "cpu"), (high, "gpu")):
            change(database, job_id, sent=now() - timedelta(minutes=1), queue=queue)
        assert job_queue.lost_shared_messages(database, {"cpu": 2, "gpu": 5}) == []
        assert job_queue.lost_shared_messages(database, {"cpu": 1, "gpu": 5}) == [normal]
        assert job_queue.lost_shared_messages(database, {"cpu": 0, "gpu": 0}) == [low, high]

    def test_the_start_sends_all_queued_jobs_including_interrupted_ones(self, app, database):
        ids = [hand_in(app, bytes([number])).id for number in range(3)]
        claims.claim_analysis(database, ids[1])
        recovery.requeue_running(database, count_attempt=True)
        assert job_queue.all_messages(database) == ids


class TestPause:
    def test_a_paused_job_is_not_run_until_resumed(self, app, database):
        first, second = hand_in(app, b"1").id, hand_in(app, b"2").id
        assert states.pause(database, first) and not states.pause(database, first)
        change(database, first, sent=now() - timedelta(hours=1))
        sent: list[str] = []
        sweep(database, app.extensions["settings"], sent.append)
        recovery.requeue_running(database, count_attempt=True)
        assert sent == [] and job_queue.all_messages(database) == [second]
        assert claims.claim_analysis(database, first) is None
        with app.app_context():
            assert count_ahead(row(database, second)) == 0
        assert states.resume(database, first) and not states.resume(database, first)
        assert claimed(database) == first  # it has its place in the queue again
        assert [action for action, _details in logged_acts(database, first)] == [
            "analysis queued",
            "analysis paused",
            "analysis resumed",
            "analysis started",
        ]

    def test_a_paused_running_job_starts_over(self, app, database):
        queued = hand_in(app).id
        for _ in range(2 * recovery.MAX_ATTEMPTS):  # they do not count
            held = claims.claim_analysis(database, queued)
            assert held.attempt == 1
            claims.record_heartbeat(database, held, "scoring", 0.5)
            assert states.pause(database, queued)
            with pytest.raises(claims.LostClaim):
                claims.record_heartbeat(database, held)
            with pytest.raises(claims.LostClaim):
                claims.finish_analysis(database, held, claims.RecordedResult("manipulated", 0.9))
            claims.fail_job(database, held, FailureCode.UNEXPECTED_ERROR.cause())
            paused = row(database, queued)
            assert (paused.state, paused.stage, paused.progress) == ("paused", "", 0.0)
            assert (paused.error, paused.started, paused.verdict) == (None,) * 3
            assert states.resume(database, queued)
        second = claims.claim_analysis(database, queued)
        assert second.name != held.name
        with pytest.raises(claims.LostClaim):
            claims.record_heartbeat(database, held, "scoring", 0.9)

    def test_earlier_lost_attempts_still_count(self, app, database):
        queued = hand_in(app).id
        claims.claim_analysis(database, queued)
        recovery.requeue_running(database, count_attempt=True)
        states.pause(database, queued)
        states.resume(database, queued)
        assert claims.claim_analysis(database, queued).attempt == 2

    def test_a_paused_job_can_be_cancelled_and_prioritised(self, app, database):
        queued = hand_in(app).id
        states.pause(database, queued)
        assert states.prioritise(database, queued, Priority.LOW)
        assert not retry(database, queued)
        assert states.cancel(database, queued) and not states.resume(database, queued)
        assert row(database, queued).state == State.CANCELLED

    def test_the_result_of_a_late_attempt_is_removed(self, app, database, monkeypatch):
        """The result was in place already when the analysis was paused."""
        folders = run_analysis.Folders.local(app.extensions["settings"].data)
        queued = hand_in(app).id

        def late(_settings, _database, held, _progress, _ready):
            folders.result(held.job_id).mkdir()
            states.pause(database, held.job_id)
            raise claims.LostClaim(held.job_id)

        monkeypatch.setattr(run_analysis, "ensure_analysis", late)
        run_job.work(app.extensions["settings"])
        assert row(database, queued).state == "paused" and list(folders.analyses.iterdir()) == []


def test_longest_waiting_time(app, database, monkeypatch):
    def since() -> datetime | None:
        with database.begin() as session:
            return job_queue.waiting_since(session)

    assert since() is None
    with earlier(monkeypatch, hours=3):
        pair = [hand_in(app, content) for content in (b"1", b"2")]
    with earlier(monkeypatch, hours=2):
        comparison = queued_comparison(app, *pair)
    moment = now()
    assert timedelta() <= moment - timedelta(hours=3) - since() < timedelta(minutes=1)
    for analysis in pair:
        states.cancel(database, analysis.id)
    assert timedelta() <= moment - timedelta(hours=2) - since() < timedelta(minutes=1)
    states.cancel(database, comparison.id, ComparisonRow)
    assert since() is None
    older = now() - timedelta(days=700)  # than the custody log
    with database.begin() as session:
        unrecorded = {"exhibit_id": pair[0].exhibit_id, "file": "x.mp4", "state": State.QUEUED, "stage": ""}
        session.add(AnalysisRow(id="0" * 32, created=older, **unrecorded))
    assert since() == older


def test_on_postgresql(postgresql, tmp_path):
    """Order, priorities, waiting times, and two workers that claim the same row."""
    settings = {"REELPROOF_DATA": tmp_path / "data", "REELPROOF_DATABASE": postgresql.url}
    app = create_app({"TESTING": True} | settings)
    database = app.extensions["database"]
    ids = [hand_in(app, bytes([number])).id for number in range(8)]
    assert states.prioritise(database, ids[7], Priority.HIGH) and states.pause(database, ids[0])
    with database.begin() as session:
        assert timedelta() <= now() - job_queue.waiting_since(session) < timedelta(minutes=5)
    assert claimed(database) == ids[7]
    assert share_out(database, 6) == sorted(ids[1:7])
    assert claimed(database) is None
    with database.begin() as session:
        assert job_queue.waiting_since(session) is None
    assert states.pause(database, ids[7]) and row(database, ids[7]).attempt == 0
    assert states.resume(database, ids[0]) and claimed(database) == ids[0]
    with database.begin() as session:
        assert {analysis.priority for analysis in session.scalars(select(AnalysisRow))} == {1, 2}
    database.close()
