"""Several machines: PostgreSQL for rows, Redis for messages, workers that start and stop."""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from pathlib import Path

import machines
import pytest
import servers
from made_results import finished, hand_in
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from warm import Script

from webapp import create_app
from webapp.analyses import statistics as library_statistics
from webapp.exhibits.library_search import LibrarySearch, find_page
from webapp.jobs import queue as job_queue
from webapp.jobs import recovery
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State, now
from webapp.worker.supervisor import sweep

HERE = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = servers.Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def shared(postgresql, redis, tmp_path) -> dict[str, str]:
    return machines.settings(tmp_path, postgresql, redis)


@pytest.fixture
def app(shared, postgresql):
    app = create_app({"TESTING": True} | shared)
    database = app.extensions["database"]
    yield app
    postgresql.empty()
    database.close()


def worker(started, shared: dict[str, str], log: Path, **changes: str):
    """A supervised worker with the engine of ``fake_worker``."""
    path = os.pathsep.join(map(str, (machines.ROOT, HERE, HERE.parent)))
    return machines.run(
        started,
        str(HERE / "fake_standalone.py"),
        environment=shared | {"PYTHONPATH": path} | changes,
        log=log,
    )


def states(database: Database) -> dict[str, int]:
    with database.begin() as session:
        rows = session.execute(select(AnalysisRow.state, func.count()).group_by(AnalysisRow.state))
        return {state: count for state, count in rows}


def test_pages_on_postgresql(app):
    """Queries written for SQLite work here, too: search, counts by day, deletion."""
    done = finished(app, file="Überfahrt.mp4")
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    assert "Überfahrt" in client.get("/analyses?q=überf&sort=name").text
    assert client.get("/statistics").status_code == 200
    with app.extensions["database"].begin() as session:
        (today,) = [c for c in library_statistics.analyses_over_time(session, False, date.today()) if c.total]
        assert today.total == 1
        assert find_page(session, LibrarySearch(text=done.exhibit.sha256[:12]), 1).total == 1
    assert client.post(f"/analyses/{done.id}/delete", follow_redirects=True).status_code == 200
    assert client.get(f"/analyses/{done.id}").status_code == 410


def test_connections_survive_a_restarted_server(app, postgresql):
    database = app.extensions["database"]
    with database.hold():
        assert states(database) == {}
        with database.begin() as session:
            before = session.scalar(text("SELECT pg_backend_pid()"))
        with database.begin() as session:
            assert session.scalar(text("SELECT pg_backend_pid()")) == before
        restart(postgresql)
        assert states(database) == {}


def test_concurrent_migrations(app, postgresql, tmp_path):
    postgresql.empty()
    script = Script(
        "import sys; from sqlalchemy import make_url; "
        "from webapp.storage.database import Database; "
        "Database(make_url(sys.argv[1]), {}).migrate()"
    )
    with machines.processes() as started:
        both = [
            machines.run(
                started,
                "-c",
                script,
                postgresql.url,
                str(tmp_path / "key"),
                environment={},
                log=tmp_path / "log",
            )
            for _ in range(2)
        ]
        assert [process.wait(60) for process in both] == [0, 0]


def test_deletions_and_uploads_are_serialized(app):
    database = app.extensions["database"]
    with database.alone(), pytest.raises(OperationalError, match="lock timeout|canceling"):  # noqa: PT012, SIM117
        with database.begin() as other:
            other.connection().exec_driver_sql("SET lock_timeout = '200ms'")
            other.connection().exec_driver_sql("SELECT pg_advisory_xact_lock(7733661155)")


def test_lost_messages_are_sent_again(app, redis):
    """The broker loses all messages; rows remain, and waiting messages are not sent twice."""
    database, settings, send = (app.extensions[name] for name in ("database", "settings", "send"))
    ids = [hand_in(app, b"%d" % number, f"{number}.mp4").id for number in range(3)]
    for analysis_id in ids:
        send(analysis_id)
    again: list[str] = []
    age(database)
    sweep(database, settings, again.append)
    assert again == []
    redis.stop()
    for kept in redis._folder.glob("appendonlydir/*"):
        kept.unlink()
    redis.start()
    sweep(database, settings, again.append)
    assert again == ids


