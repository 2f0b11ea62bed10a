"""A comparison in a worker: in the queue with analyses, whole or in words, whatever happens on the way."""

from __future__ import annotations

import json

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from failure_words import texts_of
from made_comparisons import engine, queued
from made_failures import room_when_failing
from made_results import hand_in
from sqlalchemy.exc import OperationalError

from detector.errors import MediaError
from detector.schema.causes.failures import FailureCode
from webapp.custody import custody_log
from webapp.custody.audit import Audit
from webapp.custody.job_records import COMPARISON_SUMS_FILE
from webapp.jobs import claims, recovery, states
from webapp.jobs import claims as jobs_claims
from webapp.jobs import queue as job_queue
from webapp.jobs.failures import failure_for
from webapp.settings import QUEUES
from webapp.storage.tables import ComparisonRow, CustodyRow, Priority, State, now
from webapp.worker import run_analysis, run_job


@pytest.fixture
def both(app, database):
    """Two analyses that are out of the way."""
    rows = hand_in(app, b"altered", "altered.mp4"), hand_in(app, b"original", "original.mp4")
    for row in rows:
        states.cancel(database, row.id)
    return rows


@pytest.fixture
def waiting(app, both):
    return queued(app, *both)


def work(app):
    run_job.work(app.extensions["settings"])


def stored(database, comparison_id: str) -> ComparisonRow:
    with database.begin() as session:
        return session.get_one(ComparisonRow, comparison_id)


def told(database, action: str) -> dict[str, object]:
    with database.begin() as session:
        (row,) = session.query(CustodyRow).filter_by(action=action)
        return {"exhibit": row.exhibit, "about": row.analysis, **json.loads(row.details)}


def test_a_result_is_published_complete_then_marked_and_logged(
    app, database, folders, both, waiting, monkeypatch
):
    seen = []

    def watched(exhibit, reference, folder, names, settings, progress):
        seen.append((exhibit.read_bytes(), reference.read_bytes(), names, folder.name))
        assert not folders.comparison(waiting.id).exists()
        return engine(exhibit, reference, folder, names, settings, progress)

    monkeypatch.setattr(run_analysis, "make_comparison", watched)
    work(app)
    ((exhibit, reference, names, folder),) = seen
    assert (exhibit, reference, names) == (b"altered", b"original", ("altered.mp4", "original.mp4"))
    assert folder.startswith(f".{waiting.id}.1.")
    row = stored(database, waiting.id)
    assert (row.state, row.related, row.segments, row.progress) == ("done", True, 1, 1.0)
    assert row.outcome == "faces differ"
    place = folders.comparison(waiting.id)
    assert {path.name for path in place.iterdir()} == {"comparison.json", "pictures", COMPARISON_SUMS_FILE}
    assert list(folders.analyses.glob(".*")) == []
    entry = told(database, "comparison finished")
    assert (entry["exhibit"], entry["reference"]) == (both[0].exhibit.sha256, both[1].exhibit.sha256)
    assert (entry["about"], entry["related"], entry["segments"]) == (waiting.id, "yes", 1)
    assert entry["outcome"] == "faces differ"
    assert len(str(entry["comparison sha256"])) == len(str(entry["sha256sums sha256"])) == 64
    assert told(database, "comparison queued")["reference"] == both[1].exhibit.sha256


def test_jobs_of_both_kinds_wait_in_one_queue(app, database, both):
    first = hand_in(app, b"first")
    comparison = queued(app, *both)
    last = hand_in(app, b"last")
    with database.begin() as session:
        assert job_queue.count_ahead(session, last) == 2
        assert job_queue.count_ahead(session, stored(database, comparison.id)) == 1
    assert job_queue.all_messages(database) == [first.id, comparison.id, last.id]
    states.prioritise(database, last.id, Priority.HIGH)
    order = []
    while held := jobs_claims.claim_next_job(database, QUEUES):
        order.append(held.job_id)
    assert order == [last.id, first.id, comparison.id]


@pytest.mark.parametrize(
    ("problem", "failure"),
    [
        (SoftTimeLimitExceeded(), FailureCode.OUT_OF_TIME.cause()),
        (MemoryError(), FailureCode.OUT_OF_MEMORY.cause()),
    ],
)
def test_failures_of_comparisons_are_explained(
    app, database, folders, waiting, monkeypatch, problem, failure
):
    def broken(_exhibit, _reference, folder, *_rest):
        (folder / "half").write_text("half")
        raise problem

    monkeypatch.setattr(run_analysis, "make_comparison", broken)
    room = room_when_failing(monkeypatch, folders)
    work(app)
    assert room == [True]  # for the row: what is unfinished may have filled the disk
    row = stored(database, waiting.id)
    assert (row.state, row.error, row.remedy) == ("failed", *texts_of(failure_for("comparison", failure)))
    assert "analysis" not in f"{row.error} {row.remedy}"
    assert list(folders.comparisons.iterdir()) == [] == list(folders.analyses.iterdir())


