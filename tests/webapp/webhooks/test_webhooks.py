"""Webhooks: which addresses, what is signed, what is tried again; nothing leaves without an allowance."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
from datetime import timedelta

import jsonschema
import pytest
from live import Receiver
from made import finished, hand_in
from made_comparisons import compared, queued
from sqlalchemy import select

from detector.paths import ROOT
from webapp import create_app, url_allowlist
from webapp.jobs import claims, failures, recovery, states
from webapp.settings import SettingError, read_settings
from webapp.storage.tables import AnalysisRow, CaseReview, CaseRow, ComparisonRow, Delivery, User, now
from webapp.webhooks import delivery
from webapp.webhooks import registry as webhook_registry
from webapp.webhooks.signature import secret

API = "/api/v1"


@pytest.fixture
def receiver():
    with Receiver() as server:
        yield server


@pytest.fixture
def lab(tmp_path, receiver, sent):
    """An app that may send to the receiver."""
    allowed = f"{receiver.address}/hooks/ https://lab.example/in"
    app = create_app(
        {
            "TESTING": True,
            "REELPROOF_DATA": tmp_path / "data",
            "SEND": sent.append,
            "REELPROOF_WEBHOOKS": allowed,
        }
    )
    yield app
    app.extensions["database"].close()


def hook(app, url: str, **more) -> dict:
    answer = app.test_client().post(f"{API}/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    return answer.json


def trip(app) -> int:
    return delivery.round_trip(
        app.extensions["settings"], app.extensions["database"], now() - timedelta(minutes=1)
    )


def genuine():
    """The check as docs/api.md prints it."""
    text = (ROOT / "docs" / "api.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "def genuine" in block)
    names: dict = {}
    exec(code, names)
    return names["genuine"]


@pytest.fixture
def as_described(lab, receiver):
    """Whether every message that was sent is one that openapi.json describes, with no more and no less."""

    def check() -> None:
        described = lab.test_client().get(f"{API}/openapi.json").json["webhooks"]
        schemas = {
            event: {**schema, "additionalProperties": False}
            for each in described.values()
            for schema in [each["post"]["requestBody"]["content"]["application/json"]["schema"]]
            for event in schema["properties"]["event"]["enum"]
        }
        assert receiver.got
        for _, _, body in receiver.got:
            message = json.loads(body)
            jsonschema.Draft202012Validator(schemas[message["event"]]).validate(message)

    return check


def test_messages_are_as_openapi_describes_them(lab, receiver, as_described):
    hook(lab, f"{receiver.address}/hooks/all", events=list(webhook_registry.EVENTS))
    database = lab.extensions["database"]
    exhibit, reference = finished(lab), finished(lab, file="two.mp4")
    compared(lab, exhibit, reference)
    assert states.cancel(database, queued(lab, exhibit, reference).id, ComparisonRow)
    stopped = hand_in(lab, b"s")
    states.cancel(database, stopped.id)
    with database.begin() as session:
        webhook_registry.queue_alert(session, "operations.alert", "disk", "Little is free.", now())
    while trip(lab):
        pass
    assert len(receiver.got) == 6
    as_described()


def test_without_an_allowance_nothing_is_sent_anywhere(app, client, monkeypatch):
    answer = client.post(f"{API}/webhooks", json={"url": "https://lab.example/in"})
    assert answer.status_code == 403 and "REELPROOF_WEBHOOKS" in answer.json["remedy"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: pytest.fail("a name was looked up"))
    finished(app)
    assert trip(app) == 0


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://lab.example/in", True),
        ("https://lab.example/in/deeper?x=1", True),
        ("https://LAB.example:443/in", True),
        ("https://lab.example/inside", False),
        ("https://lab.example/", False),
        ("http://lab.example/in", False),
        ("https://lab.example:8443/in", False),
        ("https://lab.example.evil.example/in", False),
        ("https://lab.example@evil.example/in", False),
        ("https://lab.example/in/../admin", False),
        ("https://lab.example/in/%2e%2E/admin", False),
        ("https://lab.example/in/..%2fadmin", False),
        ("https://lab.example/in/..%5Cadmin", False),
        ("https://lab.example/in/%252e%252e/admin", False),
        ("https://lab.example/in/%25252e./admin", False),
        ("https://lab.example/in/..;x=1/admin", False),
        ("https://lab.example/in/a%0d%0ab", False),
        ("https://lab.example/in/a%20b%2fc", True),
        ("https://lab.example/in#x", False),
        ("https://lab.example\\@evil.example/in", False),
        ("ftp://lab.example/in", False),
        ("https://lab.example/in x", False),
        ("https://[/in", False),
    ],
)
def test_only_addresses_below_an_allowed_one(url, fits):
    assert (url_allowlist.allowing(("https://lab.example/in",), url) is not None) == fits


def test_a_message_is_signed_and_says_nothing_of_the_file(lab, receiver):
    made = hook(lab, f"{receiver.address}/hooks/a?b=c")
    row = finished(lab, file="secret name.mp4")
    assert trip(lab) == 1 and trip(lab) == 0
    ((path, headers, body),) = receiver.got
    assert path == "/hooks/a?b=c" and headers["Content-Type"] == "application/json"
    told = json.loads(body)
    assert (told["event"], told["analysis"], told["verdict"]) == ("analysis.done", row.id, row.verdict)
    assert "secret" not in body.decode()
    check = genuine()
    signed = headers["Reelproof-Signature"]
    assert check(made["secret"], signed, body)
    assert not check(made["secret"], signed, body + b" ") and not check("other", signed, body)
    moment = signed.split(",")[0][2:]
    expected = hmac.new(made["secret"].encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    assert signed == f"t={moment},v1={expected}"
    listed = lab.test_client().get(f"{API}/webhooks").json["webhooks"]
    assert listed[0]["id"] == made["id"] and "secret" not in listed[0]
    told = lab.test_client().get(f"{API}/webhooks/{made['id']}/deliveries").json["deliveries"]
    assert [(each["attempts"], each["status"], each["due"]) for each in told] == [(1, 204, None)]


def test_a_comparison_that_ended_is_told_to_who_asked_for_it(lab, receiver):
    exhibit, reference = finished(lab, file="secret one.mp4"), finished(lab, file="two.mp4")
    hook(lab, f"{receiver.address}/hooks/analyses")
    hook(lab, f"{receiver.address}/hooks/both", events=["comparison.done", "comparison.cancelled"])
    done = compared(lab, exhibit, reference)
    stopped = queued(lab, exhibit, reference)
    assert states.cancel(lab.extensions["database"], stopped.id, ComparisonRow)
    assert trip(lab) == 2 and trip(lab) == 0
    assert {path for path, _, _ in receiver.got} == {"/hooks/both"}
    told = {each["event"]: each for each in (json.loads(body) for _, _, body in receiver.got)}
    assert set(told) == {"comparison.done", "comparison.cancelled"}
    message = told["comparison.done"]
    assert (message["comparison"], message["related"], message["segments"]) == (done.id, True, 1)
    assert message["href"] == f"/api/v1/comparisons/{done.id}"
    assert (message["exhibit"], message["reference"]) == (exhibit.exhibit.sha256, reference.exhibit.sha256)
    assert "analysis" not in message and "secret" not in json.dumps(message)
    assert told["comparison.cancelled"]["related"] is None


def test_the_secret_is_not_in_the_database(lab, receiver):
    made = hook(lab, f"{receiver.address}/hooks/a")
    data = lab.extensions["settings"].data
    assert made["secret"].encode() not in b"".join(path.read_bytes() for path in data.glob("*.sqlite3*"))
    assert (data / "webhooks.key").stat().st_mode & 0o777 == 0o600
    assert secret(data, made["id"]) == made["secret"]


def test_each_way_to_end_is_told_and_only_what_was_asked_for(lab, receiver):
    hook(lab, f"{receiver.address}/hooks/all")
    hook(lab, f"{receiver.address}/hooks/failed", events=["analysis.failed"])
    database = lab.extensions["database"]
    lost = hand_in(lab, b"l")
    for _ in range(recovery.MOST_ATTEMPTS):
        claims.claim(database, lost.id)
        with database.begin() as session:
            session.get_one(AnalysisRow, lost.id).heartbeat = now() - timedelta(minutes=5)
        recovery.requeue_stale(database)
    broken, stopped = hand_in(lab, b"b"), hand_in(lab, b"s")
    claims.fail(database, claims.claim(database, broken.id), failures.CRASHED)
    states.cancel(database, stopped.id)
    hand_in(lab, b"waits")
    while trip(lab):
        pass
    told = sorted(
        (path, json.loads(body)["event"], json.loads(body)["analysis"]) for path, _, body in receiver.got
    )
    assert told == sorted(
        [
            ("/hooks/all", "analysis.failed", lost.id),
            ("/hooks/all", "analysis.failed", broken.id),
            ("/hooks/all", "analysis.cancelled", stopped.id),
            ("/hooks/failed", "analysis.failed", lost.id),
            ("/hooks/failed", "analysis.failed", broken.id),
        ]
    )


@pytest.mark.parametrize("status", [500, 404, 302])
def test_another_answer_is_tried_again_later_and_no_redirect_followed(lab, receiver, status):
    receiver.answers[:] = [status]
    hook(lab, f"{receiver.address}/hooks/a")
    finished(lab)
    assert trip(lab) == 1 and trip(lab) == 0  # not at once
    database = lab.extensions["database"]
    with database.begin() as session:
        row = session.scalars(select(Delivery)).one()
        assert (row.attempts, row.status, row.delivered) == (1, status, None)
        assert timedelta(seconds=5) < row.due - now() <= timedelta(seconds=10)
        row.due = now()
    assert trip(lab) == 1
    assert [path for path, *_ in receiver.got] == ["/hooks/a", "/hooks/a"]
    with database.begin() as session:
        row = session.scalars(select(Delivery)).one()
        assert row.delivered is not None and row.problem is None and row.due is None


def test_it_is_given_up_in_the_end(lab, receiver):
    receiver.answers[:] = [500] * 20
    hook(lab, f"{receiver.address}/hooks/a")
    finished(lab)
    for _ in range(len(webhook_registry.BACK_OFF) + 1):
        trip(lab)
        with lab.extensions["database"].begin() as session:
            row = session.scalars(select(Delivery)).one()
            row.due = now() if row.due is not None else None
    assert row.due is None and row.attempts == len(webhook_registry.BACK_OFF) + 1 and trip(lab) == 0


def test_what_happened_before_there_was_a_webhook_is_not_told(lab, receiver):
    finished(lab)
    hook(lab, f"{receiver.address}/hooks/a")
    assert trip(lab) == 0


def answering(monkeypatch, *addresses: str) -> None:
    def look_up(_host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "127.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "::7f00:1",
        "5f00::1",
        "4000::1",
        "2002:a00:1::1",
        "3fff::1",
        "224.0.0.1",
        "0.0.0.0",
        "100.64.0.1",
    ],
)
def test_a_name_that_leads_into_a_private_network_is_refused(monkeypatch, address):
    answering(monkeypatch, address)
    allowed = url_allowlist.place("https://lab.example/in")
    with pytest.raises(delivery.NotSent, match="private network"):
        delivery._checked_address(url_allowlist.place("https://lab.example/in"), allowed)


def test_a_private_address_listed_itself_is_fine_and_a_public_one_too(monkeypatch):
    listed = url_allowlist.place("http://10.1.2.3/in")
    answering(monkeypatch, "10.1.2.3")
    assert delivery._checked_address(listed, listed) == "10.1.2.3"
    answering(monkeypatch, "93.184.215.14")
    named = url_allowlist.place("https://lab.example/in")
    assert delivery._checked_address(named, named) == "93.184.215.14"
    answering(monkeypatch, "2606:2800:21f::1")
    assert delivery._checked_address(named, named) == "2606:2800:21f::1"


def test_the_connection_goes_to_the_address_that_was_checked(lab, receiver, monkeypatch):
    """A second look at the name server, with another answer, would find nothing to answer it."""
    named = url_allowlist.place(f"http://lab.example:{receiver.server_address[1]}/in")
    monkeypatch.setattr(delivery, "_public", lambda _address: True)
    answers = iter([("127.0.0.1",)])
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda _h, port, **_: [(2, 1, 6, "", (address, port)) for address in next(answers)],
    )
    url = f"http://lab.example:{receiver.server_address[1]}/in"
    monkeypatch.setattr(socket, "create_connection", connect_without_names)
    assert delivery.send(url, named, b"{}", {}) == 204
    assert receiver.got[0][1]["Host"].startswith("lab.example")


def connect_without_names(address, timeout):
    connection = socket.socket()
    connection.settimeout(timeout)
    connection.connect(address)
    return connection


def test_nobody_there(lab, receiver):
    place = f"http://127.0.0.1:{receiver.server_address[1]}/hooks/a"
    receiver.shutdown()
    receiver.server_close()
    with pytest.raises(delivery.NotSent):
        delivery.send(place, url_allowlist.place(place), b"{}", {})
    receiver.shutdown = lambda: None  # the fixture's end finds it closed


def test_a_receiver_that_drips_is_cut_off(monkeypatch):
    import threading

    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = server.accept()
        with connection:
            for _ in range(100):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return
                if stop.wait(0.1):
                    return

    stop = threading.Event()
    threading.Thread(target=drip, daemon=True).start()
    monkeypatch.setattr(delivery, "_DEADLINE", 1)
    place = f"http://127.0.0.1:{server.getsockname()[1]}/in"
    with pytest.raises(delivery.NotSent, match="longer than"), delivery._deadline():
        delivery.send(place, url_allowlist.place(place), b"{}", {})
    stop.set()
    server.close()


def test_an_allowance_taken_back_stops_messages(lab, receiver):
    hook(lab, f"{receiver.address}/hooks/a")
    finished(lab)
    settings = lab.extensions["settings"].model_copy(update={"webhooks": ()})
    delivery.round_trip(settings, lab.extensions["database"], now() - timedelta(minutes=1))
    assert receiver.got == []


def test_a_setting_that_is_no_address_is_refused():
    with pytest.raises(SettingError, match="REELPROOF_WEBHOOKS"):
        read_settings({"REELPROOF_WEBHOOKS": "lab.example"})


def test_a_deleted_webhook_is_told_nothing(lab, receiver):
    made = hook(lab, f"{receiver.address}/hooks/a")
    finished(lab)
    assert lab.test_client().delete(f"{API}/webhooks/{made['id']}").status_code == 204
    assert trip(lab) == 0 and receiver.got == []


def test_a_finding_that_a_second_reviewer_is_not_to_know_is_withheld(lab, receiver, as_described):
    hook(lab, f"{receiver.address}/hooks/lab")
    row = finished(lab)
    with lab.extensions["database"].begin() as session:
        session.add(CaseRow(id=1, name="K", created=now(), created_by="root"))
        for number in (1, 2):
            about = {"id": number, "name": f"u{number}", "display": f"U {number}", "role": "examiner"}
            given = {"password": "x", "password_set": now(), "one_time": False, "created": now()}
            session.add(User(**about, **given))
        session.flush()
        session.add(CaseReview(case_id=1, first_id=1, second_id=2, blind="findings", named=now()))
        session.get_one(AnalysisRow, row.id).case_id = 1
    trip(lab)
    body = json.loads(receiver.got[-1][2])
    assert body["withheld"] is True and body["verdict"] is None and body["kind"] is None
    as_described()
