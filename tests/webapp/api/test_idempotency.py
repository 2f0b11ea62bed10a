"""Requests of the REST API sent again under their key."""

from __future__ import annotations

import io

import pytest
from api_requests import API, form, problem
from sqlalchemy import select, update

from webapp.api.contract.request_body import LARGEST_JSON
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
    still = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    problem(still, 409)
    assert still.headers["Retry-After"] == "2"
    app.extensions["started"] = now()  # it was started anew
    second = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    assert second.json["id"] == first.json["id"]
    with database.begin() as session:
        assert len(session.scalars(select(AnalysisRow.id)).all()) == 1


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
    told = problem(client.post(address, headers=headers, environ_overrides=environ), 413)
    assert told["detail"] == "The body is larger than 256 kB."
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