def test_an_unreadable_clip_is_named(app, database, waiting, monkeypatch):
    def broken(*_given):
        raise MediaError("original.mp4: Not one frame could be decoded. Play it in a video player.")

    monkeypatch.setattr(run_analysis, "make_comparison", broken)
    work(app)
    assert stored(database, waiting.id).error.startswith("original.mp4: Not one frame")


def test_the_engine_names_an_unreadable_file(app, database, waiting):
    """The real one, confined: both exhibits are a few letters."""
    work(app)
    row = stored(database, waiting.id)
    assert row.state == "failed" and row.error.startswith("altered.mp4: ")


def test_another_worker_takes_over_from_a_lost_one(app, database, waiting):
    for attempt in range(1, recovery.MAX_ATTEMPTS + 1):
        held = jobs_claims.claim_comparison(database, waiting.id)
        assert held is not None and held.attempt == attempt
        assert recovery.find_attempt_of_worker(database, stored(database, waiting.id).worker) == (
            waiting.id,
            held.name,
        )
        with database.begin() as session:
            session.get_one(ComparisonRow, waiting.id).heartbeat = now() - 2 * recovery.STALE_AFTER
        recovery.requeue_stale(database)
        with pytest.raises(claims.LostClaim):
            claims.record_heartbeat(database, held)
    row = stored(database, waiting.id)
    assert (row.state, row.error) == (
        "failed",
        failure_for("comparison", FailureCode.WORKER_LOST.cause()).text,
    )


def test_an_orderly_stop_counts_as_no_attempt(app, database, waiting):
    jobs_claims.claim_comparison(database, waiting.id)
    recovery.requeue_running(database, count_attempt=False)
    row = stored(database, waiting.id)
    assert (row.state, row.attempt) == ("queued", 0)


def test_a_complete_result_of_a_lost_attempt_is_kept(app, database, folders, waiting, monkeypatch):
    monkeypatch.setattr(run_analysis, "make_comparison", engine)
    held = jobs_claims.claim_comparison(database, waiting.id)
    run_analysis.ensure_comparison(app.extensions["settings"], database, held, lambda *_: None)
    recovery.requeue_running(database, count_attempt=True)
    monkeypatch.setattr(run_analysis, "make_comparison", lambda *_: pytest.fail("it was done already"))
    work(app)
    assert stored(database, waiting.id).state == "done"


def test_cancelled_while_it_runs_nothing_is_kept(app, database, folders, waiting, monkeypatch):
    def cancelled(*given):
        states.cancel(database, waiting.id, ComparisonRow)
        return engine(*given)

    monkeypatch.setattr(run_analysis, "make_comparison", cancelled)
    work(app)
    assert stored(database, waiting.id).state == State.CANCELLED
    assert list(folders.comparisons.iterdir()) == [] == list(folders.analyses.glob(".*"))


def test_an_altered_file_fails_the_comparison(app, database, waiting, monkeypatch):
    def other(exhibit, reference, folder, names, settings, progress):
        return engine(exhibit.with_name("0" * 64), reference, folder, names, settings, progress)

    monkeypatch.setattr(run_analysis, "make_comparison", other)
    work(app)
    assert "no longer has the bytes" in stored(database, waiting.id).error


def test_a_restarting_database_fails_no_comparison(app, database, waiting, monkeypatch):
    monkeypatch.setattr(run_analysis, "make_comparison", engine)
    monkeypatch.setattr(run_analysis.time, "sleep", lambda _: None)
    beat, missed = claims.record_heartbeat, []

    def restarting(*asked):
        if len(asked) == 2 and not missed:
            missed.append(asked)
            raise OperationalError("", {}, Exception("terminating connection due to administrator command"))
        return beat(*asked)

    monkeypatch.setattr(claims, "record_heartbeat", restarting)
    work(app)
    assert missed and stored(database, waiting.id).state == State.DONE


def problems(database, folders) -> list[str]:
    audit = Audit()
    with database.snapshot() as session:
        list(audit.observe(custody_log.iter_rows(session)))
        rows = list(audit.problems(session))
    return [*rows, *audit.file_problems(database, folders)]


def test_verify_log_names_what_differs(app, database, folders, waiting, monkeypatch):
    monkeypatch.setattr(run_analysis, "make_comparison", engine)
    work(app)
    assert problems(database, folders) == []
    picture = folders.comparison(waiting.id) / "pictures" / "A1-1.png"
    picture.write_bytes(b"another")
    assert [line.split(": ")[0] for line in problems(database, folders)] == [f"Comparison {waiting.id}"]
    with database.begin() as session:
        session.get_one(ComparisonRow, waiting.id).segments = 0
    assert any("differs from the custody log" in line for line in problems(database, folders))
