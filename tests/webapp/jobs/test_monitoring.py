"""Readiness, metrics and log: what they contain, and what they must not."""

from __future__ import annotations

import errno
import json
import logging
from datetime import timedelta

from made_results import finished, hand_in
from made_rows import earlier
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from webapp import logs
from webapp.jobs import recovery, states
from webapp.storage.tables import Milestone, WorkerRow, now


def metrics_text(client) -> dict[tuple, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.content_type.startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_readiness_requires_a_worker(client, database):
    answer = client.get("/readyz")
    assert answer.status_code == 503 and answer.json["status"] == "not ready"
    assert {name for name, result in answer.json["checks"].items() if result != "ok"} == {"worker"}
    recovery.record_worker(database, "here:1")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "ready")
    with database.begin() as session:
        session.get_one(WorkerRow, "here:1").seen = now() - timedelta(minutes=1)
        assert session.query(Milestone).filter(Milestone.name.like("readiness%")).count() == 0
    assert "30 s" in client.get("/readyz").json["checks"]["worker"]


def test_readiness_explains_failures(app, client, database, monkeypatch):
    recovery.record_worker(database, "here:1")

    class Full:
        free, total = 1_000_000, 2_000_000

    monkeypatch.setattr("webapp.operations.health.shutil.disk_usage", lambda _: Full)
    assert "1 MB are free" in client.get("/readyz").json["checks"]["disk"]
    monkeypatch.undo()

    def read_only(**_place: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("webapp.operations.health.tempfile.TemporaryFile", read_only)
    assert "Read-only file system" in client.get("/readyz").json["checks"]["data folder"]
    monkeypatch.undo()
    with database.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    answer = client.get("/readyz")
    assert answer.status_code == 503 and "0001" in answer.json["checks"]["migrations"]


def test_a_read_only_database_is_not_ready(app, client, database):
    recovery.record_worker(database, "here:1")
    with database.begin() as session:
        session.execute(
            text("CREATE TRIGGER no BEFORE INSERT ON milestones BEGIN SELECT RAISE(ABORT, 'x'); END")
        )
    answer = client.get("/readyz")
    assert answer.status_code == 503 and "read-only" in answer.json["checks"]["database"]


def test_heartbeats_are_aged_by_the_clock_that_wrote_them(app, client, database, monkeypatch):
    behind = now() - timedelta(minutes=3)  # as PostgreSQL's may be
    monkeypatch.setattr(recovery, "shared_clock", lambda _session: behind)
    recovery.record_worker(database, "here:1")
    assert metrics_text(client)["reelproof_worker_heartbeat_age_seconds", ("worker", "here:1")] == 0
    assert ", last seen just now" in client.get("/operations").text


def test_metrics_of_rows_and_disk(app, client, database, monkeypatch):
    finished(app)
    with earlier(monkeypatch, seconds=100):
        waiting = hand_in(app, b"waits", "secret name.mp4")
    states.cancel(database, hand_in(app, b"c").id)
    states.pause(database, hand_in(app, b"p").id)
    recovery.record_worker(database, "here:1")
    metrics = metrics_text(client)
    assert metrics["reelproof_analyses", ("state", "done")] == 1
    assert metrics["reelproof_comparisons", ("state", "done")] == 0
    assert metrics["reelproof_analyses", ("state", "queued")] == 1
    assert metrics["reelproof_analyses", ("state", "running")] == 0
    assert metrics["reelproof_analyses", ("state", "paused")] == 1
    assert 100 <= metrics["reelproof_queue_age_seconds",] < 200
    assert metrics["reelproof_exhibits",] == 4 and metrics["reelproof_disk_free_bytes",] > 0
    assert metrics["reelproof_worker_heartbeat_age_seconds", ("worker", "here:1")] < 30
    counts = {key: value for key, value in metrics.items() if key[0] == "reelproof_analysis_seconds_count"}
    assert list(counts.values()) == [1]
    text = client.get("/metrics").text
    assert "secret" not in text and waiting.id not in text


def test_metrics_of_requests(app, client):
    for _ in range(3):
        client.get("/healthz")
    client.get("/api/v1/analyses/" + "0" * 32)
    client.open("/nowhere", method="BREW")
    metrics = metrics_text(client)
    ok = (("endpoint", "health.healthz"), ("method", "GET"), ("status", "200"))
    assert metrics["reelproof_http_requests_total", *ok] == 3
    gone = (("endpoint", "api_analyses.get"), ("method", "GET"), ("status", "404"))
    assert metrics["reelproof_http_requests_total", *gone] == 1
    assert metrics["reelproof_http_request_seconds_count", ("endpoint", "health.healthz")] == 3
    assert any(("method", "other") in key for key in metrics)


def test_every_response_has_its_own_id(client):
    ids = {client.get(path).headers["X-Request-Id"] for path in ("/", "/", "/nowhere", "/api/v1/me")}
    assert len(ids) == 4


def test_the_json_log_contains_no_evidence(app, client, monkeypatch):
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))

    handler = Keeping()
    handler.setFormatter(logs.JsonLines())
    logger = logging.getLogger("webapp.requests")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    logger.setLevel(logging.INFO)
    try:
        row = finished(app, file="secret name.mp4")
        answer = client.get(f"/analyses/{row.id}")
        client.get("/analyses?q=secret")
    finally:
        logger.setLevel(logging.NOTSET)
    first, second = (json.loads(line) for line in lines)
    assert first["request"] == answer.headers["X-Request-Id"] and first["status"] == 200
    assert (first["method"], first["route"], first["who"]) == ("GET", "/analyses/<analysis_id>", "local user")
    assert first["milliseconds"] > 0 and first["time"].endswith("Z")
    assert second["route"] == "/analyses" and not any("secret" in line for line in lines)


def test_a_traceback_stays_on_one_line():
    try:
        raise ValueError("two\nlines")
    except ValueError as problem:
        info = (type(problem), problem, problem.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "failed %s", ("ö",), info)
    line = logs.JsonLines().format(record)
    assert "\n" not in line and json.loads(line)["message"] == "failed ö"
    assert "ValueError" in json.loads(line)["traceback"]
