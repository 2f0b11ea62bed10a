"""Registering webhooks: nothing is sent without an allowed address, or to a deleted webhook."""

from __future__ import annotations

import hashlib
import socket
from datetime import timedelta

import pytest
from made_results import finished
from made_webhooks import API, hook, trip

from webapp.custody import custody_log
from webapp.storage.tables import CustodyRow, now
from webapp.webhooks import delivery
from webapp.webhooks.delivery import webhook_secret


def test_nothing_is_sent_without_an_allowed_address(app, client, monkeypatch):
    answer = client.post(f"{API}/webhooks", json={"url": "https://lab.example/in"})
    assert answer.status_code == 403 and "REELPROOF_WEBHOOKS" in answer.json["remedy"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: pytest.fail("a name was looked up"))
    finished(app)
    assert trip(app) == 0


def test_secret_is_not_in_the_database(lab, receiver):
    made = hook(lab, f"{receiver.address}/hooks/a")
    data = lab.extensions["settings"].data
    again = {"json": {"url": f"{receiver.address}/hooks/b"}, "headers": {"Idempotency-Key": "k"}}
    first, second = (lab.test_client().post(f"{API}/webhooks", **again) for _ in range(2))
    assert second.headers["Idempotency-Replayed"] == "true" and second.data == first.data
    kept = b"".join(path.read_bytes() for path in data.glob("*.sqlite3*"))
    for webhook in (made, first.json):
        assert webhook["secret"].encode() not in kept
    assert (data / "webhooks.key").stat().st_mode & 0o777 == 0o600
    assert webhook_secret(data, made["id"]) == made["secret"]


def test_deleted_webhook_receives_nothing(lab, receiver):
    made = hook(lab, f"{receiver.address}/hooks/a")
    finished(lab)
    assert lab.test_client().delete(f"{API}/webhooks/{made['id']}").status_code == 204
    assert trip(lab) == 0 and receiver.got == []


def test_an_unknown_event_is_one_problem(lab):
    """Not also that the list, without it, is too short."""
    asked = {"url": "https://lab.example/in", "events": ["analysis.begun"]}
    (wrong,) = lab.test_client().post(f"{API}/webhooks", json=asked).json["errors"]
    assert wrong["where"] == "body.events.0"
    (wrong,) = lab.test_client().post(f"{API}/webhooks", json=asked | {"events": []}).json["errors"]
    assert wrong["where"] == "body.events"


def test_changes_are_recorded_without_secrets(lab, receiver):
    client, database = lab.test_client(), lab.extensions["database"]
    url = f"{receiver.address}/hooks/hidden-path?token=hidden-query"
    asked = {"json": {"url": url, "events": ["analysis.done"]}, "headers": {"Idempotency-Key": "k"}}
    made, again = (client.post(f"{API}/webhooks", **asked).json for _ in range(2))
    assert again == made
    assert client.post(f"{API}/webhooks", json={"url": "https://elsewhere.example/in"}).status_code == 403
    assert client.delete(f"{API}/webhooks/{made['id']}").status_code == 204
    assert client.delete(f"{API}/webhooks/{made['id']}").status_code == 404
    with database.begin() as session:
        details = [
            entry.details
            for entry in custody_log.iter_entries_where(session, CustodyRow.action == "configuration")
        ]
        assert "hidden" not in (text := custody_log.export_log(session, None).decode())
        assert made["secret"] not in text
    whole = hashlib.sha256(url.encode()).hexdigest()
    of = {
        "webhook": made["id"],
        "server": receiver.address,
        "address sha256": whole,
        "events": "analysis.done",
    }
    acts = [entry for entry in details if str(entry["what"]).startswith("webhook ")]
    assert acts == [{"what": "webhook made", **of}, {"what": "webhook removed", **of}]


def test_withdrawn_allowance_stops_messages(lab, receiver):
    hook(lab, f"{receiver.address}/hooks/a")
    finished(lab)
    settings = lab.extensions["settings"].model_copy(update={"webhooks": ()})
    delivery.deliver_round(settings, lab.extensions["database"], now() - timedelta(minutes=1))
    assert receiver.got == []
