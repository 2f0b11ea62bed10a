"""The real worker process: Celery, its children, and what becomes of a row when one of them dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from billiard.exceptions import WorkerLostError
from failure_words import texts_of
from made_comparisons import queued
from made_results import hand_in
from made_rows import retry, row_of
from waiting import PATIENCE, until

from detector.schema.causes.failures import FailureCode
from webapp import create_app
from webapp.downloads import kept_reports
from webapp.jobs import broker, claims, recovery
from webapp.jobs import queue as job_queue
from webapp.jobs import states as jobs_states
from webapp.jobs.failures import failure_for
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, ComparisonRow, Priority
from webapp.worker import celery_worker

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parents[1]


@pytest.fixture
def app(tmp_path):
    app = create_app({"REELPROOF_DATA": tmp_path / "data", "TESTING": True})
    yield app
    app.extensions["database"].close()


@pytest.fixture
def start(app) -> Iterator[Callable[..., subprocess.Popen]]:
    started: list[subprocess.Popen] = []

    def start(**environment: str) -> subprocess.Popen:
        settings = {"REELPROOF_DATA": str(app.extensions["settings"].data)} | environment
        process = subprocess.Popen(
            [sys.executable, str(HERE / "fake_worker.py")],
            env=os.environ | settings | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, HERE, HERE.parent)))},
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def queue(app, file: str) -> str:
    row = hand_in(app, file.encode(), file)
    app.extensions["send"](row.id)
    return row.id


def wait(app, analysis_id: str, *states: str, seconds: float = PATIENCE) -> AnalysisRow:
    return until(
        lambda: row if (row := row_of(app, analysis_id)).state in states else None,
        f"it never is {' or '.join(states)}",
        seconds=seconds,
    )


def test_one_worker_handles_results_and_failures(app, start):
    """One worker, one file after another: each ends its own analysis and nothing else."""
    process = start()
    files = ["a.mp4", "segfault.mp4", "broken.mp4", "bug.mp4", "memory.mp4", "killed.mp4", "b.mp4"]
    ids = {file: queue(app, file) for file in files}
    ended = {file: wait(app, ids[file], "done", "failed") for file in files}

    for file in ("a.mp4", "b.mp4"):
        assert ended[file].state == "done" and ended[file].verdict == "manipulated"
        assert (Folders.local(app.extensions["settings"].data).result(ids[file]) / "analysis.json").is_file()
        assert Folders.local(app.extensions["settings"].data).thumbnail(ids[file]).is_file()
    assert (ended["segfault.mp4"].error, ended["segfault.mp4"].remedy) == texts_of(
        FailureCode.CRASHED.cause()
    )
    assert ended["segfault.mp4"].attempt == 1
    assert ended["broken.mp4"].error == "The file is no video or photo: it holds plain text."
    assert (ended["bug.mp4"].error, ended["bug.mp4"].remedy) == texts_of(FailureCode.UNEXPECTED_ERROR.cause())
    assert (ended["memory.mp4"].error, ended["memory.mp4"].remedy) == texts_of(
        FailureCode.OUT_OF_MEMORY.cause()
    )
    assert (ended["killed.mp4"].error, ended["killed.mp4"].remedy) == texts_of(
        FailureCode.WORKER_LOST.cause()
    )
    assert ended["killed.mp4"].attempt == 3
    assert process.poll() is None
    unfinished = list(Folders.local(app.extensions["settings"].data).analyses.glob(".*"))
    assert unfinished == []


def test_one_worker_runs_comparisons(app, start):
    """They are made by the same workers, and survive or fail in the same way."""
    database = app.extensions["database"]
    rows = {file: hand_in(app, file.encode(), file) for file in ("a.mp4", "segfault.mp4", "killed.mp4")}
    original = hand_in(app, b"original", "original.mp4")
    for job in (*rows.values(), original):
        jobs_states.cancel(database, job.id)
    made = {file: queued(app, job, original).id for file, job in rows.items()}
    start()
    for job in made.values():
        app.extensions["send"](job)

    def all_ended() -> dict[str, ComparisonRow] | None:
        with database.begin() as session:
            comparisons = {
                file: session.get_one(ComparisonRow, comparison) for file, comparison in made.items()
            }
        return (
            comparisons
            if all(comparison.state in ("done", "failed") for comparison in comparisons.values())
            else None
        )

    ended = until(all_ended, "one has not ended")
    assert (ended["a.mp4"].state, ended["a.mp4"].segments) == ("done", 1)
    outcomes = {file: (job.error, job.remedy, job.attempt) for file, job in ended.items()}
    assert outcomes["segfault.mp4"] == (*texts_of(failure_for("comparison", FailureCode.CRASHED.cause())), 1)
    assert outcomes["killed.mp4"] == (
        *texts_of(failure_for("comparison", FailureCode.WORKER_LOST.cause())),
        3,
    )
    folders = Folders.local(app.extensions["settings"].data)
    assert list(folders.analyses.iterdir()) == [] and kept(folders) == [made["a.mp4"]]


def kept(folders: Folders) -> list[str]:
    return [path.name for path in folders.comparisons.iterdir()]


def test_two_workers_compute_one_result_each(app, start):
    start(), start()
    ids = [queue(app, f"clip{number}.mp4") for number in range(3)]
    for analysis_id in ids:  # a second message for each, as after a lost acknowledgement
        app.extensions["send"](analysis_id)
    for analysis_id in ids:
        done = wait(app, analysis_id, "done")
        assert done.attempt == 1


def test_a_killed_worker_is_replaced(app, start):
    first = start()
    analysis_id = queue(app, "slow.mp4")
    wait(app, analysis_id, "running")
    time.sleep(0.3)
    os.kill(first.pid, signal.SIGKILL)  # the parent alone: its child must not go on by itself
    first.wait()
    wait_until_gone(first.pid)
    recovery.requeue_running(app.extensions["database"], count_attempt=True)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, analysis_id).file = "quick.mp4"
    start()
    for again in job_queue.all_messages(app.extensions["database"]):
        app.extensions["send"](again)
    done = wait(app, analysis_id, "done")
    assert done.attempt == 2


def being_made(app, analysis_id: str) -> bool:
    return kept_reports.is_rendering(Folders.local(app.extensions["settings"].data), analysis_id)


def test_a_worker_killed_while_rendering_leaves_a_result(app, client, start, quick_reports):
    start()
    analysis_id = queue(app, "slow report.mp4")
    done = wait(app, analysis_id, "done")
    assert done.verdict == "manipulated" and being_made(app, analysis_id)
    assert client.get(f"/api/v1/analyses/{analysis_id}").json["report"] == "being made"
    reports = Folders.local(app.extensions["settings"].data).reports_of(analysis_id)
    until(lambda: list(reports.iterdir()), "no report is begun")
    os.kill(int(done.worker.partition(":")[2]), signal.SIGKILL)
    until(lambda: not being_made(app, analysis_id), "it is still said to be made")
    with client.get(f"/analyses/{analysis_id}/report.pdf") as answer:
        assert answer.status_code == 200
    after = wait(app, queue(app, "after.mp4"), "done")
    until(lambda: not being_made(app, after.id), "the next report is never made")
    again = row_of(app, analysis_id)
    assert (again.state, again.attempt, again.finished) == ("done", 1, done.finished)


def test_a_waiting_job_goes_before_a_report(app, start):
    start()
    first = queue(app, "slow report.mp4")
    wait(app, first, "done")
    assert being_made(app, first)
    second = wait(app, queue(app, "second.mp4"), "done").id
    assert not being_made(app, first)
    until(lambda: not being_made(app, second), "the next report is never made")
    reports_of = Folders.local(app.extensions["settings"].data).reports_of
    assert list(reports_of(first).iterdir()) == [] and len(list(reports_of(second).iterdir())) == 1


def test_a_lost_attempt_removes_only_its_own_folder(app):
    """The parent hears of a child's end late: by then another worker may be at the same analysis."""
    settings, database = app.extensions["settings"], app.extensions["database"]
    row_id = hand_in(app).id
    folders = Folders.local(settings.data)
    held = claims.claim_analysis(database, row_id)
    folders.unfinished(row_id, held.name).mkdir()
    celery_worker._handle_dead_child(settings, os.getpid(), WorkerLostError("signal 9 (SIGKILL)"))
    assert list(folders.analyses.iterdir()) == [] and row_of(app, row_id).state == "queued"

    held = claims.claim_analysis(database, row_id)
    folders.unfinished(row_id, held.name).mkdir()
    celery_worker._handle_dead_child(settings, os.getpid() + 1, WorkerLostError("signal 11 (SIGSEGV)"))
    assert [path.name for path in folders.analyses.iterdir()] == [f".{row_id}.{held.name}"]
    assert row_of(app, row_id).state == "running"


