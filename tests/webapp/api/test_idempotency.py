"""Requests of the REST API sent again under their key."""

from __future__ import annotations

from api_requests import API, form, problem
from sqlalchemy import select, update

from webapp.storage.tables import AnalysisRow, KeyedRequest, now


def test_the_same_key_gives_the_same_answer(client, sent):
    headers = {"Idempotency-Key": "one"}
    first = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    second = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    assert (second.status_code, second.json, len(sent)) == (202, first.json, 1)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    problem(client.post(f"{API}/analyses", **form(b"b"), headers=headers), 422)
    problem(client.post(f"{API}/analyses", **form(b"a"), headers={"Idempotency-Key": "ä"}), 400)
    other = client.post(f"{API}/analyses", **form(b"a"), headers={"Idempotency-Key": "two"})
    assert other.json["id"] != first.json["id"]


def test_a_failed_request_may_be_sent_again_under_its_key(client):
    headers = {"Idempotency-Key": "one"}
    problem(client.post(f"{API}/analyses", **form(model="nothing"), headers=headers), 400)
    problem(client.post(f"{API}/analyses", **form(model="nothing"), headers=headers), 400)
    assert client.post(f"{API}/analyses", **form(), headers=headers).status_code == 202


def test_a_request_cut_off_by_a_crash_makes_no_second_analysis(app, client, sent):
    database, headers = app.extensions["database"], {"Idempotency-Key": "one"}
    first = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    with database.begin() as session:  # as if the process had died before the answer was kept
        session.execute(update(KeyedRequest).values(status=None, body=None))
    problem(client.post(f"{API}/analyses", **form(b"a"), headers=headers), 409)
    app.extensions["started"] = now()  # it was started anew
    second = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    assert second.json["id"] == first.json["id"]
    with database.begin() as session:
        assert len(session.scalars(select(AnalysisRow.id)).all()) == 1
