"""``python -m webapp`` as a person starts and stops it: every process of it, on a real port."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from app_process import skip_sample
from made_results import hand_in
from made_rows import change
from servers import free_port
from waiting import PATIENCE, until

from cli.web import main as cli
from detector.files import ROOT
from webapp import create_app
from webapp.jobs import broker, claims
from webapp.serve import resend
from webapp.storage.tables import AnalysisRow, now
from webapp.worker import supervisor

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture
def data(tmp_path) -> Path:
    """A data folder that has had its sample, so that no test waits for it."""
    skip_sample(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def start(data) -> Iterator[Callable[..., subprocess.Popen]]:
    started: list[subprocess.Popen] = []

    def start(**environment: str) -> subprocess.Popen:
        settings = {"PORT": "0", "REELPROOF_DATA": str(data)} | environment
        process = subprocess.Popen(
            [sys.executable, "-m", "webapp"],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def address(process: subprocess.Popen) -> str:
    line = process.stdout.readline()
    match = re.search(r"http://[^ ]+", line)
    assert match, f"{line!r} {process.stderr.read() if process.poll() is not None else ''}"
    return match[0]


def descendants(process: int) -> set[int]:
    """Every process below this one, however deep."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            below.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    processes, ahead = set(), [process]
    while ahead:
        children = below.get(ahead.pop(), [])
        processes.update(children)
        ahead += children
    return processes


def alive(processes: set[int]) -> set[int]:
    def runs(process: int) -> bool:
        try:
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return {process for process in processes if runs(process)}


def family(process: subprocess.Popen) -> set[int]:
    """All processes, once the worker has its child: the main one, the worker, the child."""
    until(lambda: len(descendants(process.pid)) >= 2, "the worker has no child", process=process)
    return descendants(process.pid) | {process.pid}


def mask(process: int) -> str | None:
    """What a process takes from the permissions of its files; None of one that ends at this moment."""
    try:
        match = re.search(r"^Umask:\s+(\d+)$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    except OSError:
        return None
    return match[1] if match else None


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.fresh),  # as a person starts it
        signal.SIGINT,
    ],
)
def test_starts_at_once_and_stops_everything(start, number):
    process = start()
    with urllib.request.urlopen(address(process) + "/healthz", timeout=PATIENCE) as answer:
        assert answer.status == 200
    everything = family(process)
    # What they make is for their user alone; those that tests fork have not begun with what others had set.
    if number == signal.SIGTERM:
        assert {mask(member) for member in everything} - {None} == {"0077"}
    process.send_signal(number)
    assert process.wait(timeout=PATIENCE) == 0
    until(lambda: not alive(everything), "one outlives the app")
    assert process.stderr.read() == ""


@pytest.mark.fresh
def test_a_worker_that_dies_is_started_again_and_none_outlives_the_main_process(start):
    process = start()
    address(process)
    (worker,) = wait_for_children(process.pid, set())
    os.kill(worker, signal.SIGKILL)
    assert wait_for_children(process.pid, {worker})
    everything = family(process)
    process.kill()
    process.wait()
    until(lambda: not alive(everything), "one outlives the app")


def wait_for_children(process: int, known: set[int]) -> set[int]:
    return until(lambda: children(process) - known, "it starts no other process")