def wait_until_gone(group: int) -> None:
    """Until no process of this group is left."""

    def is_gone() -> bool:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        return False

    until(is_gone, "a child outlived its worker")


def wait_until_stopped(process: int) -> None:
    """Until a process is gone; an engine of its own accord would go on for ten minutes."""
    until(lambda: not Path(f"/proc/{process}").exists(), "it still runs")


def test_an_analysis_beyond_the_time_limit_fails(app, start):
    """Of one that is told to stop and does, and of one that is ended."""
    start(REELPROOF_TIME_LIMIT="20", REELPROOF_TEST_GRACE="1", REELPROOF_WORKERS="2")
    for analysis_id in [queue(app, "slow.mp4"), queue(app, "stuck.mp4")]:
        failed = wait(app, analysis_id, "failed")
        assert (failed.error, failed.remedy) == texts_of(FailureCode.OUT_OF_TIME.cause())
    after = queue(app, "after.mp4")
    assert wait(app, after, "done", "failed").state == "done"


@pytest.mark.parametrize("file", ["slow.mp4", "silent.mp4"])
def test_a_cancelled_analysis_stops_at_once(app, start, file):
    """Whether or not the engine ever looks up; the worker goes on with the next one."""
    start()
    analysis_id = queue(app, file)
    process = int(wait(app, analysis_id, "running").worker.partition(":")[2])
    after = queue(app, "after.mp4")
    assert jobs_states.cancel(app.extensions["database"], analysis_id)
    wait_until_stopped(process)
    assert wait(app, after, "done", "failed").state == "done"
    assert row_of(app, analysis_id).state == "cancelled"
    assert [path.name for path in Folders.local(app.extensions["settings"].data).analyses.iterdir()] == [
        after
    ]

    assert retry(app.extensions["database"], analysis_id)
    app.extensions["send"](analysis_id)
    assert wait(app, analysis_id, "running").attempt == 1


