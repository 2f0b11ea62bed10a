"""Two hundred short clips, four workers, and everything that can be taken away is taken away once."""

from __future__ import annotations

import json
import random
import time

import machines
import pytest
import servers
from sqlalchemy import select

from webapp import create_app
from webapp.jobs import recovery
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, State
from webapp.worker.supervisor import sweep

pytestmark = pytest.mark.slow

_CLIPS = 200
_SEED = 20261120
_LIMIT = 6 * 3600  # seconds: a machine may have much else to do


def test_every_job_finishes_exactly_once(tmp_path):
    """Two workers are killed at random, Redis and PostgreSQL start anew once each: 200 results."""
    if missing := servers.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    chance = random.Random(_SEED)
    postgresql, redis = servers.PostgreSQL(), servers.Redis(tmp_path / "redis")
    shared = machines.settings(tmp_path, postgresql, redis)
    app = create_app(shared)
    client, database, settings = app.test_client(), app.extensions["database"], app.extensions["settings"]
    send = app.extensions["send"]
    for number in range(_CLIPS):
        with machines.clip(tmp_path / f"{number}.mp4", number).open("rb") as file:
            handed_in = client.post("/analyses", data={"file": (file, f"{number}.mp4")})
            assert handed_in.status_code in (201, 303), handed_in.text

    def restart(server: servers.PostgreSQL | servers.Redis) -> None:
        server.stop()
        time.sleep(2)
        server.start()

    log, started_at = tmp_path / "workers.log", time.monotonic()
    events, last = [], []
    with machines.processes() as started:

        def start() -> None:
            log_of_it = log.with_suffix(f".{len(started)}")
            machines.run(started, "-m", "webapp.worker.standalone", environment=shared, log=log_of_it)

        def kill_one() -> None:
            machines.kill(chance.choice([process for process in started if process.poll() is None]))
            start()

        for _ in range(4):
            start()
        at = sorted(chance.sample(range(10, _CLIPS - 20), 4))
        what = [("worker killed", kill_one), ("worker killed", kill_one)]
        what += [("Redis started anew", lambda: restart(redis))]
        what += [("PostgreSQL started anew", lambda: restart(postgresql))]
        chance.shuffle(what)
        due = list(zip(at, what, strict=True))
        while len(last) < _CLIPS:
            assert time.monotonic() - started_at < _LIMIT, events
            try:
                with database.begin() as session:
                    ended = AnalysisRow.state.in_((State.DONE, State.FAILED))
                    last = session.scalars(select(AnalysisRow.id).where(ended)).all()
                if due and len(last) >= due[0][0]:
                    _, (name, act) = due.pop(0)
                    act()
                    events.append(f"{name} after {len(last)} results")
                sweep(database, settings, send)  # as the process of the pages does every five seconds
            except Exception as problem:
                events.append(f"sweep: {type(problem).__name__}")
            time.sleep(2)

    with database.begin() as session:
        rows = session.scalars(select(AnalysisRow)).all()
        attempts = [row.attempt for row in rows]
        assert [row.state for row in rows] == ["done"] * _CLIPS
    folders = [path for path in Folders.local(settings.data).analyses.iterdir() if path.name[0] != "."]
    assert sorted(folder.name for folder in folders) == sorted(row.id for row in rows)
    exhibits = [json.loads((folder / "analysis.json").read_text())["media"]["sha256"] for folder in folders]
    assert len(set(exhibits)) == _CLIPS
    assert max(attempts) <= recovery.MAX_ATTEMPTS
    again = sum(attempt > 1 for attempt in attempts)
    print(f"\n{_CLIPS} results in {time.monotonic() - started_at:.0f} s, {again} done again; {events}")
    database.close()
    redis.stop()
    postgresql.close()
