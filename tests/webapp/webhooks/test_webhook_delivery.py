"""Messages are signed, retried later, and given up after the last attempt."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import timedelta

import pytest
from made_results import finished
from made_webhooks import API, hook, trip
from sqlalchemy import select

from detector.files import ROOT
from webapp.storage.tables import Delivery, now
from webapp.webhooks import delivery
from webapp.webhooks.delivery import NotSent

_FIRST_BACK_OFF = timedelta(seconds=delivery.BACK_OFF[0])


def genuine():
    """The check as docs/api.md prints it."""
    text = (ROOT / "docs" / "api.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "def genuine" in block)
    names: dict = {}
    exec(code, names)
    return names["genuine"]


def test_message_is_signed_and_reveals_nothing_about_the_file(lab, receiver):
    made = hook(lab, f"{receiver.address}/hooks/a?b=c")
    row = finished(lab, file="secret name.mp4")
    assert trip(lab) == 1 and trip(lab) == 0
    ((path, headers, body),) = receiver.got
    assert path == "/hooks/a?b=c" and headers["Content-Type"] == "application/json"
    content = json.loads(body)
    assert (content["event"], content["analysis"], content["verdict"]) == (
        "analysis.done",
        row.id,
        row.verdict,
    )
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
    content = lab.test_client().get(f"{API}/webhooks/{made['id']}/deliveries").json["deliveries"]
    assert [(entry["attempts"], entry["status"], entry["due"]) for entry in content] == [(1, 204, None)]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_failure_is_retried_and_redirects_are_not_followed(lab, receiver, status):
    receiver.answers[:] = [status]
    hook(lab, f"{receiver.address}/hooks/a")
    finished(lab)
    before = now()
    assert trip(lab) == 1 and trip(lab) == 0  # not at once
    database = lab.extensions["database"]
    with database.begin() as session:
        row = session.scalars(select(Delivery)).one()
        assert (row.attempts, row.status, row.delivered) == (1, status, None)
        assert before + _FIRST_BACK_OFF <= row.due <= now() + _FIRST_BACK_OFF
        row.due = now()
    assert trip(lab) == 1
    assert [path for path, *_ in receiver.got] == ["/hooks/a", "/hooks/a"]
    with database.begin() as session:
        row = session.scalars(select(Delivery)).one()
        assert row.delivered is not None and row.problem is None and row.due is None


def test_message_is_given_up_after_the_last_attempt(lab, receiver):
    receiver.answers[:] = [500] * 20
    hook(lab, f"{receiver.address}/hooks/a")
    finished(lab)
    for _ in range(len(delivery.BACK_OFF) + 1):
        trip(lab)
        with lab.extensions["database"].begin() as session:
            row = session.scalars(select(Delivery)).one()
            row.due = now() if row.due is not None else None
    assert row.due is None and row.attempts == len(delivery.BACK_OFF) + 1 and trip(lab) == 0


def test_hanging_receiver_does_not_delay_others(lab, receiver, monkeypatch):
    hangs, well = (f"{receiver.address}/hooks/{name}" for name in ("hangs", "well"))
    hook(lab, hangs)
    hook(lab, well)
    tried: list[str] = []

    def send(url: str, *_: object) -> int:
        tried.append(url)
        if url == hangs:
            raise NotSent("It took longer than 30 seconds.")
        return 204

    monkeypatch.setattr(delivery, "send", send)
    monkeypatch.setattr(delivery, "_SLOW", -1.0)
    for number in range(3):
        finished(lab, file=f"{number}.mp4")
    before = now()
    while trip(lab):
        pass
    assert tried.count(hangs) == 1 and tried.count(well) == 3, "after a long wait its others are put off"
    with lab.extensions["database"].begin() as session:  # what was put off is due again
        for row in session.scalars(select(Delivery).where(Delivery.due.is_not(None))):
            assert before + _FIRST_BACK_OFF <= row.due <= now() + _FIRST_BACK_OFF
            row.due = now() - timedelta(hours=1)
        assert [row.attempts for row in session.scalars(select(Delivery).where(Delivery.attempts > 1))] == []
    finished(lab, file="new.mp4")
    tried.clear()
    assert trip(lab) == 2 and tried == [well, hangs], "what failed comes last, and ends the round"
