"""Which events webhooks receive, and the content of the messages."""

from __future__ import annotations

import json
from datetime import timedelta

import jsonschema
import pytest
from made_comparisons import compared, queued
from made_results import finished, hand_in
from made_webhooks import API, hook, trip

from detector.schema.causes.failures import FailureCode
from detector.schema.voice import VoiceSummary, VoiceVerdict
from webapp.jobs import claims, recovery, states
from webapp.rest import webhook_messages
from webapp.storage.tables import AnalysisRow, CaseReview, CaseRow, ComparisonRow, User, WebhookRow, now
from webapp.webhooks import delivery, messages

VOICE = VoiceSummary(
    verdict=VoiceVerdict.SYNTHETIC, probability=0.96, segments=2, speech=31.5, only=False
).model_dump(mode="json")


def with_voice(lab, row: AnalysisRow) -> AnalysisRow:
    with lab.extensions["database"].begin() as session:
        stored = session.get_one(AnalysisRow, row.id)
        stored.summary = json.dumps(json.loads(stored.summary or "{}") | {"voice": VOICE})
    return row


@pytest.fixture
def as_described(lab, receiver):
    """Whether every message that was sent is one that openapi.json describes, with no more and no less."""

    def check() -> None:
        document = lab.test_client().get(f"{API}/openapi.json").json
        shared = {"components": document["components"], "additionalProperties": False}
        models = document["components"]["schemas"]
        schemas = {
            event: models[name] | shared
            for webhook in document["webhooks"].values()
            for schema in [webhook["post"]["requestBody"]["content"]["application/json"]["schema"]]
            for name in [schema["$ref"].rpartition("/")[2]]
            for event in models[name]["properties"]["event"]["enum"]
        }
        assert schemas.keys() == set(webhook_messages.EVENTS)
        assert receiver.got
        for _, _, body in receiver.got:
            message = json.loads(body)
            if message.get("voice"):
                schema = models["VoiceSummary"]
                assert set(message["voice"]) == set(schema["properties"]) == {*schema["required"], "strength"}
            jsonschema.Draft202012Validator(schemas[message["event"]]).validate(message)

    return check


def test_messages_match_the_openapi_schema(lab, receiver, as_described):
    hook(lab, f"{receiver.address}/hooks/all", events=list(webhook_messages.EVENTS))
    database = lab.extensions["database"]
    exhibit, reference = with_voice(lab, finished(lab)), finished(lab, file="two.mp4")
    compared(lab, exhibit, reference)
    assert states.cancel(database, queued(lab, exhibit, reference).id, ComparisonRow)
    stopped = hand_in(lab, b"s")
    states.cancel(database, stopped.id)
    with database.begin() as session:
        messages.queue_alert(session, "operations.alert", "disk", "Little is free.", now())
    while trip(lab):
        pass
    assert len(receiver.got) == 6
    voices = {
        message.get("analysis"): message.get("voice")
        for message in (json.loads(got[2]) for got in receiver.got)
    }
    assert (voices[exhibit.id], voices[reference.id]) == (VOICE, None)
    as_described()


def test_a_finding_is_sent_once_before_its_pictures_and_once_with_them(lab, receiver, as_described):
    hook(lab, f"{receiver.address}/hooks/all", events=["analysis.explaining", "analysis.done"])
    hook(lab, f"{receiver.address}/hooks/ends")  # by default
    database, queued_analysis = lab.extensions["database"], hand_in(lab)
    claim = claims.claim_analysis(database, queued_analysis.id)
    assert claim is not None
    result = claims.RecordedResult("manipulated", 0.97)
    claims.publish_finding(database, claim, result)
    assert [trip(lab), trip(lab)] == [1, 0]
    claims.finish_analysis(database, claim, result)
    assert [trip(lab), trip(lab)] == [2, 0]
    sent = [json.loads(body) for _, _, body in receiver.got]
    assert [(message["event"], message["state"], message["verdict"]) for message in sent] == [
        ("analysis.explaining", "explaining", "manipulated"),
        ("analysis.done", "done", "manipulated"),
        ("analysis.done", "done", "manipulated"),
    ]
    assert {message["analysis"] for message in sent} == {queued_analysis.id}
    as_described()


def test_messages_about_alerts_are_listed(lab):
    made = hook(lab, "https://lab.example/in", events=["operations.alert", "analysis.cancelled"])
    database = lab.extensions["database"]
    with database.begin() as session:
        messages.queue_alert(session, "operations.alert", "disk", "Little is free.", now())
    stopped = hand_in(lab, b"s")
    states.cancel(database, stopped.id)
    with database.alone() as session:
        messages.queue_ended_jobs(session, now() - timedelta(minutes=1))
    listed = lab.test_client().get(f"{API}/webhooks/{made['id']}/deliveries")
    assert listed.status_code == 200, listed.text
    events = {entry["event"]: (entry["analysis"], entry["alert"]) for entry in listed.json["deliveries"]}
    assert events == {"operations.alert": (None, "disk"), "analysis.cancelled": (stopped.id, None)}


@pytest.mark.parametrize(("before", "count"), [({"hours": 3}, 1), ({"days": 20}, 1), ({"days": 31}, 0)])
def test_jobs_that_ended_without_a_sender_are_reported_once(lab, receiver, before, count):
    row, database = finished(lab), lab.extensions["database"]
    made = hook(lab, f"{receiver.address}/hooks/analyses")
    with database.begin() as session:
        session.get_one(AnalysisRow, row.id).finished = now() - timedelta(**before)
        session.get_one(WebhookRow, made["id"]).made = now() - timedelta(days=90)
    for _ in range(2):
        with database.alone() as session:
            assert messages.queue_ended_jobs(session, messages.initial_since()) == count
        count = 0


