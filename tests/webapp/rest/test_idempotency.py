"""Requests of the REST API sent again under their key."""

from __future__ import annotations

import io

import pytest
from api_requests import API, form, problem
from made_results import finished
from second_review_case import review
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from detector.models.model_files import DEFAULT_MODEL
from webapp.accounts import tokens
from webapp.accounts.users import principal_of
from webapp.analyses import api
from webapp.exhibits import service as analysis_service
from webapp.rest import idempotency
from webapp.rest.idempotency import LARGEST_JSON
from webapp.storage.tables import AnalysisRow, KeyedRequest


def test_the_same_key_gets_the_same_response(client, sent):
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
    second = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    assert second.json["id"] == first.json["id"]
    with database.begin() as session:
        assert len(session.scalars(select(AnalysisRow.id)).all()) == 1


def away(*_: object, **__: object) -> None:
    raise OperationalError("", {}, Exception("terminating connection due to administrator command"))


def test_an_error_after_creation_makes_no_second_analysis(app, client, sent, monkeypatch):
    headers = {"Idempotency-Key": "one"}
    with monkeypatch.context() as patched:
        patched.setattr(api, "accepted_response", away)
        problem(client.post(f"{API}/analyses", **form(b"a"), headers=headers), 503)
    second = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    assert second.status_code == 202 and set(sent) == {second.json["id"]}
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(AnalysisRow.id)).all() == [second.json["id"]]


@pytest.mark.parametrize("name", ["_forget", "_store"])
def test_a_request_that_lost_the_database_is_not_in_progress(client, sent, monkeypatch, name):
    headers, model = {"Idempotency-Key": "one"}, "nothing" if name == "_forget" else DEFAULT_MODEL
    with monkeypatch.context() as patched:
        patched.setattr(idempotency, name, away)
        problem(client.post(f"{API}/analyses", **form(b"a", model=model), headers=headers), 503)
    again = client.post(f"{API}/analyses", **form(b"a", model=model), headers=headers)
    assert again.status_code == (400 if name == "_forget" else 202), again.text


def test_the_same_key_during_the_first_request_is_refused(client, sent, monkeypatch):
    headers, submit, meanwhile = {"Idempotency-Key": "one"}, analysis_service.submit, []

    def sent_again(*arguments: object, **more: object) -> object:
        monkeypatch.setattr(analysis_service, "submit", submit)
        meanwhile.append(client.post(f"{API}/analyses", **form(b"a"), headers=headers))
        return submit(*arguments, **more)

    monkeypatch.setattr(analysis_service, "submit", sent_again)
    first = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    problem(meanwhile[0], 409)
    assert meanwhile[0].headers["Retry-After"] == "2"
    assert client.post(f"{API}/analyses", **form(b"a"), headers=headers).json == first.json
    assert sent == [first.json["id"]]


def cut_off(app) -> None:
    """As if the process had died before any answer was kept."""
    with app.extensions["database"].begin() as session:
        session.execute(update(KeyedRequest).values(status=None, body=None))


def test_a_request_cut_off_by_a_crash_makes_no_second_annotation(app, client):
    row, headers = finished(app), {"Idempotency-Key": "one"}
    body = {"kind": "exhibit", "author": "Ada", "verdict": "agree"}
    first = client.post(f"{API}/analyses/{row.id}/annotations", json=body, headers=headers)
    cut_off(app)
    second = client.post(f"{API}/analyses/{row.id}/annotations", json=body, headers=headers)
    assert second.status_code == first.status_code == 201
    assert second.json == first.json and len(second.json["annotations"]) == 1
    other = client.post(f"{API}/analyses/{row.id}/annotations", json=body, headers={"Idempotency-Key": "two"})
    assert len(other.json["annotations"]) == 2


def test_a_request_cut_off_by_a_crash_makes_no_second_statement(tmp_path, sent):
    """Also where it could not be made any more: a judgement is given once, an accepted proposal ends it."""
    made = review(tmp_path / "data", sent, "judgements")
    assert made.name(third="").status_code == 303
    with made.app.extensions["database"].alone() as session:
        headers = {
            name: {
                "Authorization": "Bearer "
                + tokens.create(session, principal_of(made.users[name]), "t", ["read", "annotate"]).token
            }
            for name in ("ada", "ben")
        }
    concluded = {"conclusion": "manipulated", "reasons": "Lips."}
    steps = [
        ("ada", "judgement", concluded),
        ("ben", "judgement", concluded | {"conclusion": "inconclusive"}),
        ("ada", "messages", {"text": "Look again."}),
        ("ada", "proposal", concluded),
        ("ben", "acceptance", {}),
    ]
    client, answer = made.app.test_client(), {}
    for number, (name, what, body) in enumerate(steps):
        given = headers[name] | {"Idempotency-Key": f"key-{number}"}
        if what == "acceptance":
            body = {"proposal": answer["review"]["statements"][-1]["id"]}
        address = f"{API}/analyses/{made.row.id}/review/{what}"
        answer = client.post(address, json=body, headers=given).json
        cut_off(made.app)
        again = client.post(address, json=body, headers=given)
        assert again.status_code == 201 and again.json == answer, what
    assert [statement["kind"] for statement in answer["review"]["statements"]] == [
        "judgement",
        "judgement",
        "message",
        "proposal",
        "acceptance",
    ]
    made.app.extensions["database"].close()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["analyses/{id}/cancel", "uploads", "exhibits/{sha256}/analyses"])
def test_a_body_too_large_is_refused_before_it_is_read(app, client, path, chunked):
    made = client.post(f"{API}/analyses", **form(b"a")).json
    address = f"{API}/{path.format(id=made['id'], sha256=made['sha256'])}"
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json"}
    if path == "uploads":
        headers |= {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    body = _Body(8 * LARGEST_JSON)
    headers |= {"Transfer-Encoding": "chunked"} if chunked else {}
    environ = {"wsgi.input": body, "wsgi.input_terminated": chunked, "CONTENT_LENGTH": str(8 * LARGEST_JSON)}
    details = problem(client.post(address, headers=headers, environ_overrides=environ), 413)
    assert details["detail"] == "The body is larger than 256 kB."
    assert body.given <= (2 * LARGEST_JSON if chunked else 0)
    state = client.get(f"{API}/analyses/{made['id']}").json["state"]
    assert state == "queued"


class _Body(io.RawIOBase):
    """So many bytes, made when they are read; ``given`` says how many were."""

    def __init__(self, size: int) -> None:
        self.size, self.given = size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        count = min(len(buffer), self.size - self.given)
        buffer[:count] = b" " * count
        self.given += count
        return count