def age(database: Database) -> None:
    with database.begin() as session:
        session.execute(update(AnalysisRow).values(sent=now() - 2 * job_queue.RESEND_AFTER))


def test_workers_come_and_go(app, shared, postgresql, redis, tmp_path, monkeypatch):
    """Four workers, a queue; one is killed with its supervisor, one alone, both servers start anew.

    ``make test-faults`` does it with two hundred exhibits, and waits as long as the product does for what
    went silent or unheard.
    """
    monkeypatch.setattr(recovery, "STALE_AFTER", timedelta(seconds=10))
    monkeypatch.setattr(job_queue, "RESEND_AFTER", timedelta(seconds=6))
    database, settings, send = (app.extensions[name] for name in ("database", "settings", "send"))
    ids = [hand_in(app, b"%d" % number, f"short-{number}.mp4").id for number in range(14)]
    for analysis_id in ids:
        send(analysis_id)
    log, end = tmp_path / "workers.log", time.monotonic() + 500
    with machines.processes() as started:
        first, second, *_ = [worker(started, shared, log) for _ in range(4)]
        reached = {
            2: lambda: machines.kill(first),
            4: lambda: restart(redis),
            8: lambda: restart(postgresql),
        }
        reached[6] = lambda: machines.kill(second)
        while len(done := finished_ids(database)) < len(ids):
            assert time.monotonic() < end, log.read_text()
            for count in [count for count in sorted(reached) if count <= len(done)]:
                reached.pop(count)()
            if len(started) < 6 and not reached:
                worker(started, shared, log)
            try:
                sweep(database, settings, send)
            except Exception as problem:  # as the supervisor of the pages does: it tries again
                print("sweep:", problem)
            time.sleep(0.2)
    assert states(database) == {"done": len(ids)}
    results = Folders.local(settings.data).analyses
    assert sorted(path.name for path in results.iterdir() if path.name[0] != ".") == sorted(ids)


def restart(server) -> None:
    server.stop()
    time.sleep(1)
    server.start()


def finished_ids(database: Database) -> list[str]:
    try:
        with database.begin() as session:
            ended = AnalysisRow.state.in_((State.DONE, State.FAILED))
            return list(session.scalars(select(AnalysisRow.id).where(ended)))
    except Exception:  # it is being started anew
        return []


def test_the_gpu_queue_gets_large_exhibits(app, shared, tmp_path):
    """Workers take jobs of their queues; large exhibits go to the GPU queue."""
    large = create_app({"TESTING": True} | shared | {"REELPROOF_GPU_FROM_MB": "0.001"})
    small_id = hand_in(large, b"small", "small.mp4").id
    large_id = hand_in(large, b"x" * 2000, "large.mp4").id
    for analysis_id in (small_id, large_id):
        large.extensions["send"](analysis_id)
    database, end = app.extensions["database"], time.monotonic() + 200
    with machines.processes() as started:
        worker(started, shared, tmp_path / "log", REELPROOF_QUEUES="gpu")
        while large_id not in (done := finished_ids(database)):
            assert time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.2)
        time.sleep(1)
        assert done == [large_id] and states(database) == {"done": 1, "queued": 1}
    large.extensions["database"].close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"REELPROOF_BROKER": ""}, "Workers on their own need a queue to share"),
        ({"REELPROOF_WORKERS": "0"}, "REELPROOF_WORKERS=0 leaves nothing to run"),
        ({"REELPROOF_DATABASE": "postgresql://nobody@127.0.0.1:1/none"}, "onnection"),
    ],
)
def test_workers_state_missing_requirements(shared, tmp_path, changes, words):
    with machines.processes() as started:
        log = tmp_path / "log"
        process = machines.run(
            started, "-m", "webapp.worker.standalone", environment=shared | changes, log=log
        )
        assert process.wait(60) == 2
        assert words in log.read_text()


def test_workers_wait_for_the_tables(postgresql, redis, shared, tmp_path):
    with machines.processes() as started:
        log = tmp_path / "log"
        process = machines.run(started, "-m", "webapp.worker.standalone", environment=shared, log=log)
        assert process.wait(60) == 2
        assert "Start python -m webapp of the same version once" in log.read_text()