def children(process: int) -> set[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return {int(number) for number in text.split()}


@pytest.mark.fresh
def test_running_jobs_are_queued_again(start, data):
    app = create_app({"REELPROOF_DATA": data})
    database = app.extensions["database"]
    row = hand_in(app)
    claims.claim_analysis(database, row.id)
    process = start()
    address(process)
    (worker,) = wait_for_children(process.pid, set())
    while b"webapp.worker.celery_worker" not in Path(f"/proc/{worker}/cmdline").read_bytes():
        time.sleep(0.01)
    os.kill(worker, signal.SIGSTOP)  # long before it has loaded: nobody takes it
    with database.begin() as session:
        assert session.get_one(AnalysisRow, row.id).state == "queued"
    assert claims.claim_analysis(database, row.id).attempt == 2
    process.terminate()
    process.wait(timeout=PATIENCE)
    with database.begin() as session:
        job = session.get_one(AnalysisRow, row.id)
    assert (job.state, job.attempt) == ("queued", 1)  # an orderly stop is no attempt
    database.close()


def refused(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert out == "" and err.count("\n") == 1, err
    return err


def test_a_port_in_use_is_reported(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Port {port} is in use" in refused(start(PORT=port))


def test_an_invalid_database_is_reported(start, data):
    for path in data.glob("reelproof.sqlite3*"):
        path.unlink()
    (data / "reelproof.sqlite3").write_bytes(b"no database at all\n" * 500)
    assert "file is not a database. Put back a copy" in refused(start())


@pytest.mark.parametrize("command", [None, "list-users", "verify-log", "backup"])
def test_an_unreachable_postgresql_is_reported(data, tmp_path, command):
    words = {None: [], "backup": ["backup", str(tmp_path / "copy")]}.get(command, [command])
    url = {"REELPROOF_DATABASE": f"postgresql://reelproof:SECRET@127.0.0.1:{free_port()}/rows"}
    done = subprocess.run(
        [sys.executable, "-m", "webapp", *words],
        cwd=ROOT,
        env=os.environ | {"PORT": "0", "REELPROOF_DATA": str(data)} | url,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert re.match(r"reelproof: PostgreSQL at 127\.0\.0\.1:\d+ cannot be used: .*refused", done.stderr)
    assert "correct REELPROOF_DATABASE (database rows, user reelproof)" in done.stderr
    assert "SECRET" not in done.stderr


def test_a_database_of_a_newer_version_is_refused(start, data):
    with closing(sqlite3.connect(data / "reelproof.sqlite3")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0099'")
    assert "made by a newer Reelproof (tables 0099" in refused(start())


def test_another_loopback_address(start):
    process = start(REELPROOF_HOST="127.0.0.2")
    place = address(process)
    assert place.startswith("http://127.0.0.2:")
    with urllib.request.urlopen(place, timeout=PATIENCE) as answer:
        assert answer.status == 200


def test_only_loopback(start):
    assert "Set REELPROOF_LOGIN=on" in refused(start(REELPROOF_HOST="0.0.0.0"))
    assert "no administrator yet" in refused(start(REELPROOF_HOST="0.0.0.0", REELPROOF_LOGIN="on"))


def test_login_off_with_accounts_is_warned_of(start, data, tmp_path, monkeypatch):
    monkeypatch.setenv("REELPROOF_DATA", str(data))
    (tmp_path / "password").write_text("long enough, and no word\n")
    made = ["add-user", "ada", "--role", "administrator", "--password-file", str(tmp_path / "password")]
    assert cli.run(made) == 0
    process = start()
    address(process)
    process.terminate()
    _, errors = process.communicate(timeout=PATIENCE)
    assert "REELPROOF_LOGIN is off although there are accounts (1)" in errors


def test_a_data_folder_is_locked_by_one_instance(start):
    first = start()
    address(first)
    assert "Another Reelproof already uses" in refused(start())


def test_unknown_settings_are_reported(start):
    assert "PORT=http is not a number" in refused(start(PORT="http"))


@pytest.mark.parametrize("address", ["", "redis://127.0.0.1:1"])
def test_a_broker_without_connection_is_not_fatal(app, database, monkeypatch, caplog, address):
    """Neither a full disk nor a Redis that is not up: the sweep sends again what waits."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(broker.Channel, "_put", full)
    waiting = hand_in(app)
    settings = app.extensions["settings"].model_copy(update={"workers": 1, "broker": address})
    resend(settings, app)
    assert "the broker takes no messages yet" in caplog.text
    change(database, waiting.id, sent=now() - timedelta(minutes=1))
    sent: list[str] = []
    monkeypatch.setattr(supervisor, "messages_waiting", lambda *_: {"cpu": 0, "gpu": 0})
    supervisor.sweep(database, settings, sent.append)
    assert sent == [waiting.id]