def test_large_backlog_is_queued_in_batches(lab, receiver, monkeypatch):
    monkeypatch.setattr(messages, "MAX_QUEUED", 2)
    hook(lab, f"{receiver.address}/hooks/failed", events=["analysis.failed"])
    hook(lab, f"{receiver.address}/hooks/all")
    rows = [finished(lab, file=f"{number}.mp4") for number in range(5)]
    settings, database = lab.extensions["settings"], lab.extensions["database"]
    since = begun = messages.initial_since()
    for count in (2, 4, 5):
        assert since == begun, "what there was no room for may be older than the last look"
        _, since = delivery.deliver_round(settings, database, since)
        assert len(receiver.got) == count
    assert since > begun
    assert {json.loads(body)["analysis"] for _, _, body in receiver.got} == {row.id for row in rows}


def test_sender_without_webhooks_takes_no_lock(lab, monkeypatch):
    finished(lab)
    database = lab.extensions["database"]
    monkeypatch.setattr(database, "alone", lambda: pytest.fail("the database was locked"))
    assert trip(lab) == 0


def test_ended_comparison_is_sent_to_subscribers(lab, receiver):
    exhibit, reference = finished(lab, file="secret one.mp4"), finished(lab, file="two.mp4")
    hook(lab, f"{receiver.address}/hooks/analyses")
    hook(lab, f"{receiver.address}/hooks/both", events=["comparison.done", "comparison.cancelled"])
    done = compared(lab, exhibit, reference)
    stopped = queued(lab, exhibit, reference)
    assert states.cancel(lab.extensions["database"], stopped.id, ComparisonRow)
    assert trip(lab) == 2 and trip(lab) == 0
    assert {path for path, _, _ in receiver.got} == {"/hooks/both"}
    notices = {notice["event"]: notice for notice in (json.loads(body) for _, _, body in receiver.got)}
    assert set(notices) == {"comparison.done", "comparison.cancelled"}
    message = notices["comparison.done"]
    assert (message["comparison"], message["related"], message["segments"]) == (done.id, True, 1)
    assert message["outcome"] == "faces differ"
    assert message["href"] == f"/api/v1/comparisons/{done.id}"
    assert (message["exhibit"], message["reference"]) == (exhibit.exhibit.sha256, reference.exhibit.sha256)
    assert "analysis" not in message and "secret" not in json.dumps(message)
    assert notices["comparison.cancelled"]["related"] is notices["comparison.cancelled"]["outcome"] is None


def test_only_subscribed_events_are_sent(lab, receiver):
    hook(lab, f"{receiver.address}/hooks/all")
    hook(lab, f"{receiver.address}/hooks/failed", events=["analysis.failed"])
    database = lab.extensions["database"]
    lost = hand_in(lab, b"l")
    for _ in range(recovery.MAX_ATTEMPTS):
        claims.claim_analysis(database, lost.id)
        with database.begin() as session:
            session.get_one(AnalysisRow, lost.id).heartbeat = now() - timedelta(minutes=5)
        recovery.requeue_stale(database)
    broken, stopped = hand_in(lab, b"b"), hand_in(lab, b"s")
    claims.fail_job(database, claims.claim_analysis(database, broken.id), FailureCode.CRASHED.cause())
    states.cancel(database, stopped.id)
    hand_in(lab, b"waits")
    while trip(lab):
        pass
    deliveries = sorted(
        (path, json.loads(body)["event"], json.loads(body)["analysis"]) for path, _, body in receiver.got
    )
    assert deliveries == sorted(
        [
            ("/hooks/all", "analysis.failed", lost.id),
            ("/hooks/all", "analysis.failed", broken.id),
            ("/hooks/all", "analysis.cancelled", stopped.id),
            ("/hooks/failed", "analysis.failed", lost.id),
            ("/hooks/failed", "analysis.failed", broken.id),
        ]
    )


def test_earlier_events_are_not_sent(lab, receiver):
    finished(lab)
    hook(lab, f"{receiver.address}/hooks/a")
    assert trip(lab) == 0


def under_review(lab, row: AnalysisRow) -> None:
    """Put an analysis into a case whose second reviewer is not to know what was found."""
    with lab.extensions["database"].begin() as session:
        session.add(CaseRow(id=1, name="K", created=now(), created_by="root"))
        for number in (1, 2):
            about = {"id": number, "name": f"u{number}", "display": f"U {number}", "role": "examiner"}
            given = {"password": "x", "password_set": now(), "one_time": False, "created": now()}
            session.add(User(**about, **given))
        session.flush()
        session.add(CaseReview(case_id=1, first_id=1, second_id=2, blind="findings", named=now()))
        session.get_one(AnalysisRow, row.id).case_id = 1


def test_blinded_finding_is_withheld(lab, receiver, as_described):
    hook(lab, f"{receiver.address}/hooks/lab")
    under_review(lab, with_voice(lab, finished(lab)))
    trip(lab)
    body = json.loads(receiver.got[-1][2])
    assert body["withheld"] is True and body["verdict"] is body["kind"] is body["voice"] is None
    as_described()


def test_blinded_comparison_is_withheld(lab, receiver, as_described):
    hook(lab, f"{receiver.address}/hooks/lab", events=["comparison.done"])
    row, other = finished(lab), finished(lab, file="other.mp4")
    under_review(lab, row)
    compared(lab, other, row)
    trip(lab)
    body = json.loads(receiver.got[-1][2])
    assert body["withheld"] is True
    assert body["related"] is body["segments"] is body["outcome"] is None
    as_described()