def test_a_paused_analysis_stops_at_once_and_begins_anew(app, start):
    """The worker goes on with the next one meanwhile."""
    start()
    database, analysis_id = app.extensions["database"], queue(app, "slow.mp4")
    process = int(wait(app, analysis_id, "running").worker.rpartition(":")[2])
    after = queue(app, "after.mp4")
    assert jobs_states.pause(database, analysis_id)
    wait_until_stopped(process)
    assert wait(app, after, "done", "failed").state == "done"
    assert (row_of(app, analysis_id).state, row_of(app, analysis_id).attempt) == ("paused", 0)
    assert [path.name for path in Folders.local(app.extensions["settings"].data).analyses.iterdir()] == [
        after
    ]

    with database.begin() as session:
        session.get_one(AnalysisRow, analysis_id).file = "quick.mp4"
    assert jobs_states.resume(database, analysis_id)
    app.extensions["send"](analysis_id)
    assert wait(app, analysis_id, "done").attempt == 1


def test_jobs_run_in_order_of_the_queue(app, start):
    """Whatever the order of the messages."""
    ids = {file: queue(app, file) for file in ("low.mp4", "normal.mp4", "high.mp4")}
    database = app.extensions["database"]
    jobs_states.prioritise(database, ids["low.mp4"], Priority.LOW)
    jobs_states.prioritise(database, ids["high.mp4"], Priority.HIGH)
    start()
    done = [wait(app, analysis_id, "done", seconds=3 * PATIENCE) for analysis_id in ids.values()]
    assert [analysis.file for analysis in sorted(done, key=lambda analysis: analysis.started)] == [
        "high.mp4",
        "normal.mp4",
        "low.mp4",
    ]


def test_messages_arrive_complete_and_in_order(app):
    settings = app.extensions["settings"]
    celery = broker.make_celery(settings)
    for number in range(50):
        celery.send_task(broker.ANALYSE, args=[f"{number:03}"])
    with celery.connection_for_read() as connection, connection.SimpleQueue("reelproof.cpu") as waiting:
        messages = [waiting.get(timeout=PATIENCE) for _ in range(50)]
    assert [message.payload[0][0] for message in messages] == [f"{number:03}" for number in range(50)]


def test_the_broker_is_emptied(app):
    queue(app, "x.mp4")
    folder = Folders.local(app.extensions["settings"].data).broker
    assert len(list(folder.rglob("*.msg"))) == 1
    broker.discard_messages(app.extensions["settings"])
    assert list(folder.rglob("*.msg")) == []


def test_an_idle_worker_stays_within_its_memory():
    """By what is imported: torch and what Grad-CAM brings are left to analyses that need them."""
    code = (
        "import importlib, sys\n"
        "from webapp.worker import celery_worker\n"
        "for name in celery_worker._PRELOADED: importlib.import_module(name)\n"
        "print(*sys.modules)\n"
    )
    modules = set(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split())
    assert {"detector.engine", "cv2"} <= modules
    left = {
        "torch",
        "timm",
        "torchvision",
        "pytorch_grad_cam",
        "matplotlib",
        "sklearn",
        "openvino",
        "onnxruntime",
    }
    assert not modules & (left | {"weasyprint"})
