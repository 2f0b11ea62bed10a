"""Annotations over HTTP: added, listed, refused."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from annotated_analyses import AGREE, stored
from made_results import hand_in

from detector.schema.causes.failures import FailureCode
from detector.schema.formatting import timecode
from webapp.exhibits import annotations as annotation_service
from webapp.exhibits import annotations as review_annotations
from webapp.jobs import claims
from webapp.storage.tables import now


def test_annotations_are_stored_with_their_time(app, client, row, address):
    before = now() - timedelta(milliseconds=1)
    answer = client.post(address, json=AGREE)
    assert answer.status_code == 201
    made = answer.json["annotation"]
    assert {name: made[name] for name in AGREE} == AGREE
    assert len(made["id"]) == 32 and made["made"].endswith("Z") and len(made["made"]) == 24
    assert before <= datetime.fromisoformat(made["made"]) <= now()
    assert answer.json["annotations"] == [made] and answer.json["analysis"] == row.id
    kept = stored(app)[0]
    assert (kept.analysis_id, kept.id, kept.kind, kept.author, kept.verdict) == (
        row.id,
        made["id"],
        "segment",
        "Ann",
        "agree",
    )
    assert kept.made == datetime.fromisoformat(made["made"]) and json.loads(kept.body) == made


def test_every_kind_of_annotation_is_listed_in_order(client, row, address):
    bodies: list[dict[str, Any]] = [
        AGREE,
        {"kind": "exhibit", "verdict": "unsure"},
        {"kind": "span", "start": 1.23456, "end": 2, "verdict": "manipulated", "person": "B"},
        {"kind": "split", "person": "A", "tracks": [1]},
        {"kind": "rename", "person": "C", "name": " Eve "},
        {"kind": "merge", "person": "C", "into": "B"},
    ]
    for annotation in bodies:
        answer = client.post(address, json={"author": "Ann", **annotation})
        assert answer.status_code == 201, answer.json
    about = answer.json["annotation"]["id"]
    assert (
        client.post(address, json={"kind": "withdrawal", "about": about, "author": "Ann"}).status_code == 201
    )
    listed = client.get(address).json
    assert listed["analysis"] == row.id
    kinds = ["segment", "exhibit", "span", "split", "rename", "merge", "withdrawal"]
    assert [annotation["kind"] for annotation in listed["annotations"]] == kinds
    moments = [annotation["made"] for annotation in listed["annotations"]]
    assert moments == sorted(set(moments))  # never two in one millisecond
    assert (listed["annotations"][2]["start"], listed["annotations"][2]["end"]) == (1.235, 2)
    assert listed["annotations"][4]["name"] == "Eve"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segment": "Z1"}, "There is no segment Z1 in this analysis."),
        ({"author": ""}, "The name of the reviewer is missing."),
        ({"note": "x" * 4001}, "The note is longer than 4,000 characters."),
        ({"verdict": "real"}, "The verdict must be one of"),
        ({"id": "0" * 32}, "must not have the fields “id”"),
        ({"made": "2026-11-20T00:00:00Z"}, "must not have the fields “id”"),
        ({"imported_by": "Ben"}, "must not have the fields “id”"),
        ({"kind": "withdrawal"}, "is missing"),
    ],
)
def test_invalid_annotations_are_explained(app, client, address, changes, words):
    answer = client.post(address, json=AGREE | changes)
    assert answer.status_code == 400 and words in answer.json["detail"] and answer.json["remedy"]
    assert stored(app) == []


def test_reloading_is_advised_only_if_it_helps(client, row, address):
    span = {"kind": "span", "start": 1, "end": 99, "verdict": "manipulated", "author": "Ann"}
    late = client.post(address, json=span).json
    assert late["detail"] == "The span ends after the end of the exhibit."
    last = timecode(row.duration)
    assert late["remedy"] == f"Nothing was recorded. Choose an end that is not after {last}."
    nobody = client.post(address, json=span | {"end": 2, "person": "Z"}).json
    assert "Reload the page" in nobody["remedy"]
    assert "Reload" not in client.post(address, json=AGREE | {"segment": "Z1"}).json["remedy"]


def test_annotations_of_others_cannot_be_withdrawn(client, address):
    annotation_id = client.post(address, json=AGREE).json["annotation"]["id"]
    answer = client.post(address, json={"kind": "withdrawal", "about": annotation_id, "author": "Ben"})
    assert answer.status_code == 400 and "own author" in answer.json["detail"]


def test_malformed_requests_are_refused(app, client, address):
    for data, kind, status in (
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 422),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (json.dumps(AGREE).encode(), "text/plain", 415),  # what a form of another site could send
        (b'{"note": "' + b"x" * 300_000 + b'"}', "application/json", 413),
    ):
        answer = client.post(address, data=data, content_type=kind)
        assert answer.status_code == status and answer.json["detail"], data[:20]
    other = client.post(address, json=AGREE, headers={"Sec-Fetch-Site": "cross-site"})
    assert other.status_code == 403
    assert stored(app) == []


def test_only_finished_analyses_can_be_annotated(app, client):
    waiting = hand_in(app, b"waiting")
    failed = hand_in(app, b"failed")
    database = app.extensions["database"]
    claims.fail_job(database, claims.claim_analysis(database, failed.id), FailureCode.CRASHED.cause())
    for row in (waiting, failed):
        for answer in (
            client.get(f"/api/v1/analyses/{row.id}/annotations"),
            client.post(f"/api/v1/analyses/{row.id}/annotations", json=AGREE),
            client.post(f"/analyses/{row.id}/annotations/import", data={"file": (io.BytesIO(b"x"), "x")}),
        ):
            assert answer.status_code == 409
    assert client.post(f"/api/v1/analyses/{'0' * 32}/annotations", json=AGREE).status_code == 404
    assert client.get(f"/api/v1/analyses/{'0' * 32}/annotations").status_code == 404


def test_annotations_are_limited(app, client, address, monkeypatch):
    monkeypatch.setattr(annotation_service, "MAX_ANNOTATIONS", 2)
    assert [client.post(address, json=AGREE).status_code for _ in range(3)] == [201, 201, 409]


def test_a_clock_set_back_keeps_the_order(app, client, address, monkeypatch):
    client.post(address, json=AGREE)
    monkeypatch.setattr(review_annotations, "now", lambda: now() - timedelta(days=1))
    client.post(address, json=AGREE | {"verdict": "disagree"})
    assert [annotation["verdict"] for annotation in client.get(address).json["annotations"]] == [
        "agree",
        "disagree",
    ]
