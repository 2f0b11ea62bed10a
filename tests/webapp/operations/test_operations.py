"""The page of operations, its figures in the metrics, and alerts sent to webhooks."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from types import SimpleNamespace

import pytest
from made_results import finished, hand_in
from made_rows import earlier, retry
from people import account, signed_in, with_login
from sqlalchemy import select

from cli.web import main as cli
from webapp.accounts.permissions import Role
from webapp.custody import custody_log, integrity
from webapp.jobs import claims, recovery, states
from webapp.jobs import recovery as jobs_recovery
from webapp.operations import alerts, backup
from webapp.rest import webhook_messages
from webapp.storage.tables import CustodyRow, Delivery, Exhibit, Milestone, now
from webapp.webhooks import messages


def look(app) -> dict[str, str]:
    return alerts.check_alerts(app.extensions["settings"], app.extensions["database"])


def set_(client, **values: object):
    return client.post("/operations", data={name: str(value) for name, value in values.items()})


def told(database) -> list[tuple[str, str]]:
    with database.begin() as session:
        rows = session.scalars(select(Delivery).order_by(Delivery.happened, Delivery.event)).all()
        return [(row.event, json.loads(row.body)["alert"]) for row in rows]


@pytest.fixture
def hook(app, database):
    with database.begin() as session:
        allowed, at = ["https://lab.example/"], "https://lab.example/hook"
        messages.add_webhook(session, allowed, at, webhook_messages.OPERATIONS_EVENTS, "local user", "a" * 32)
        messages.add_webhook(
            session, allowed, at, webhook_messages.ENDS, "local user", "b" * 32
        )  # hears nothing


def test_page_shows_the_state(app, client, database, tmp_path, monkeypatch):
    finished(app)
    with earlier(monkeypatch, hours=3):
        hand_in(app, b"waits")
    jobs_recovery.record_worker(database, "here:1")
    page = client.get("/operations").text
    assert "1 waiting" in page and "1 done" in page and "3 hours ago" in page and "here:1" in page
    assert page.count("never") == 3 and "Reelproof" in page
    assert re.search(r"<dt>Exhibits</dt><dd>2 · [0-9.]+ ", page), (
        "no comma, which is part of figures elsewhere"
    )
    backup.make_backup(database, app.extensions["settings"], tmp_path / "kept")
    integrity.check_log_if_due(database)
    page = client.get("/operations").text
    assert page.count("never") == 1
    figures = client.get("/metrics").text
    assert "reelproof_backup_age_seconds" in figures and "reelproof_custody_check_age_seconds" in figures
    assert 'reelproof_info{tables="' in figures and 'reelproof_alert{name="backup"} 0.0' in figures


def test_only_administrators_see_operations(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    account(app, "root", Role.ADMINISTRATOR)
    account(app, "ada", Role.EXAMINER)
    assert signed_in(app, "ada").get("/operations").status_code == 403
    assert "Operations" not in signed_in(app, "ada").get("/help").text
    assert signed_in(app, "root").get("/operations").status_code == 200
    app.extensions["database"].close()


def test_alerts_are_sent_when_raised_and_resolved(app, client, database, hook, monkeypatch):
    hand_in(app, b"waits")
    assert look(app) == {}
    assert set_(client, queue=60, disk="", workers=1).status_code == 303
    assert set(look(app)) == {"workers"}
    with earlier(monkeypatch, hours=3):
        hand_in(app, b"waits longer")
    assert "180 minutes" in look(app)["queue"]
    assert set(look(app)) == {"workers", "queue"}
    assert told(database) == [("operations.alert", "workers"), ("operations.alert", "queue")]
    page = client.get("/operations").text
    assert "0 of 1 worker service is running" in page and "180 minutes" in page
    assert 'reelproof_alert{name="queue"} 1.0' in client.get("/metrics").text
    jobs_recovery.record_worker(database, "here:1")
    assert set(look(app)) == {"queue"}
    set_(client)
    assert look(app) == {}
    assert told(database)[2:] == [("operations.resolved", "workers"), ("operations.resolved", "queue")]
    with database.begin() as session:
        entries = session.scalars(select(CustodyRow.details).where(CustodyRow.action == "configuration"))
        assert [json.loads(entry)["queue"] for entry in entries if '"alerts"' in entry] == [60, "none"]
        assert session.scalars(select(Milestone).where(Milestone.name.startswith("alert "))).all() == []


def test_alert_messages_use_the_singular():
    state = SimpleNamespace(waited=timedelta(seconds=70), workers=(), damaged=1)
    texts = {kind.name: kind.passed for kind in alerts.KINDS}
    assert texts["queue"](state, 1) == "The oldest job has been waiting for 1 minute."
    assert texts["workers"](state, 1) == "0 of 1 worker service is running."
    assert texts["workers"](state, 2) == "0 of 2 worker services are running."
    assert texts["exhibits"](state, 0) == "1 exhibit is damaged or missing."


@pytest.mark.parametrize("act", ["retried", "resumed", "queued by its worker's end"])
def test_waiting_time_starts_at_the_last_queueing(app, client, database, monkeypatch, act):
    set_(client, queue=60)
    with earlier(monkeypatch, days=21):
        analysis_id = hand_in(app).id
        if act == "retried":
            assert states.cancel(database, analysis_id)
        elif act == "resumed":
            assert states.pause(database, analysis_id)
        else:
            assert claims.claim_analysis(database, analysis_id)
    assert look(app) == {} and "none</dd>" in client.get("/operations").text
    if act == "retried":
        assert retry(database, analysis_id)
    elif act == "resumed":
        assert states.resume(database, analysis_id)
    else:
        recovery.requeue_running(database, count_attempt=True)
    state = alerts.gather_state(app.extensions["settings"], database)
    assert state.states["analyses"]["queued"] == 1 and timedelta() <= state.waited < timedelta(minutes=5)
    assert look(app) == {} and "just now" in client.get("/operations").text


def test_other_alerts(app, client, database, tmp_path):
    row = finished(app)
    set_(client, disk=9_999_999, backup=1, custody=1, exhibits=0)
    assert set(look(app)) == {"disk", "backup", "custody"}
    backup.make_backup(database, app.extensions["settings"], tmp_path / "kept")
    integrity.check_log_if_due(database)
    assert set(look(app)) == {"disk"}
    with database.begin() as session:
        session.get_one(Exhibit, row.exhibit_id).condition = "missing"
        session.get_one(Milestone, "custody log fits").reached = now() - timedelta(days=2)
    assert set(look(app)) == {"disk", "exhibits", "custody"}


def test_fast_clock_does_not_silence_alerts(app, client, database, tmp_path, monkeypatch):
    finished(app)
    set_(client, backup=1, custody=1)
    ahead = now() + timedelta(days=400)
    with monkeypatch.context() as clock:
        clock.setattr(custody_log, "now", lambda: ahead)
        clock.setattr(integrity, "now", lambda: ahead)
        backup.make_backup(database, app.extensions["settings"], tmp_path / "kept")
        integrity.check_log_if_due(database)
    assert all(f"{ahead:%Y-%m-%d %H:%M}" in words for words in look(app).values())
    assert set(look(app)) == {"backup", "custody"}
    integrity.check_log_if_due(database)
    assert set(look(app)) == {"backup"}
    backup.make_backup(database, app.extensions["settings"], tmp_path / "again")
    assert look(app) == {}


def test_scheduled_check_notices_an_altered_log(app, client, database, monkeypatch, capsys):
    finished(app)
    data = app.extensions["settings"].data
    set_(client, custody=1)
    integrity.check_log_if_due(database)
    with closing(sqlite3.connect(data / "reelproof.sqlite3")) as connection, connection:
        connection.execute("DROP TRIGGER custody_no_update")
        connection.execute("UPDATE custody SET actor = 'nobody' WHERE number = 2")
    integrity.check_log_if_due(database)  # not due
    assert look(app) == {}
    with database.begin() as session:
        session.get_one(Milestone, "custody log fits").reached = now() - timedelta(hours=25)
    integrity.check_log_if_due(database)
    assert look(app) == {"custody": "The custody log was changed after it was written."}
    assert "changed after it was written" in client.get("/operations").text
    with closing(sqlite3.connect(data / "reelproof.sqlite3")) as connection, connection:
        connection.execute("UPDATE custody SET actor = 'reelproof' WHERE number = 2")
    monkeypatch.setenv("REELPROOF_DATA", str(data))
    status = cli.run(["verify-log"])
    with database.begin() as session:
        assert (integrity.last_log_check(session).damaged is None) == (status == 0), capsys.readouterr()


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "99999999999", "00000000099999999", "²"])
def test_invalid_thresholds_are_rejected(client, value):
    assert set_(client, queue=value).status_code == 400
